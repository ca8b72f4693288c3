//! A moment as the clocks of a place show it.

use crate::domain::Timestamp;

/// RFC 3339 with the zone's offset then, as `2026-11-20T23:30:00.000000-06:00`; `None` for a zone that is unknown.
pub fn in_zone(moment: Timestamp, zone: &str) -> Option<String> {
    let there = jiff::Timestamp::from_microsecond(moment.0).ok()?.in_tz(zone).ok()?;
    Some(there.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_by_the_clocks_of_the_place() {
        let moment = Timestamp(1_795_239_000_000_001);
        assert_eq!(moment.to_string(), "2026-11-21T05:30:00.000001Z");
        assert_eq!(in_zone(moment, "America/Mexico_City").unwrap(), "2026-11-20T23:30:00.000001-06:00");
        assert_eq!(in_zone(moment, "Mars/Olympus"), None);
    }
}
