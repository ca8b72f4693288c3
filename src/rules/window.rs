//! The stretch of time that a rule counts in: `(from, now]`, rolling or by the calendar of a time zone.

use compact_str::{CompactString, format_compact};
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp as Moment, ToSpan};

use super::keys::Keys;
use crate::domain::decision::FoundWindow;
use crate::domain::{Span, Timestamp};

/// `window` of a rule.
#[derive(Debug, Clone)]
pub enum Window {
    /// The last so many microseconds. `written` is the text of the file.
    Rolling { span: Span, written: String },
    /// Since the first moment of the day, week, month or year in a zone.
    Calendar { period: Period, zone: TimeZone, zone_name: String },
}

/// A calendar's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Day,
    /// From Monday.
    Week,
    Month,
    Year,
}

impl Period {
    const NAMED: [(&'static str, Self); 4] =
        [("day", Self::Day), ("week", Self::Week), ("month", Self::Month), ("year", Self::Year)];

    fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, period)| *period == self).map_or("", |(name, _)| name)
    }

    fn first_day(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(i64::from(day.weekday().to_monday_zero_offset()).days()),
            Self::Month => day.first_of_month(),
            Self::Year => day.first_of_year(),
        }
    }
}

impl Window {
    /// Reads key `window` of a rule.
    pub(super) fn read(rule: &mut Keys<'_, '_>) -> Option<Self> {
        rule.required_table("window", "{ rolling = \"24h\" } or { calendar = \"day\", time_zone = \"…\" }", |keys| {
            match (keys.has("rolling"), keys.has("calendar")) {
                (true, true) => keys.wrong_here("both `rolling` and `calendar` are given; keep one of them"),
                (true, false) => rolling(keys),
                (false, true) => calendar(keys),
                (false, false) => {
                    // Still read, so that a time zone on its own is not called unknown.
                    keys.take("time_zone");
                    keys.wrong_here("either `rolling` or `calendar` must be given")
                }
            }
        })
    }

    /// Events after this moment count: it is excluded. A calendar window's is a microsecond before its first moment.
    pub fn from(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Rolling { span, .. } => now.minus(*span),
            // A moment that no calendar reaches counts everything: a limit must not fail open.
            Self::Calendar { period, zone, .. } => {
                period_start(*period, zone, now).map_or(Timestamp(i64::MIN), |start| start.minus(Span(1)))
            }
        }
    }

    /// As a person would name it: `rolling 24h`, `calendar month`.
    pub fn name(&self) -> CompactString {
        match self {
            Self::Rolling { written, .. } => format_compact!("rolling {written}"),
            Self::Calendar { period, .. } => format_compact!("calendar {}", period.name()),
        }
    }

    /// The IANA name of the zone its bounds are told in.
    pub fn time_zone(&self) -> &str {
        match self {
            Self::Rolling { .. } => "UTC",
            Self::Calendar { zone_name, .. } => zone_name,
        }
    }

    /// For the record; `from` is what [`Window::from`] says.
    pub(super) fn found(&self, from: Timestamp) -> FoundWindow {
        FoundWindow { name: self.name(), from, time_zone: self.time_zone().into() }
    }
}

fn rolling(keys: &mut Keys<'_, '_>) -> Option<Window> {
    if keys.has("time_zone") {
        keys.take("time_zone");
        return keys.wrong_here("`time_zone` belongs to `calendar`: a rolling window is the same everywhere");
    }
    let (place, written) = keys.required_text("rolling")?;
    match written.parse::<Span>() {
        Ok(Span(0)) => keys.wrong(&place, "`rolling` must be longer than 0"),
        Ok(span) => Some(Window::Rolling { span, written }),
        Err(error) => keys.wrong(&place, format!("`rolling`: {error}")),
    }
}

fn calendar(keys: &mut Keys<'_, '_>) -> Option<Window> {
    let period = keys.choice("calendar", &Period::NAMED);
    let (place, name) = keys.required_text("time_zone")?;
    match TimeZone::get(&name) {
        Ok(zone) if !zone.is_unknown() => {
            let zone_name = zone.iana_name().unwrap_or(&name).to_owned();
            Some(Window::Calendar { period: period?, zone, zone_name })
        }
        _ => keys.wrong(&place, format!("`{name}` is not a time zone; write an IANA name, as America/Mexico_City")),
    }
}

/// The first moment of the period that `now` is in.
fn period_start(period: Period, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let today = zone.to_datetime(Moment::from_microsecond(now.0).ok()?).date();
    let start = first_moment(zone, period.first_day(today))?;
    Some(Timestamp(start.as_microsecond()))
}

/// The first moment at which a zone's calendar shows `day`.
///
/// Where midnight comes twice it is the earlier one. Where clocks jump over midnight it is the moment of the jump.
fn first_moment(zone: &TimeZone, day: Date) -> Option<Moment> {
    let midnight = zone.to_ambiguous_timestamp(DateTime::from_parts(day, jiff::civil::Time::midnight()));
    match midnight.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => midnight.earlier().ok(),
        AmbiguousOffset::Gap { .. } => {
            // By the old clock midnight is at the jump or after it, by less than the clocks jump.
            let after_jump = midnight.later().ok()?.checked_add(1.nanoseconds()).ok()?;
            zone.preceding(after_jump).next().map(|jump| jump.timestamp())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar_window(period: Period, zone: &str) -> Window {
        Window::Calendar { period, zone: TimeZone::get(zone).unwrap(), zone_name: zone.to_owned() }
    }

    /// The first moment that counts, for a decision at `now`.
    fn start(period: Period, zone: &str, now: &str) -> String {
        let now = Timestamp(now.parse::<Moment>().unwrap().as_microsecond());
        let first = calendar_window(period, zone).from(now).plus(Span(1));
        Moment::from_microsecond(first.0).unwrap().to_string()
    }

    #[test]
    fn a_rolling_window_is_exact_to_the_microsecond() {
        let window = Window::Rolling { span: "24h".parse().unwrap(), written: "24h".to_owned() };
        assert_eq!(window.from(Timestamp(86_400_000_001)), Timestamp(1));
        assert_eq!(window.from(Timestamp(i64::MIN)), Timestamp(i64::MIN), "before time there is nothing");
        assert_eq!(window.name(), "rolling 24h");
    }

    #[test]
    fn periods_begin_at_local_midnight() {
        let zone = "America/Mexico_City";
        // Mexico City has been six hours behind UTC all year since October 2022.
        assert_eq!(start(Period::Day, zone, "2026-11-21T05:59:59.999999Z"), "2026-11-20T06:00:00Z");
        assert_eq!(start(Period::Day, zone, "2026-11-21T06:00:00Z"), "2026-11-21T06:00:00Z");
        assert_eq!(start(Period::Month, zone, "2026-11-01T05:59:59Z"), "2026-10-01T06:00:00Z");
        assert_eq!(start(Period::Month, zone, "2026-11-01T06:00:00Z"), "2026-11-01T06:00:00Z");
        assert_eq!(start(Period::Year, zone, "2026-11-21T12:00:00Z"), "2026-01-01T06:00:00Z");
        // Before that its summers were five hours behind.
        assert_eq!(start(Period::Day, zone, "2022-07-01T12:00:00Z"), "2022-07-01T05:00:00Z");
        assert_eq!(start(Period::Month, zone, "2022-10-31T12:00:00Z"), "2022-10-01T05:00:00Z");
        assert_eq!(start(Period::Month, zone, "2022-11-30T12:00:00Z"), "2022-11-01T06:00:00Z");
    }

    #[test]
    fn weeks_begin_on_monday() {
        let zone = "Europe/Madrid";
        // 22 November 2026 is a Sunday.
        assert_eq!(start(Period::Week, zone, "2026-11-22T22:59:59Z"), "2026-11-15T23:00:00Z");
        assert_eq!(start(Period::Week, zone, "2026-11-22T23:00:00Z"), "2026-11-22T23:00:00Z");
        // A week that begins in the old year, and one in which the clocks change.
        assert_eq!(start(Period::Week, zone, "2026-01-01T12:00:00Z"), "2025-12-28T23:00:00Z");
        assert_eq!(start(Period::Week, zone, "2026-03-29T20:00:00Z"), "2026-03-22T23:00:00Z");
    }

    #[test]
    fn days_of_23_and_of_25_hours_are_one_day() {
        let zone = "Europe/Madrid";
        assert_eq!(start(Period::Day, zone, "2026-03-29T21:59:59Z"), "2026-03-28T23:00:00Z");
        assert_eq!(start(Period::Day, zone, "2026-03-29T22:00:00Z"), "2026-03-29T22:00:00Z");
        assert_eq!(start(Period::Day, zone, "2026-10-25T22:59:59Z"), "2026-10-24T22:00:00Z");
        assert_eq!(start(Period::Day, zone, "2026-10-25T23:00:00Z"), "2026-10-25T23:00:00Z");
    }

    #[test]
    fn a_day_without_a_midnight_begins_when_the_clocks_jump() {
        // Havana goes from 24:00 to 01:00; Beirut too.
        assert_eq!(start(Period::Day, "America/Havana", "2026-03-08T12:00:00Z"), "2026-03-08T05:00:00Z");
        assert_eq!(start(Period::Day, "America/Havana", "2026-03-08T04:59:59Z"), "2026-03-07T05:00:00Z");
        assert_eq!(start(Period::Day, "Asia/Beirut", "2026-03-29T12:00:00Z"), "2026-03-28T22:00:00Z");
        assert_eq!(start(Period::Day, "Asia/Beirut", "2026-03-28T21:59:59Z"), "2026-03-27T22:00:00Z");
        // Toronto went from 23:30 on 30 March 1919 to 00:30 on the 31st: that is the day's first moment.
        assert_eq!(start(Period::Day, "America/Toronto", "1919-03-31T12:00:00Z"), "1919-03-31T04:30:00Z");
    }

    #[test]
    fn where_midnight_comes_twice_the_day_begins_with_the_first() {
        // Havana goes back from 01:00 to 00:00: the day has 25 hours and two midnights.
        assert_eq!(start(Period::Day, "America/Havana", "2026-11-01T04:30:00Z"), "2026-11-01T04:00:00Z");
        assert_eq!(start(Period::Day, "America/Havana", "2026-11-01T12:00:00Z"), "2026-11-01T04:00:00Z");
        // Beirut goes back from 24:00 to 23:00: that hour belongs to the old day both times.
        assert_eq!(start(Period::Day, "Asia/Beirut", "2026-10-24T21:30:00Z"), "2026-10-23T21:00:00Z");
        assert_eq!(start(Period::Day, "Asia/Beirut", "2026-10-24T22:00:00Z"), "2026-10-24T22:00:00Z");
    }

    #[test]
    fn a_moment_that_no_calendar_reaches_counts_everything() {
        let window = calendar_window(Period::Day, "America/Mexico_City");
        assert_eq!(window.from(Timestamp(i64::MAX)), Timestamp(i64::MIN));
    }

    #[test]
    fn every_hour_of_two_years_is_in_the_day_that_the_calendar_shows() {
        for zone in ["America/Havana", "Asia/Beirut", "Europe/Madrid", "America/Mexico_City", "Pacific/Apia", "UTC"] {
            let rules = TimeZone::get(zone).unwrap();
            for hour in 0..2 * 366 * 24 {
                let now = Timestamp((1_293_840_000 + hour * 3_600) * 1_000_000);
                let first = calendar_window(Period::Day, zone).from(now).plus(Span(1));
                let day = |at: Timestamp| rules.to_datetime(Moment::from_microsecond(at.0).unwrap()).date();
                assert_eq!(day(first), day(now), "{zone} {now}");
                assert!(day(first.minus(Span(1))) < day(now), "{zone} {now}");
                assert!(first <= now, "{zone} {now}");
            }
        }
    }
}
