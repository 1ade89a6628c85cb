//! Times as the venue and the feed write them: RFC 3339 in UTC, and dates in US Eastern.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Microseconds in a second.
pub(crate) const SECOND_US: i64 = 1_000_000;

/// How far the simulator's clock is ahead of the host's. Set once, before anything is told the time.
static AHEAD_US: AtomicI64 = AtomicI64::new(0);

/// The simulator's wall clock, microseconds since the Unix epoch.
pub(crate) fn now_us() -> i64 {
    Timestamp::now().as_microsecond() + AHEAD_US.load(Relaxed)
}

/// Sets the clock, which all of the process goes by.
pub(crate) fn run_ahead(ms: i64) {
    AHEAD_US.store(ms.saturating_mul(1_000), Relaxed);
}

/// RFC 3339 in UTC with as many decimals as the time has, as the venue writes it.
pub(crate) fn rfc3339(unix_us: i64) -> String {
    Timestamp::from_microsecond(unix_us).map_or_else(|_| String::new(), |time| time.to_string())
}

/// RFC 3339 to the minute, as the feed writes it: `2025-12-07T18:00Z`.
pub(crate) fn feed_minute(unix_us: i64) -> String {
    utc(unix_us).strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// `YYYYMMDD` in US Eastern, as the feed's `dates` takes it.
pub(crate) fn eastern_day(unix_us: i64) -> String {
    eastern(unix_us).strftime("%Y%m%d").to_string()
}

/// The date of a ticker, `26NOV22`, and its time of day, `1335`, in US Eastern.
pub(crate) fn ticker_date(unix_us: i64) -> (String, String) {
    let time = eastern(unix_us);
    (
        time.strftime("%y%b%d").to_string().to_uppercase(),
        time.strftime("%H%M").to_string(),
    )
}

/// The moment that a ticker's date and time of day in US Eastern name, such as `26JUN281335`.
pub(crate) fn from_ticker(text: &str) -> Option<i64> {
    let mut civil = text.get(..7)?.to_string();
    // Month names are parsed in their English form, `Jun`.
    let month = format!("{}{}", civil.get(2..3)?, civil.get(3..5)?.to_lowercase());
    civil.replace_range(2..5, &month);
    let stamp = format!("{civil}{}", text.get(7..11)?);
    let parsed = jiff::civil::DateTime::strptime("%y%b%d%H%M", &stamp).ok()?;
    parsed
        .to_zoned(eastern_zone())
        .ok()
        .map(|time| time.timestamp().as_microsecond())
}

/// Text that the feed shows for a game to come: `Sun, December 7th at 4:05 PM EST`.
pub(crate) fn feed_detail(unix_us: i64) -> (String, String) {
    let time = eastern(unix_us);
    let day = time.day();
    let ending = match (day % 10, day % 100) {
        (1, other) if other != 11 => "st",
        (2, other) if other != 12 => "nd",
        (3, other) if other != 13 => "rd",
        _ => "th",
    };
    let clock = time.strftime("%-I:%M %p %Z");
    (
        format!("{} {day}{ending} at {clock}", time.strftime("%a, %B")),
        format!("{}/{day} - {clock}", time.month()),
    )
}

fn utc(unix_us: i64) -> Zoned {
    Timestamp::from_microsecond(unix_us)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::UTC)
}

fn eastern(unix_us: i64) -> Zoned {
    Timestamp::from_microsecond(unix_us)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(eastern_zone())
}

/// US Eastern by the rule in force since 2007, so that no time zone database is needed.
fn eastern_zone() -> TimeZone {
    TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickers_carry_eastern_time() {
        let pitch = from_ticker("26JUN281335").unwrap_or_default();
        assert_eq!(rfc3339(pitch), "2026-06-28T17:35:00Z");
        assert_eq!(
            ticker_date(pitch),
            ("26JUN28".to_string(), "1335".to_string())
        );
        assert_eq!(
            eastern_day(from_ticker("26OCT072000").unwrap_or_default()),
            "20261007"
        );
        for bad in ["", "26JUN28", "26XXX281335", "26JUN289999", "ééééééé1335"] {
            assert_eq!(from_ticker(bad), None, "{bad}");
        }
    }

    #[test]
    fn texts_are_those_of_the_feed() {
        let kickoff = from_ticker("25DEC071605").unwrap_or_default();
        assert_eq!(feed_minute(kickoff), "2025-12-07T21:05Z");
        assert_eq!(
            feed_detail(kickoff),
            (
                "Sun, December 7th at 4:05 PM EST".to_string(),
                "12/7 - 4:05 PM EST".to_string()
            )
        );
        assert_eq!(
            rfc3339(1_781_159_370_164_956),
            "2026-06-11T06:29:30.164956Z"
        );
    }
}
