//! Time as the packets of a stream tell it: where it begins and ends, where it jumps. Pure; milliseconds throughout.

/// Jumps listed.
const MAX_JUMPS: usize = 16;
/// A step back by less is reordering or rounding.
const LEAST_BACK_MS: i64 = 500;

/// A place where time doesn't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jump {
    /// Where it stops.
    pub(crate) at_ms: i64,
    /// By how much: forward, or back when negative.
    pub(crate) by_ms: i64,
}

/// One stream's time.
#[derive(Debug)]
pub(crate) struct Timeline {
    least_gap_ms: i64,
    reordered: bool,
    first_ms: Option<i64>,
    end_ms: i64,
    /// The packet before: when it was, and its length, 0 where it states none.
    before: Option<(i64, i64)>,
    /// The last step forward.
    step_ms: Option<i64>,
    /// The first ones.
    pub(crate) jumps: Vec<Jump>,
    /// All of them.
    pub(crate) jump_count: u32,
}

impl Timeline {
    /// Steps of less than `least_gap_ms` from one packet's end to the next aren't gaps.
    /// `reordered`: packets may come in another order than they are shown in.
    pub(crate) fn new(least_gap_ms: i64, reordered: bool) -> Self {
        Timeline {
            least_gap_ms,
            reordered,
            first_ms: None,
            end_ms: 0,
            before: None,
            step_ms: None,
            jumps: Vec::new(),
            jump_count: 0,
        }
    }

    /// A packet: when it is decoded, when it is shown, how long.
    pub(crate) fn packet(&mut self, dts_ms: Option<i64>, pts_ms: Option<i64>, duration_ms: i64) {
        let duration_ms = duration_ms.max(0);
        if let Some(shown) = pts_ms.or(dts_ms) {
            self.first_ms = Some(self.first_ms.map_or(shown, |first| first.min(shown)));
            self.end_ms = self.end_ms.max(shown.saturating_add(duration_ms));
        }
        // Where reordered pictures have no time of decoding, what comes next can't be told from when it is shown.
        let in_order = if self.reordered { dts_ms } else { dts_ms.or(pts_ms) };
        let Some(at_ms) = in_order else {
            return;
        };
        let Some((from_ms, length_ms)) = self.before.replace((at_ms, duration_ms)) else {
            return;
        };
        let step_ms = at_ms.saturating_sub(from_ms);
        let usual_ms = self.step_ms;
        if step_ms > 0 {
            self.step_ms = Some(step_ms);
        }
        // A packet that states no length (some writers of ASF put seconds into one) is as long as the one before it was;
        // of the first nothing is known.
        let length_ms = match length_ms {
            0 => usual_ms.unwrap_or(step_ms).min(step_ms.max(0)),
            stated => stated,
        };
        let next_ms = from_ms.saturating_add(length_ms);
        let by_ms = at_ms.saturating_sub(next_ms);
        if by_ms >= self.least_gap_ms || by_ms <= -LEAST_BACK_MS.max(duration_ms.saturating_mul(2)) {
            self.jump_count = self.jump_count.saturating_add(1);
            if self.jumps.len() < MAX_JUMPS {
                self.jumps.push(Jump {
                    at_ms: next_ms,
                    by_ms,
                });
            }
        }
    }

    /// Begin of the first packet shown.
    pub(crate) fn first_ms(&self) -> Option<i64> {
        self.first_ms
    }

    /// End of the last one; where it states no length, it is as long as the step before it.
    pub(crate) fn end_ms(&self) -> i64 {
        match self.before {
            Some((_, 0)) => self.end_ms.saturating_add(self.step_ms.unwrap_or(0)),
            _ => self.end_ms,
        }
    }

    /// From begin to end.
    pub(crate) fn length_ms(&self) -> i64 {
        self.first_ms
            .map_or(0, |first| self.end_ms().saturating_sub(first).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[i64]) -> Timeline {
        let mut timeline = Timeline::new(1_000, false);
        for &time in times {
            timeline.packet(Some(time), Some(time), 40);
        }
        timeline
    }

    #[test]
    fn steady_time_has_no_jumps() {
        let timeline = of(&[0, 40, 80, 130, 160]);
        assert_eq!(timeline.jump_count, 0);
        assert_eq!(timeline.length_ms(), 200);
    }

    #[test]
    fn gaps_and_steps_back_are_jumps() {
        let timeline = of(&[0, 40, 2_080, 1_000]);
        assert_eq!(
            timeline.jumps,
            [
                Jump {
                    at_ms: 80,
                    by_ms: 2_000
                },
                Jump {
                    at_ms: 2_120,
                    by_ms: -1_120
                }
            ]
        );
    }

    #[test]
    fn reordered_pictures_without_a_time_of_decoding_are_no_jumps() {
        let mut timeline = Timeline::new(1_000, true);
        for shown in [0, 2_600, 1_300, 650] {
            timeline.packet(None, Some(shown), 40);
        }
        timeline.packet(Some(160), Some(1_000), 40);
        timeline.packet(Some(3_000), Some(3_000), 40);
        assert_eq!(
            timeline.jumps,
            [Jump {
                at_ms: 200,
                by_ms: 2_800
            }]
        );
    }

    #[test]
    fn packets_without_a_length_are_as_long_as_the_ones_before() {
        let of = |times: &[i64]| {
            let mut timeline = Timeline::new(1_000, false);
            for &time in times {
                timeline.packet(Some(time), Some(time), 0);
            }
            (timeline.length_ms(), timeline.jumps)
        };
        assert_eq!(of(&[0, 2_048]), (4_096, vec![]), "two seconds a packet");
        assert_eq!(of(&[0, 2_048, 4_096, 6_144]), (8_192, vec![]));
        let jump = |at_ms, by_ms| vec![Jump { at_ms, by_ms }];
        assert_eq!(of(&[0, 40, 80, 5_080, 5_120]), (5_160, jump(120, 4_960)));
        assert_eq!(
            of(&[0, 2_048, 4_096, 10_240, 12_288]),
            (14_336, jump(6_144, 4_096))
        );
        assert_eq!(of(&[0, 2_048, 4_096, 1_000, 3_048]).1, jump(4_096, -3_096));
    }

    #[test]
    fn hostile_times_do_not_overflow() {
        let timeline = of(&[i64::MIN, i64::MAX, i64::MIN, 0]);
        assert!(timeline.jump_count > 0);
        assert!(timeline.length_ms() >= 0);
    }
}
