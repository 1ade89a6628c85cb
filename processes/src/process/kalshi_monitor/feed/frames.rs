//! Frames into events. Every frame is counted in one kind, and none is passed over: what cannot be read, or lacks
//! its number, is lost, and what depends on it is not traded until it has been asked for anew.

use super::{BOOKS, Feed, Gone, LIFECYCLE, TRADES, useless};
use crate::venue::VenueError;
use crate::venue::frame_tally::Kind;
use crate::venue::kalshi_frames::{Body, ErrorFrame, Frame, Lifecycle, MalformedFrame};
use crate::venue::kalshi_ws::Received;
use stages::books::Event;
use tokio::time::Instant;

/// What a frame comes to.
struct Taken {
    kind: Kind,
    event: Option<Event>,
    /// Why the session is over, if it is.
    end: Option<VenueError>,
}

impl Taken {
    fn of(kind: Kind, event: Option<Event>) -> Self {
        let end = None;
        Self { kind, event, end }
    }
}

impl Feed {
    /// Turns one frame into what it comes to. The inner error ends the session.
    pub(super) async fn on_frame(
        &mut self,
        received: &Received,
    ) -> Result<Result<(), VenueError>, Gone> {
        self.counters.frames.arrived();
        let Taken { kind, event, end } = match received.frame() {
            Ok(frame) => self.take(frame, received.ingress_unix_ms),
            Err(error) => self.on_malformed(&error),
        };
        self.counters.frames.count(kind);
        if let Some(event) = event {
            self.event(event, received.ingress_mono_ns).await?;
        }
        let steps = std::mem::take(&mut self.new_steps);
        self.tell_listing(steps).await?;
        Ok(end.map_or(Ok(()), Err))
    }

    fn take(&mut self, frame: Frame<'_>, arrived_unix_ms: u64) -> Taken {
        let kind = Kind::of(&frame.body);
        let Frame { id, sid, seq, .. } = frame;
        match frame.body {
            Body::Snapshot(_) | Body::Delta(_) => self.of_book(frame, arrived_unix_ms),
            Body::Lifecycle(step) => {
                if sid.is_none() || seq.is_none() {
                    return self.numberless(LIFECYCLE);
                }
                self.beside(sid, seq);
                self.on_step(&step);
                Taken::of(kind, None)
            }
            Body::Trade(trade) => {
                if sid.is_none() || seq.is_none() {
                    return self.numberless(TRADES);
                }
                self.beside(sid, seq);
                if self.number(&trade.ticker).is_none() {
                    return Taken::of(Kind::Stranger, None);
                }
                self.counters.trades += 1;
                self.counters.contracts_centi += u64::from(trade.count_centi);
                Taken::of(kind, None)
            }
            Body::Subscribed(channel) => Taken::of(kind, self.on_subscribed(&channel, sid)),
            Body::Error(error) => {
                let end = self.on_error(id, &error);
                let event = self.sequenced(sid, seq);
                Taken { kind, event, end }
            }
            Body::Unsubscribed => self.on_unsubscribed(sid, seq),
            Body::Ok => {
                self.subscription.on_done(id);
                Taken::of(kind, self.sequenced(sid, seq))
            }
            Body::Unknown(name) => {
                self.complaints.say("unknown frame type", &name);
                Taken::of(kind, self.sequenced(sid, seq))
            }
            // What is of our account takes no numbers, and comes to `execution_service`.
            Body::Fill(_) | Body::UserOrder(_) | Body::Blank | Body::Binary => {
                Taken::of(kind, None)
            }
        }
    }

    /// A snapshot or a delta.
    fn of_book(&mut self, frame: Frame<'_>, arrived_unix_ms: u64) -> Taken {
        let kind = Kind::of(&frame.body);
        let (Some(sid), Some(seq)) = (frame.sid, frame.seq) else {
            return self.numberless(BOOKS);
        };
        let ticker = match &frame.body {
            Body::Snapshot(body) => &body.ticker,
            Body::Delta(body) => &body.ticker,
            _ => return Taken::of(kind, None),
        };
        let Some(market) = self.number(ticker) else {
            return Taken::of(Kind::Stranger, Some(Event::Sequenced { sid, seq }));
        };
        let event = match frame.body {
            Body::Snapshot(body) => {
                self.healthy |= self.subscription.on_snapshot(sid, market, Instant::now());
                Event::Snapshot {
                    sid,
                    seq,
                    market,
                    yes: body.yes,
                    no: body.no,
                }
            }
            Body::Delta(body) => {
                if self.subscription.sid() != Some(sid) {
                    self.subscription.want(market, Instant::now());
                }
                let age_ms = arrived_unix_ms.saturating_sub(body.ts_ms);
                Event::Delta {
                    sid,
                    seq,
                    market,
                    outcome: body.side,
                    price_e4: body.price_e4,
                    delta_centi: body.delta_centi,
                    venue_unix_us: body.ts_ms.saturating_mul(1_000),
                    late: body.ts_ms > 0 && age_ms > self.safety.max_price_age_ms,
                }
            }
            _ => Event::Sequenced { sid, seq },
        };
        Taken::of(kind, Some(event))
    }

    /// A frame without the number that its channel gives every frame: one may be missing before it.
    fn numberless(&mut self, channel: &str) -> Taken {
        self.complaints.say("frame without its number", &channel);
        Taken::of(Kind::Malformed, self.lost(channel, None, None))
    }

    fn on_malformed(&mut self, error: &MalformedFrame) -> Taken {
        self.complaints
            .say(&format!("malformed frame `{}`", error.kind), error);
        let mut taken = Taken::of(Kind::Malformed, None);
        taken.event = match error.kind.as_str() {
            // Without its subscriptions the session cannot be followed at all.
            "subscribed" => {
                let blind = self.subscription.sid().is_none() || self.lifecycle.sid().is_none();
                let reason = "a confirmation cannot be read";
                taken.end = blind.then(|| useless(reason));
                None
            }
            "orderbook_snapshot" | "orderbook_delta" => self.lost(BOOKS, error.sid, error.seq),
            "trade" => self.lost(TRADES, error.sid, error.seq),
            "market_lifecycle_v2" => {
                let foreign = error.ticker.as_deref();
                let foreign =
                    foreign.is_some_and(|ticker| self.subscription.number(ticker).is_none());
                match foreign {
                    true => self.sequenced(error.sid, error.seq),
                    false => self.lost(LIFECYCLE, error.sid, error.seq),
                }
            }
            // It may have been any.
            "" => {
                self.lost(LIFECYCLE, None, None);
                self.lost(BOOKS, None, None)
            }
            _ => self.sequenced(error.sid, error.seq),
        };
        taken
    }

    /// A frame of a channel is lost.
    fn lost(&mut self, channel: &str, sid: Option<u32>, seq: Option<u64>) -> Option<Event> {
        match channel {
            BOOKS => {
                let sid = sid.or(self.subscription.sid())?;
                Some(Event::Lost { sid, seq })
            }
            TRADES => {
                self.counters.trade_gaps += 1;
                self.trades.in_sequence(seq);
                None
            }
            _ => {
                self.counters.lifecycle_gaps += 1;
                self.lifecycle.in_sequence(seq);
                self.standings.doubt(Instant::now());
                None
            }
        }
    }

    /// Takes the number of a frame that says nothing about a book.
    fn sequenced(&mut self, sid: Option<u32>, seq: Option<u64>) -> Option<Event> {
        let (sid, number) = (sid?, seq?);
        let beside = self.beside(Some(sid), seq);
        (!beside).then_some(Event::Sequenced { sid, seq: number })
    }

    /// Takes the number of a frame, if it is of a channel beside the books.
    fn beside(&mut self, sid: Option<u32>, seq: Option<u64>) -> bool {
        if self.trades.has(sid) {
            self.counters.trade_gaps += u64::from(!self.trades.in_sequence(seq));
            return true;
        }
        let own = self.lifecycle.has(sid);
        if own && !self.lifecycle.in_sequence(seq) {
            // A step of one of our markets may have been among what is missing.
            self.counters.lifecycle_gaps += 1;
            self.standings.doubt(Instant::now());
        }
        own
    }

    fn on_subscribed(&mut self, channel: &str, sid: Option<u32>) -> Option<Event> {
        let sid = sid?;
        match channel {
            // A further answer to the same subscription does not start it anew.
            BOOKS => self
                .subscription
                .on_subscribed(sid)
                .then_some(Event::Subscribed { sid }),
            LIFECYCLE => {
                self.lifecycle.on_subscribed(sid);
                None
            }
            TRADES => {
                self.trades.on_subscribed(sid);
                None
            }
            _ => None,
        }
    }

    fn on_unsubscribed(&mut self, sid: Option<u32>, seq: Option<u64>) -> Taken {
        let books = sid.is_some() && sid == self.subscription.sid();
        let end = books || self.lifecycle.has(sid);
        if self.trades.has(sid) {
            self.complaints
                .say("the venue has ended the subscription of trades", &TRADES);
        }
        Taken {
            kind: Kind::Unsubscribed,
            event: self.sequenced(sid, seq),
            end: end.then(|| useless("the venue has ended a subscription")),
        }
    }

    /// The venue refuses something. `Some` ends the session.
    fn on_error(&mut self, command: Option<u64>, error: &ErrorFrame<'_>) -> Option<VenueError> {
        self.complaints
            .say(&format!("the venue says error {}", error.code), &error.text);
        let named = error.ticker.as_deref();
        let ours = self.subscription.on_refused(command, named, Instant::now());
        let deaf = self.lifecycle.on_refused(command);
        self.trades.on_refused(command);
        let text = format!("error {}: {}", error.code, error.text);
        let end = error.is_terminal() || deaf || (ours && error.is_about_the_session());
        end.then(|| useless(&text))
    }

    /// A step of a market's life.
    fn on_step(&mut self, step: &Lifecycle<'_>) {
        // The channel tells of every market of the venue; most are not ours.
        let Some(market) = self.subscription.number(&step.ticker) else {
            return;
        };
        let paused = step.is_deactivated == Some(true);
        match &*step.event_type {
            "determined" | "settled" => {
                self.subscription.set_over(market, true);
                self.standings.set_over(market, true);
            }
            "activated" if !paused => {
                self.subscription.set_over(market, false);
                self.standings.set_over(market, false);
                self.standings.tell(market, true);
                self.subscription.resume(market, Instant::now());
            }
            "deactivated" => self.on_pause(market),
            _ if paused => self.on_pause(market),
            _ => {}
        }
        if let Some(close_ts) = step.close_ts {
            self.standings.tell_close(market, close_ts);
        }
        let steps = self.standings.on_steps(market, &step.price_ranges);
        self.new_steps = steps.or(self.new_steps.take());
    }

    fn on_pause(&mut self, market: u32) {
        self.standings.tell(market, false);
        self.subscription.pause(market);
    }

    fn number(&mut self, ticker: &str) -> Option<u32> {
        let number = self.subscription.number(ticker);
        if number.is_none() {
            self.complaints
                .say("frame about a market that was not asked for", &ticker);
        }
        number
    }
}
