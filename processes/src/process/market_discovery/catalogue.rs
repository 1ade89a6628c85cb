//! What the venue lists, kept for some seconds: many games of one league are looked for at once.

use super::fees::FeeChanges;
use crate::venue::VenueError;
use crate::venue::kalshi_rest::{KalshiRest, Listing};
use crate::venue::kalshi_wire::{self, EventRecord, MarketRecord, SeriesRecord};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long a list of events is good.
const EVENTS_LIFE: Duration = Duration::from_secs(5);
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
    /// Announced changes of its fees.
    pub changes: FeeChanges,
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
            let (of_series, of_events) = tokio::join!(
                self.rest.series_fee_changes(ticker),
                self.rest.event_fee_changes()
            );
            let mut changes = FeeChanges::of(ticker, of_series, of_events);
            if let Some((_, before)) = self.series.remove(ticker) {
                changes.remember(before.changes, jiff::Timestamp::now().as_second());
            }
            let listed = Listed {
                series,
                events,
                changes,
            };
            self.series.insert(ticker, (Instant::now(), listed));
        }
        Ok(&self.series[ticker].1)
    }

    /// How long until the fees of a series change that was listed, as far as is known.
    #[must_use]
    pub fn next_change(&self, ticker: &str) -> Option<Duration> {
        let now = jiff::Timestamp::now().as_second();
        let next = self.series.get(ticker)?.1.changes.next_unix_s(now)?;
        u64::try_from(next.saturating_sub(now))
            .ok()
            .map(Duration::from_secs)
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
        let changed = self.changes.of_series(&self.series.ticker, now_unix_s);
        let fees = changed.unwrap_or(&self.series.fees);
        let changed = self.changes.of_event(&event.event_ticker, now_unix_s);
        let instead = changed.unwrap_or(&event.fees);
        let kind = match instead.fee_type_override.as_str() {
            "" => &fees.fee_type,
            its_own => its_own,
        };
        if !kind.is_empty() && !kind.starts_with("quadratic") {
            return Err(format!(
                "its fees are `{kind}`, which cannot be computed here"
            ));
        }
        let multiplier = instead
            .fee_multiplier_override_e4
            .or(fees.fee_multiplier_e4)
            .unwrap_or(ONE_E4);
        // Rounded up: a fee that is held too high costs an opportunity, one too low costs money.
        let rate = u64::from(BASE_RATE_E4) * u64::from(multiplier);
        u16::try_from(rate.div_ceil(u64::from(ONE_E4)))
            .map_err(|_| format!("its fee multiplier is {multiplier}e-4"))
    }
}

/// The coarsest step of a market's prices: valid in all of its ranges.
#[must_use]
pub fn tick_e4(market: &MarketRecord) -> u16 {
    kalshi_wire::tick_e4(&market.price_ranges).unwrap_or(CENT_E4)
}

#[cfg(test)]
mod tests {
    use super::super::fees::tests::{changes, of_event, of_series};
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
                changes: FeeChanges::default(),
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
        listed.changes = changes(
            &[
                of_series(20_000, "flat", 1.0),
                of_series(10_000, "quadratic", 2.0),
            ],
            &[of_event(11_000, Some(3.0)), of_event(12_000, None)],
        );
        let at = |now| listed.fee_rate_e4(&event, now).ok();
        assert_eq!(at(9_999), Some(700));
        assert_eq!(at(10_000), Some(1_400));
        assert_eq!(at(11_000), Some(2_100));
        assert_eq!(at(12_000), Some(1_400), "as its series again");
        // By then the series shows it itself.
        assert_eq!(at(19_999), Some(700));
        assert_eq!(at(20_000), None);
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
