//! What the monitor asks of the venue over REST, on tasks of its own: a slow answer must hold up no frame.

use super::standings::Question;
use crate::venue::VenueError;
use crate::venue::kalshi_rest::{KalshiRest, Listing};
use crate::venue::kalshi_wire::{ExchangeStatus, MarketRecord};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at whether the venue trades.
const EXCHANGE_EVERY: Duration = Duration::from_secs(3);

/// What came of asking.
#[derive(Debug)]
pub(super) enum Answer {
    /// To a question about markets.
    Markets(Question, Result<Listing<MarketRecord>, VenueError>),
    /// Whether the venue trades.
    Exchange(Result<ExchangeStatus, VenueError>),
}

/// Asks what is sent, and every few seconds whether the venue trades; both end with the receiver.
pub(super) fn inquire(rest: KalshiRest) -> (UnboundedSender<Question>, UnboundedReceiver<Answer>) {
    let (questions, mut asked) = unbounded_channel::<Question>();
    let (answers, receiver) = unbounded_channel();
    let (client, answer) = (rest.clone(), answers.clone());
    tokio::spawn(async move {
        while let Some(question) = asked.recv().await {
            let tickers: Vec<&str> = question.tickers.iter().map(String::as_str).collect();
            let listed = client.markets(&tickers).await;
            if answer.send(Answer::Markets(question, listed)).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        let mut looks = interval(EXCHANGE_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let status = rest.exchange_status().await;
            if answers.send(Answer::Exchange(status)).is_err() {
                return;
            }
        }
    });
    (questions, receiver)
}
