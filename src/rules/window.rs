//! The stretch of time that a rule counts in: `(from, now]`, rolling or by the calendar of a time zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp as Moment, ToSpan};

use super::file::Keys;
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
    pub fn name(&self) -> String {
        match self {
            Self::Rolling { written, .. } => format!("rolling {written}"),
            Self::Calendar { period, .. } => format!("calendar {}", period.name()),
        }
    }

    /// The IANA name of the zone its bounds are told in.
    pub fn time_zone(&self) -> &str {
        match self {
            Self::Rolling { .. } => "UTC",
            Self::Calendar { zone_name, .. } => zone_name,
        }
    }

    pub(super) fn found(&self, now: Timestamp) -> FoundWindow {
        FoundWindow { name: self.name(), from: self.from(now), to: now, time_zone: self.time_zone().to_owned() }
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
