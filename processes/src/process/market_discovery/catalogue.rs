//! What the venue lists, kept for some seconds: many games of one league are looked for at once.

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
        let known = self.series.remove(ticker);
        let listed = match known.filter(|(asked, _)| asked.elapsed() < EVENTS_LIFE) {
            Some(fresh) => fresh,
            None => {
                let series = self.rest.series(ticker).await?;
                let events = self.rest.events(ticker).await?;
                (Instant::now(), Listed { series, events })
            }
        };
        Ok(&self.series.entry(ticker).insert_entry(listed).into_mut().1)
    }
}

impl Listed {
    /// The taker's fee rate of an event.
    ///
    /// # Errors
    ///
    /// In words, when the venue charges in a way that the pipeline cannot compute.
    pub fn fee_rate_e4(&self, event: &EventRecord) -> Result<u16, String> {
        let kind = &self.series.fee_type;
        if !kind.is_empty() && !kind.starts_with("quadratic") {
            return Err(format!(
                "its fees are `{kind}`, which cannot be computed here"
            ));
        }
        let multiplier = event
            .fee_multiplier_override_e4
            .or(self.series.fee_multiplier_e4)
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
                r#"{"ticker":"S","fee_multiplier":1000}"#,
                r#"{"event_ticker":"E"}"#,
                Err(()),
            ),
        ] {
            let (listed, event) = listed(series, event);
            assert_eq!(
                listed.fee_rate_e4(&event).map_err(drop),
                rate,
                "{listed:?} {event:?}"
            );
        }
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
