//! What the venue lists, kept for some seconds: many games of one league are looked for at once.
//!
//! Fees change, and the venue says when: a change counts from its time on, whether or not the series shows it
//! by then.

use crate::venue::VenueError;
use crate::venue::kalshi_rest::{KalshiRest, Listing};
use crate::venue::kalshi_wire::{self, EventRecord, MarketRecord, SeriesFees, SeriesRecord};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long a list of events is good.
const EVENTS_LIFE: Duration = Duration::from_secs(5);
/// How long after its time a change of fees counts that the series does not show yet.
const CHANGE_LIFE_S: i64 = 3_600;
/// The venue's taker rate at multiplier one: 0.07.
const BASE_RATE_E4: u32 = 700;
/// Multiplier one.
const ONE_E4: u32 = 10_000;
/// A whole cent: what the venue takes everywhere where it says nothing else.
const CENT_E4: u16 = 100;

/// The venue's lists by series.
#[derive(Debug)]
pub struct Catalogue {
    rest: KalshiRest,
    series: HashMap<&'static str, (Instant, Listed)>,
}

/// A series and its open events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The series and its fees.
    pub series: SeriesRecord,
    /// Its open events, as far as they can be read.
    pub events: Listing<EventRecord>,
    /// Announced changes of the series' fees.
    pub changes: Vec<FeeChange>,
    /// Why the changes could not be read, or some of them.
    pub changes_unread: Option<String>,
}

/// A change of a series' fees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeChange {
    /// From when on, Unix seconds.
    pub from_unix_s: i64,
    /// The fees from then on.
    pub to: SeriesFees,
}

impl Catalogue {
    /// An empty catalogue.
    #[must_use]
    pub fn new(rest: KalshiRest) -> Self {
        Self {
            rest,
            series: HashMap::new(),
        }
    }

    /// The series and its events, no older than some seconds.
    ///
    /// # Errors
    ///
    /// When the venue cannot be asked.
    pub async fn series(&mut self, ticker: &'static str) -> Result<&Listed, VenueError> {
        let is_fresh = |(asked, _): &(Instant, _)| asked.elapsed() < EVENTS_LIFE;
        if !self.series.get(ticker).is_some_and(is_fresh) {
            let series = self.rest.series(ticker).await?;
            let events = self.rest.events(ticker).await?;
            let (mut changes, changes_unread) = self.fee_changes(ticker).await;
            if let Some((_, before)) = self.series.remove(ticker) {
                let now = jiff::Timestamp::now().as_second();
                let is_whole = changes_unread.is_none();
                remember(&mut changes, before.changes, is_whole, now);
            }
            let listed = Listed {
                series,
                events,
                changes,
                changes_unread,
            };
            self.series.insert(ticker, (Instant::now(), listed));
        }
        Ok(&self.series[ticker].1)
    }

    /// How long until the fees of a series change that was listed, as far as is known.
    #[must_use]
    pub fn next_change(&self, ticker: &str) -> Option<Duration> {
        let now = jiff::Timestamp::now().as_second();
        let next = self.series.get(ticker)?.1.next_change_unix_s(now)?;
        u64::try_from(next.saturating_sub(now))
            .ok()
            .map(Duration::from_secs)
    }

    /// Without them fees are those of the last look: no reason not to trade.
    async fn fee_changes(&self, ticker: &str) -> (Vec<FeeChange>, Option<String>) {
        let found = match self.rest.fee_changes(ticker).await {
            Ok(found) => found,
            Err(error) => return (Vec::new(), Some(error.to_string())),
        };
        let mut unread = (found.unreadable > 0).then_some(found.reason);
        let mut changes = Vec::new();
        for change in found
            .items
            .into_iter()
            .filter(|change| change.series_ticker == ticker)
        {
            match change.scheduled_ts.parse::<jiff::Timestamp>() {
                Ok(from) => changes.push(FeeChange {
                    from_unix_s: from.as_second(),
                    to: change.fees,
                }),
                Err(error) => unread = Some(error.to_string()),
            }
        }
        (changes, unread)
    }

    /// Forgets what the venue has said, as time does.
    #[cfg(test)]
    pub(super) fn grow_old(&mut self) {
        for (asked, _) in self.series.values_mut() {
            *asked -= EVENTS_LIFE;
        }
    }
}

impl Listed {
    /// The taker's fee rate of an event, at a moment, Unix seconds.
    ///
    /// # Errors
    ///
    /// In words, when the venue charges in a way that the pipeline cannot compute.
    pub fn fee_rate_e4(&self, event: &EventRecord, now_unix_s: i64) -> Result<u16, String> {
        let in_force = now_unix_s.saturating_sub(CHANGE_LIFE_S)..=now_unix_s;
        let changes = self.changes.iter();
        let changed = changes
            .filter(|change| in_force.contains(&change.from_unix_s))
            .max_by_key(|change| change.from_unix_s);
        let fees = changed.map_or(&self.series.fees, |change| &change.to);
        let kind = match event.fee_type_override.as_str() {
            "" => &fees.fee_type,
            its_own => its_own,
        };
        if !kind.is_empty() && !kind.starts_with("quadratic") {
            return Err(format!(
                "its fees are `{kind}`, which cannot be computed here"
            ));
        }
        let multiplier = event
            .fee_multiplier_override_e4
            .or(fees.fee_multiplier_e4)
            .unwrap_or(ONE_E4);
        // Rounded up: a fee that is held too high costs an opportunity, one too low costs money.
        let rate = u64::from(BASE_RATE_E4) * u64::from(multiplier);
        u16::try_from(rate.div_ceil(u64::from(ONE_E4)))
            .map_err(|_| format!("its fee multiplier is {multiplier}e-4"))
    }

    /// When the fees change next, Unix seconds.
    #[must_use]
    pub fn next_change_unix_s(&self, now_unix_s: i64) -> Option<i64> {
        let times = self.changes.iter().map(|change| change.from_unix_s);
        times.filter(|from| *from > now_unix_s).min()
    }
}

/// Adds what was known of changes. The venue stops telling of one when its time has come; one that is still to
/// come and missing in a list that is whole was withdrawn or postponed.
fn remember(changes: &mut Vec<FeeChange>, before: Vec<FeeChange>, is_whole: bool, now_unix_s: i64) {
    let known = before.into_iter();
    changes.extend(known.filter(|change| !is_whole || change.from_unix_s <= now_unix_s));
    changes.sort_by_key(|change| change.from_unix_s);
    changes.dedup();
}

/// The coarsest step of a market's prices: valid in all of its ranges.
#[must_use]
pub fn tick_e4(market: &MarketRecord) -> u16 {
    kalshi_wire::tick_e4(&market.price_ranges).unwrap_or(CENT_E4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(series: &str, event: &str) -> (Listed, EventRecord) {
        let series = serde_json::from_str(series).expect("a series");
        let event = serde_json::from_str(event).expect("an event");
        (
            Listed {
                series,
                events: Listing {
                    items: vec![],
                    unreadable: 0,
                    reason: String::new(),
                },
                changes: vec![],
                changes_unread: None,
            },
            event,
        )
    }

    #[test]
    fn fees_come_from_the_event_or_else_from_the_series() {
        for (series, event, rate) in [
            (
                r#"{"ticker":"S","fee_type":"quadratic","fee_multiplier":1}"#,
                r#"{"event_ticker":"E"}"#,
                Ok(700),
            ),
            (
                r#"{"ticker":"S","fee_type":"quadratic_with_maker_fees","fee_multiplier":0.5}"#,
                r#"{"event_ticker":"E","markets":null}"#,
                Ok(350),
            ),
            (
                r#"{"ticker":"S","fee_multiplier":1.0}"#,
                r#"{"event_ticker":"E","fee_multiplier_override":0.25}"#,
                Ok(175),
            ),
            (
                r#"{"ticker":"S","fee_type":null}"#,
                r#"{"event_ticker":"E","fee_multiplier_override":null}"#,
                Ok(700),
            ),
            (
                r#"{"ticker":"S","fee_type":"flat"}"#,
                r#"{"event_ticker":"E"}"#,
                Err(()),
            ),
            (
                r#"{"ticker":"S","fee_type":"quadratic"}"#,
                r#"{"event_ticker":"E","fee_type_override":"flat"}"#,
                Err(()),
            ),
            (
                r#"{"ticker":"S","fee_type":"flat"}"#,
                r#"{"event_ticker":"E","fee_type_override":"quadratic"}"#,
                Ok(700),
            ),
            (
                r#"{"ticker":"S","fee_multiplier":1000}"#,
                r#"{"event_ticker":"E"}"#,
                Err(()),
            ),
        ] {
            let (listed, event) = listed(series, event);
            assert_eq!(
                listed.fee_rate_e4(&event, 0).map_err(drop),
                rate,
                "{listed:?} {event:?}"
            );
        }
    }

    #[test]
    fn a_change_that_was_announced_counts_from_its_time_on() {
        let (mut listed, event) = listed(
            r#"{"ticker":"S","fee_type":"quadratic","fee_multiplier":1}"#,
            r#"{"event_ticker":"E"}"#,
        );
        let change = |from_unix_s, to: &str| FeeChange {
            from_unix_s,
            to: serde_json::from_str(to).expect("a change"),
        };
        listed.changes = vec![
            change(20_000, r#"{"fee_type":"flat"}"#),
            change(10_000, r#"{"fee_type":"quadratic","fee_multiplier":2}"#),
        ];
        let at = |now| listed.fee_rate_e4(&event, now).ok();
        assert_eq!(at(9_999), Some(700));
        assert_eq!(at(10_000), Some(1_400));
        // By then the series shows it itself.
        assert_eq!(at(10_000 + CHANGE_LIFE_S + 1), Some(700));
        assert_eq!(at(20_000), None);
        assert_eq!(listed.next_change_unix_s(0), Some(10_000));
        assert_eq!(listed.next_change_unix_s(10_000), Some(20_000));
        assert_eq!(listed.next_change_unix_s(20_000), None);
    }

    #[test]
    fn a_change_that_is_withdrawn_or_postponed_is_forgotten() {
        let change = |from_unix_s| FeeChange {
            from_unix_s,
            to: serde_json::from_str(r#"{"fee_type":"quadratic"}"#).expect("a change"),
        };
        let remembered = |is_whole| {
            let mut changes = vec![change(300)];
            let before = vec![change(99), change(100), change(101), change(300)];
            remember(&mut changes, before, is_whole, 100);
            changes
                .iter()
                .map(|change| change.from_unix_s)
                .collect::<Vec<_>>()
        };
        assert_eq!(remembered(true), [99, 100, 300]);
        assert_eq!(remembered(false), [99, 100, 101, 300], "perhaps unread");
    }

    #[test]
    fn a_tick_holds_in_every_range() {
        let market = |ranges: &str| -> MarketRecord {
            serde_json::from_str(&format!(
                r#"{{"ticker":"T","event_ticker":"E","price_ranges":{ranges}}}"#
            ))
            .expect("a market")
        };
        assert_eq!(tick_e4(&market("[]")), 100);
        assert_eq!(
            tick_e4(&market(
                r#"[{"start":"0.0000","end":"1.0000","step":"0.0010"}]"#
            )),
            10
        );
        let tapered = r#"[{"start":"0.0000","end":"0.1000","step":"0.0010"},{"start":"0.1000","end":"0.9000","step":"0.0100"}]"#;
        assert_eq!(tick_e4(&market(tapered)), 100);
    }
}
