//! Milliseconds since the Unix epoch as dates and times of a time zone, for the list, day lines and message times.

use chrono::{DateTime, Datelike, FixedOffset, Local, NaiveDate, NaiveDateTime, Timelike, Utc};
use jiff::{Timestamp, tz::TimeZone};

/// Whose clock times are shown by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// The machine's.
    #[default]
    Local,
    /// Universal time: the same on every machine.
    Utc,
    /// As the config file says.
    Set(&'static Clock),
}

/// A clock that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Clock {
    place: Place,
    /// 1 to 12, twice a day.
    twelve: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Local,
    Utc,
    Offset(FixedOffset),
    Named(TimeZone),
}

impl Place {
    fn of(name: &str) -> Option<Place> {
        match name {
            "local" => Some(Place::Local),
            "utc" | "UTC" => Some(Place::Utc),
            _ if name.starts_with(['+', '-']) => name.parse().ok().map(Place::Offset),
            _ => TimeZone::get(name).ok().map(Place::Named),
        }
    }
}

impl Zone {
    /// The zone that the config file names, on a clock of twelve or 24 hours; `None` when it is not known here.
    pub fn set(name: &str, twelve: bool) -> Option<Zone> {
        Some(match (Place::of(name)?, twelve) {
            (Place::Local, false) => Zone::Local,
            (Place::Utc, false) => Zone::Utc,
            // Once a run: the zone is passed about as freely as a number.
            (place, twelve) => Zone::Set(Box::leak(Box::new(Clock { place, twelve }))),
        })
    }

    fn civil(self, at_ms: u64) -> NaiveDateTime {
        let at = i64::try_from(at_ms)
            .ok()
            .and_then(DateTime::<Utc>::from_timestamp_millis)
            .unwrap_or_default();
        let place = match self {
            Zone::Local => &Place::Local,
            Zone::Utc => &Place::Utc,
            Zone::Set(clock) => &clock.place,
        };
        match place {
            Place::Local => at.with_timezone(&Local).naive_local(),
            Place::Utc => at.naive_utc(),
            Place::Offset(offset) => at.with_timezone(offset).naive_local(),
            Place::Named(zone) => {
                let moment = Timestamp::from_second(at.timestamp()).unwrap_or_default();
                let offset = FixedOffset::east_opt(zone.to_offset(moment).seconds());
                offset.map_or(at.naive_utc(), |offset| at.with_timezone(&offset).naive_local())
            }
        }
    }

    /// Hour and minute: `09:05`, or `9:05 am`.
    pub fn time(self, at_ms: u64) -> String {
        let at = self.civil(at_ms);
        if let Zone::Set(Clock { twelve: true, .. }) = self {
            let (afternoon, hour) = at.hour12();
            return format!("{hour}:{:02} {}", at.minute(), if afternoon { "pm" } else { "am" });
        }
        format!("{:02}:{:02}", at.hour(), at.minute())
    }

    /// The first moment of a day such as `2026-03-31`, or `3-31` in the year of `now_ms`.
    pub fn day_at(self, text: &str, now_ms: u64) -> Option<u64> {
        let text = text.trim().replace(['/', '.'], "-");
        let this_year = format!("{}-{text}", self.civil(now_ms).year());
        let day = [text.as_str(), &this_year]
            .iter()
            .find_map(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())?;
        let wanted = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
        // What the clock is ahead of universal time at a moment near to it, and then at that moment.
        let ahead = |at: i64| {
            u64::try_from(at).ok().map(|at_ms| self.civil(at_ms).and_utc().timestamp_millis() - at)
        };
        let near = wanted - ahead(wanted)?;
        u64::try_from(wanted - ahead(near)?).ok()
    }

    /// The day's number, for telling days apart.
    pub fn day(self, at_ms: u64) -> i32 {
        self.civil(at_ms).num_days_from_ce()
    }

    /// Day and time as they stand in file names: `2026-03-02_12-00-05`.
    pub fn stamp(self, at_ms: u64) -> String {
        self.civil(at_ms).format("%Y-%m-%d_%H-%M-%S").to_string()
    }

    /// A day in words: `Monday, 2 March 2026`.
    pub fn day_name(self, at_ms: u64) -> String {
        self.civil(at_ms).format("%A, %-d %B %Y").to_string()
    }

    /// A few columns for the chat list: the time today, the weekday this week, else the date.
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
        assert_eq!(Zone::Utc.stamp(noon + 5_000), "2026-03-02_12-00-05");
    }

    #[test]
    fn zones_are_named_or_told_by_their_offset_on_either_clock() {
        let noon = 1_772_452_800_000;
        assert_eq!(Zone::set("+05:30", false).unwrap().time(noon), "17:30");
        assert_eq!(Zone::set("-08:00", true).unwrap().time(noon), "4:00 am");
        assert_eq!(Zone::set("utc", true).unwrap().time(noon), "12:00 pm");
        assert_eq!(Zone::set("Mars/Base", false), None);
        // Where the system has no table of zones, no name is known.
        if let Some(berlin) = Zone::set("Europe/Berlin", false) {
            assert_eq!(berlin.time(noon), "13:00");
            assert_eq!(berlin.time(noon + 120 * 86_400_000), "14:00");
        }
    }
}
