//! Which stretches of a file were read, as few of them as say it.

/// Stretches kept apart at the most; past that the two nearest become one, gap included.
const LIMIT: usize = 64;

/// Disjoint stretches in order, and how many bytes were read in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretches {
    /// Start and end, the end not included.
    runs: Vec<(u64, u64)>,
    bytes: u64,
}

impl Stretches {
    /// Notes that `length` bytes from `offset` on were read.
    pub(super) fn add(&mut self, offset: u64, length: u64) {
        if length == 0 {
            return;
        }
        self.bytes = self.bytes.saturating_add(length);
        let (mut start, mut end) = (offset, offset.saturating_add(length));
        let first = self.runs.partition_point(|run| run.1 < start);
        let last = self.runs.partition_point(|run| run.0 <= end);
        if let (Some(one), Some(other)) = (
            self.runs.get(first),
            last.checked_sub(1).and_then(|at| self.runs.get(at)),
        ) && first < last
        {
            start = start.min(one.0);
            end = end.max(other.1);
        }
        self.runs.splice(first..last, [(start, end)]);
        if self.runs.len() > LIMIT
            && let Some(at) = (1..self.runs.len()).min_by_key(|at| self.runs[*at].0 - self.runs[*at - 1].1)
        {
            self.runs[at - 1].1 = self.runs[at].1;
            self.runs.remove(at);
        }
    }

    /// Bytes read in all, those read twice counted twice.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many stretches they make.
    pub(super) fn count(&self) -> usize {
        self.runs.len()
    }

    /// As the log keeps them: `start-end`, both in bytes, the end not included.
    pub(super) fn texts(&self) -> Vec<String> {
        self.runs
            .iter()
            .map(|(start, end)| format!("{start}-{end}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a map of single bytes.
        #[test]
        fn stretches_are_what_was_read(reads in prop::collection::vec((0u64..300, 0u64..40), 0..60)) {
            let (mut stretches, mut map) = (Stretches::default(), [false; 400]);
            for (offset, length) in &reads {
                stretches.add(*offset, *length);
                map[*offset as usize..(offset + length) as usize].fill(true);
            }
            let mut expected = Vec::new();
            for at in 0..400 {
                if map[at] && (at == 0 || !map[at - 1]) {
                    let end = (at..400).find(|end| !map[*end]).unwrap_or(400);
                    expected.push(format!("{at}-{end}"));
                }
            }
            prop_assert_eq!(stretches.texts(), expected);
            prop_assert_eq!(stretches.bytes(), reads.iter().map(|read| read.1).sum::<u64>());
        }
    }

    #[test]
    fn past_the_limit_the_nearest_become_one() {
        let mut stretches = Stretches::default();
        for at in 0..200u64 {
            stretches.add(at * 1_000 + (at % 7), 10);
        }
        assert_eq!(stretches.count(), LIMIT);
        assert_eq!(stretches.bytes(), 2_000);
        assert!(stretches.texts()[0].starts_with("0-"));
        assert!(stretches.texts()[LIMIT - 1].ends_with(&format!("-{}", 199_000 + 199 % 7 + 10)));
    }
}
