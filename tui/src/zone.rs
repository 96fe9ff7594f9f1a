//! Milliseconds since the Unix epoch as dates and times of a time zone, for the list, day lines and message times.

use chrono::{DateTime, Datelike, Local, NaiveDateTime, Timelike, Utc};

/// Whose clock times are shown by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// The machine's.
    #[default]
    Local,
    /// Universal time: the same on every machine.
    Utc,
}

impl Zone {
    fn civil(self, at_ms: u64) -> NaiveDateTime {
        let at = i64::try_from(at_ms)
            .ok()
            .and_then(DateTime::<Utc>::from_timestamp_millis)
            .unwrap_or_default();
        match self {
            Zone::Local => at.with_timezone(&Local).naive_local(),
            Zone::Utc => at.naive_utc(),
        }
    }

    /// Hour and minute: `09:05`.
    pub fn time(self, at_ms: u64) -> String {
        let at = self.civil(at_ms);
        format!("{:02}:{:02}", at.hour(), at.minute())
    }

    /// The day's number, for telling days apart.
    pub fn day(self, at_ms: u64) -> i32 {
        self.civil(at_ms).num_days_from_ce()
    }

    /// A day in words: `Monday, 2 March 2026`.
    pub fn day_name(self, at_ms: u64) -> String {
        self.civil(at_ms).format("%A, %-d %B %Y").to_string()
    }

    /// At most six columns for the chat list: the time today, the weekday this week, else the date.
    pub fn short(self, at_ms: u64, now_ms: u64) -> String {
        let age = self.day(now_ms) - self.day(at_ms);
        match age {
            0 => self.time(at_ms),
            1..=6 => self.civil(at_ms).format("%a").to_string(),
            _ => self.civil(at_ms).format("%-d %b").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Zone;

    #[test]
    fn times_get_coarser_with_age() {
        let noon = 1_772_452_800_000; // Monday, 2 March 2026, 12:00 UTC
        let day = 86_400_000;
        assert_eq!(Zone::Utc.short(noon, noon + 1), "12:00");
        assert_eq!(Zone::Utc.short(noon - 2 * day, noon), "Sat");
        assert_eq!(Zone::Utc.short(noon - 20 * day, noon), "10 Feb");
        assert_eq!(Zone::Utc.day_name(noon), "Monday, 2 March 2026");
    }
}
