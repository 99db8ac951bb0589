//! Time as the vault keeps it: milliseconds since 1970 in UTC, shown in one fixed offset (+08:00 unless configured).

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::Offset,
};

/// Where "now" comes from; injected so that tests decide.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }
}

/// The offset that dates and times are shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Offset);

impl Default for Zone {
    fn default() -> Self {
        Zone(Offset::constant(8))
    }
}

impl Zone {
    /// An offset of whole hours, −12 to +14; `None` outside that.
    pub fn from_hours(hours: i8) -> Option<Self> {
        (-12..=14).contains(&hours).then(|| Zone(Offset::constant(hours)))
    }

    /// What is added to UTC, in milliseconds.
    pub fn offset_ms(self) -> i64 {
        i64::from(self.0.seconds()) * 1_000
    }

    /// `2026-07-28`
    pub fn date(self, time_ms: i64) -> String {
        self.day(time_ms).to_string()
    }

    /// The calendar day.
    pub fn day(self, time_ms: i64) -> Date {
        self.0.to_datetime(timestamp(time_ms)).date()
    }

    /// When a day (`2026-07-28`) begins, milliseconds since 1970; `None` for what is no day.
    pub fn midnight_ms(self, day: &str) -> Option<i64> {
        // Only the one spelling that dates are shown in: the library knows others.
        let day: Date = Some(day).filter(|day| day.len() == 10)?.parse().ok()?;
        let at = self.0.to_timestamp(day.to_datetime(Time::midnight())).ok()?;
        Some(at.as_millisecond())
    }

    /// `2026-07-28 15:42:07 +08:00`
    pub fn date_time(self, time_ms: i64) -> String {
        let at = self.0.to_datetime(timestamp(time_ms));
        let hours = self.0.seconds() / 3600;
        let sign = if hours < 0 { '-' } else { '+' };
        format!(
            "{} {:02}:{:02}:{:02} {sign}{:02}:00",
            at.date(),
            at.hour(),
            at.minute(),
            at.second(),
            hours.abs()
        )
    }

    /// `2026-07-28T15:42:07.123+08:00`, as RFC 3339 writes it.
    pub fn rfc3339(self, time_ms: i64) -> String {
        let at = self.0.to_datetime(timestamp(time_ms));
        let hours = self.0.seconds() / 3600;
        let sign = if hours < 0 { '-' } else { '+' };
        format!(
            "{}T{:02}:{:02}:{:02}.{:03}{sign}{:02}:00",
            at.date(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond(),
            hours.abs()
        )
    }

    /// `15:42`, for short words to a client.
    pub fn hour_minute(self, time_ms: i64) -> String {
        let at = self.0.to_datetime(timestamp(time_ms));
        format!("{:02}:{:02}", at.hour(), at.minute())
    }
}

fn timestamp(time_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(time_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_in_the_zone_and_total() {
        let zone = Zone::default();
        assert_eq!(zone.date_time(0), "1970-01-01 08:00:00 +08:00");
        assert_eq!(zone.date(1_785_254_399_000), "2026-07-28");
        assert_eq!(zone.rfc3339(1_785_224_527_040), "2026-07-28T15:42:07.040+08:00");
        assert_eq!(
            Zone::from_hours(-3).unwrap().rfc3339(0),
            "1969-12-31T21:00:00.000-03:00"
        );
        assert_eq!(
            Zone::from_hours(-3).unwrap().date_time(0),
            "1969-12-31 21:00:00 -03:00"
        );
        assert_eq!(Zone::from_hours(15), None);
        assert_eq!(zone.midnight_ms("1970-01-02"), Some(16 * 3_600_000));
        for nonsense in [
            "",
            "1970-02-30",
            "19700102",
            "2026-1-1",
            "1970-01-02 ",
            "tomorrow!!",
        ] {
            assert_eq!(zone.midnight_ms(nonsense), None, "{nonsense}");
        }
        assert!(!zone.date(i64::MAX).is_empty());
    }
}
