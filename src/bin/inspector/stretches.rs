//! Stretches of time in which something holds without a break. Pure; milliseconds.

use muniment::inspect::report::{MAX_STRETCHES, Stretch, Stretches};

/// Collects stretches from moments that come in order.
#[derive(Debug)]
pub(crate) struct Runs {
    shortest_ms: i64,
    open: Option<Stretch>,
    found: Stretches,
}

impl Runs {
    /// Shorter ones aren't listed.
    pub(crate) fn new(shortest_ms: i64) -> Self {
        Runs {
            shortest_ms,
            open: None,
            found: Stretches::default(),
        }
    }

    /// From `from_ms` to `to_ms` it holds or doesn't.
    pub(crate) fn see(&mut self, from_ms: i64, to_ms: i64, holds: bool) {
        match (&mut self.open, holds) {
            (Some(open), true) => open.to_ms = open.to_ms.max(to_ms),
            (None, true) => {
                self.open = Some(Stretch {
                    from_ms,
                    to_ms: to_ms.max(from_ms),
                })
            }
            (Some(open), false) => {
                open.to_ms = open.to_ms.max(from_ms);
                self.close();
            }
            (None, false) => {}
        }
    }

    fn close(&mut self) {
        let Some(stretch) = self.open.take() else {
            return;
        };
        let length_ms = stretch.to_ms.saturating_sub(stretch.from_ms);
        if length_ms >= self.shortest_ms.max(1) {
            self.found.total_ms = self.found.total_ms.saturating_add(length_ms);
            if self.found.first.len() < MAX_STRETCHES {
                self.found.first.push(stretch);
            }
        }
    }

    /// The end.
    pub(crate) fn finish(mut self) -> Stretches {
        self.close();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_join_and_short_ones_are_left_out() {
        let mut runs = Runs::new(100);
        for (from, holds) in [
            (0, true),
            (40, true),
            (80, false),
            (120, true),
            (160, true),
            (200, true),
            (240, false),
        ] {
            runs.see(from, from + 40, holds);
        }
        runs.see(280, 400, true);
        let found = runs.finish();
        assert_eq!(
            found.first,
            [
                Stretch {
                    from_ms: 120,
                    to_ms: 240
                },
                Stretch {
                    from_ms: 280,
                    to_ms: 400
                }
            ]
        );
        assert_eq!(found.total_ms, 240);
    }
}
