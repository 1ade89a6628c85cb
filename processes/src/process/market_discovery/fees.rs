//! Changes of fees that the venue has announced.
//!
//! A change counts from its time on, whether or not the series or event shows it by then.

use crate::venue::VenueError;
use crate::venue::kalshi_rest::Listing;
use crate::venue::kalshi_wire::fees::{EventFees, FeeChangeRecord, SeriesFees};

/// How long after its time a change counts that is not shown yet.
const CHANGE_LIFE_S: i64 = 3_600;

/// The changes of a series and of its events, as far as they can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeeChanges {
    series: List<SeriesFees>,
    events: List<EventFees>,
}

/// Those of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct List<Fees> {
    changes: Vec<FeeChange<Fees>>,
    /// Why they could not be read, or some of them.
    unread: Option<String>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FeeChange<Fees> {
    /// The series or event.
    ticker: String,
    /// From when on, Unix seconds.
    from_unix_s: i64,
    to: Fees,
}

impl FeeChanges {
    /// Those of a series among the answers of the venue. Without them fees are those of the last look: no reason
    /// not to trade.
    #[must_use]
    pub fn of(
        ticker: &str,
        series: Result<Listing<FeeChangeRecord<SeriesFees>>, VenueError>,
        events: Result<Listing<FeeChangeRecord<EventFees>>, VenueError>,
    ) -> Self {
        Self {
            series: List::of(ticker, series),
            events: List::of(ticker, events),
        }
    }

    /// Why they could not be read, or some of them.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        let unread = self.series.unread.as_deref();
        unread.or(self.events.unread.as_deref())
    }

    /// Adds what was known before. The venue stops telling of a change when its time has come; one that is still to
    /// come and missing in a list that is whole was withdrawn or postponed.
    pub fn remember(&mut self, before: Self, now_unix_s: i64) {
        self.series.remember(before.series, now_unix_s);
        self.events.remember(before.events, now_unix_s);
    }

    /// What a series charges by now, if that was changed a while ago.
    #[must_use]
    pub fn of_series(&self, ticker: &str, now_unix_s: i64) -> Option<&SeriesFees> {
        self.series.in_force(ticker, now_unix_s)
    }

    /// What an event charges instead by now, if that was changed a while ago.
    #[must_use]
    pub fn of_event(&self, ticker: &str, now_unix_s: i64) -> Option<&EventFees> {
        self.events.in_force(ticker, now_unix_s)
    }

    /// When the next change is, Unix seconds.
    #[must_use]
    pub fn next_unix_s(&self, now_unix_s: i64) -> Option<i64> {
        let times = self.series.times().chain(self.events.times());
        times.filter(|from| *from > now_unix_s).min()
    }
}

impl<Fees: PartialEq> List<Fees> {
    fn of(ticker: &str, found: Result<Listing<FeeChangeRecord<Fees>>, VenueError>) -> Self {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                return Self {
                    changes: Vec::new(),
                    unread: Some(error.to_string()),
                };
            }
        };
        let mut list = Self {
            changes: Vec::new(),
            unread: (found.unreadable > 0).then_some(found.reason),
        };
        let records = found.items.into_iter();
        for record in records.filter(|change| change.series_ticker == ticker) {
            match record.scheduled_ts.parse::<jiff::Timestamp>() {
                Ok(from) => list.changes.push(FeeChange {
                    ticker: match record.event_ticker.is_empty() {
                        true => record.series_ticker,
                        false => record.event_ticker,
                    },
                    from_unix_s: from.as_second(),
                    to: record.fees,
                }),
                Err(error) => list.unread = Some(error.to_string()),
            }
        }
        list
    }

    fn remember(&mut self, before: Self, now_unix_s: i64) {
        let is_whole = self.unread.is_none();
        let known = before.changes.into_iter().filter(|change| {
            (!is_whole || change.from_unix_s <= now_unix_s) && !self.changes.contains(change)
        });
        let mut all: Vec<_> = known.collect();
        // Of two at one time the last counts: what the venue says now.
        all.append(&mut self.changes);
        self.changes = all;
    }

    fn in_force(&self, ticker: &str, now_unix_s: i64) -> Option<&Fees> {
        let in_force = now_unix_s.saturating_sub(CHANGE_LIFE_S)..=now_unix_s;
        let changes = self.changes.iter();
        let changed = changes
            .filter(|change| change.ticker == ticker && in_force.contains(&change.from_unix_s))
            .max_by_key(|change| change.from_unix_s);
        changed.map(|change| &change.to)
    }

    fn times(&self) -> impl Iterator<Item = i64> {
        self.changes.iter().map(|change| change.from_unix_s)
    }
}

impl<Fees> Default for List<Fees> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            unread: None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    fn listing<T: DeserializeOwned>(records: &[Value]) -> Listing<T> {
        let items = records
            .iter()
            .map(|record| serde_json::from_value(record.clone()).expect("a change"));
        Listing {
            items: items.collect(),
            unreadable: 0,
            reason: String::new(),
        }
    }

    /// Changes of `S` and of its event `E`.
    pub(in super::super) fn changes(series: &[Value], events: &[Value]) -> FeeChanges {
        FeeChanges::of("S", Ok(listing(series)), Ok(listing(events)))
    }

    fn at(unix_s: i64) -> String {
        jiff::Timestamp::from_second(unix_s)
            .expect("in range")
            .to_string()
    }

    pub(in super::super) fn of_series(unix_s: i64, fee_type: &str, multiplier: f32) -> Value {
        json!({"series_ticker": "S", "fee_type": fee_type, "fee_multiplier": multiplier, "scheduled_ts": at(unix_s)})
    }

    pub(in super::super) fn of_event(unix_s: i64, multiplier: Option<f32>) -> Value {
        json!({"series_ticker": "S", "event_ticker": "E", "fee_type_override": null,
            "fee_multiplier_override": multiplier, "scheduled_ts": at(unix_s)})
    }

    #[test]
    fn a_change_counts_for_its_own_and_from_its_time_on() {
        let found = changes(
            &[of_series(20_000, "flat", 1.0)],
            &[of_event(10_000, Some(2.0)), of_event(15_000, None)],
        );
        let of_event = |ticker, now| {
            let fees = found.of_event(ticker, now)?;
            Some(fees.fee_multiplier_override_e4)
        };
        assert_eq!(of_event("E", 9_999), None);
        assert_eq!(of_event("E", 10_000), Some(Some(20_000)));
        assert_eq!(of_event("F", 10_000), None);
        // By then the event shows it itself.
        assert_eq!(of_event("E", 10_000 + CHANGE_LIFE_S + 1), None);
        assert_eq!(of_event("E", 15_000), Some(None), "taken back");
        assert_eq!(found.of_series("S", 19_999), None);
        let fees = found.of_series("S", 20_000).expect("a change");
        assert_eq!(fees.fee_type, "flat");
        let times = [0, 10_000, 15_000, 20_000].map(|now| found.next_unix_s(now));
        assert_eq!(times, [Some(10_000), Some(15_000), Some(20_000), None]);
        let others = FeeChanges::of(
            "T",
            Ok(listing(&[of_series(1, "flat", 1.0)])),
            Ok(listing(&[])),
        );
        assert_eq!(others, FeeChanges::default());
    }

    #[test]
    fn a_change_that_is_withdrawn_or_postponed_is_forgotten() {
        let times = |found: &FeeChanges| {
            let sorted = |mut times: Vec<i64>| {
                times.sort_unstable();
                times
            };
            let (series, events) = (found.series.times(), found.events.times());
            (sorted(series.collect()), sorted(events.collect()))
        };
        let remembered = |unread: Option<&str>| {
            let mut found = changes(&[of_series(300, "quadratic", 1.0)], &[]);
            // Of one kind alone.
            found.series.unread = unread.map(str::to_owned);
            let before = [99, 100, 101, 300].map(|from| of_series(from, "quadratic", 1.0));
            let events = [99, 101].map(|from| self::of_event(from, Some(2.0)));
            found.remember(changes(&before, &events), 100);
            times(&found)
        };
        assert_eq!(remembered(None), (vec![99, 100, 300], vec![99]));
        let perhaps_unread = Some("a list that cannot be read");
        assert_eq!(
            remembered(perhaps_unread),
            (vec![99, 100, 101, 300], vec![99])
        );
    }

    #[test]
    fn what_the_venue_says_last_of_one_moment_counts() {
        let mut found = changes(&[of_series(5, "quadratic", 3.0)], &[]);
        found.remember(changes(&[of_series(5, "quadratic", 2.0)], &[]), 5);
        let fees = found.of_series("S", 5).expect("a change");
        assert_eq!(fees.fee_multiplier_e4, Some(30_000));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_hides_nothing_else() {
        let strange = json!({"series_ticker": "S", "scheduled_ts": "soon"});
        let found = changes(&[strange, of_series(5, "flat", 1.0)], &[]);
        assert!(found.unread().is_some());
        assert!(found.of_series("S", 5).is_some());
        let failed = || VenueError::Disconnected {
            reason: "gone".into(),
        };
        let found = FeeChanges::of("S", Err(failed()), Ok(listing(&[of_event(5, None)])));
        assert!(found.unread().is_some_and(|why| why.contains("gone")));
        assert!(found.of_event("E", 5).is_some());
    }
}
