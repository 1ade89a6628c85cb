//! The order books of all markets, each in step with the venue or marked as suspect.
//!
//! The venue numbers the frames of a subscription over all its markets, so one lost frame makes
//! every book of the subscription suspect until its next snapshot.
//!
//! | event | book before | book after |
//! |---|---|---|
//! | snapshot in sequence, or the first after a gap | any | in step |
//! | delta in sequence | in step | in step |
//! | delta in sequence | suspect | suspect: the delta has nothing to change |
//! | level below zero, or taken from a level that is not there | in step | suspect, snapshot wanted |
//! | snapshot or delta of a subscription that nobody began | any | suspect, snapshot wanted |
//! | gap | any of the subscription | suspect, snapshots wanted |
//! | frame that cannot be read | any of the subscription | suspect, snapshots wanted |
//! | connection lost | any | suspect |
//!
//! A price is tradable while its book is in step, the market is known to trade, and the last delta was not late. Frames
//! come in order, so a delta of any market that is in time says that what went before it, late or not, is over.

mod event;

pub use event::{Event, Facts, Trading, Wanted};

use super::book::{Book, OutOfStep};
use layouts::{MarketStatus, PriceUpdate};

/// What the books have seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Deltas applied.
    pub deltas: u64,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Deltas to a book that is waiting for its snapshot.
    pub skipped: u64,
    /// Breaks of a sequence, and books' frames that belong to none.
    pub gaps: u64,
    /// Frames that contradict the book.
    pub contradictions: u64,
    /// Deltas that came too late to be traded on.
    pub late: u64,
    /// Prices published.
    pub ticks: u64,
}

#[derive(Debug)]
struct Entry {
    facts: Facts,
    book: Book,
    sid: Option<u32>,
    in_step: bool,
    trading: Trading,
    /// Its last delta was late, and none of any market in time has come since.
    late: bool,
    published: Option<PriceUpdate>,
}

/// When the frame at hand came, and when the venue says it happened.
#[derive(Clone, Copy)]
struct Moment {
    ingress_mono_ns: u64,
    venue_unix_us: u64,
}

impl Moment {
    fn of_arrival(ingress_mono_ns: u64) -> Self {
        Self {
            ingress_mono_ns,
            venue_unix_us: 0,
        }
    }
}

/// All books, by market number.
#[derive(Debug, Default)]
pub struct Books {
    entries: Vec<Option<Entry>>,
    /// Subscription and the number that its next frame must have.
    sequences: Vec<(u32, u64)>,
    /// Whether any entry is late.
    any_late: bool,
    counters: Counters,
}

impl Books {
    /// What the books have seen.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Every market with its book, and whether it is in step.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Book, bool)> {
        self.entries
            .iter()
            .flatten()
            .map(|entry| (entry.facts.market, &entry.book, entry.in_step))
    }

    /// Takes one event and publishes every price that it changes. `Err` only from `publish`.
    pub fn apply<E>(
        &mut self,
        event: &Event,
        ingress_mono_ns: u64,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<Wanted, E> {
        let mut moment = Moment::of_arrival(ingress_mono_ns);
        if let Some((sid, market)) = event.of_book().filter(|(sid, _)| !self.follows(*sid)) {
            return self.astray(sid, market, moment, publish);
        }
        match event {
            Event::Market(facts) => {
                self.add(*facts);
                self.change(facts.market, moment, publish, |_, _| Ok(()))?;
            }
            Event::Subscribed { sid } => {
                self.sequences.retain(|(known, _)| known != sid);
                self.sequences.push((*sid, 1));
            }
            Event::Sequenced { sid, seq } => return self.in_sequence(*sid, *seq, moment, publish),
            Event::Snapshot {
                sid,
                seq,
                market,
                yes,
                no,
            } => {
                let wanted = self.in_sequence(*sid, *seq, moment, publish)?;
                let taken = self.change(*market, moment, publish, |entry, counters| {
                    entry.sid = Some(*sid);
                    counters.snapshots += 1;
                    entry.in_step = true;
                    entry.book.replace(yes, no)
                })?;
                return Ok(taken.or(wanted, *sid, *market));
            }
            Event::Delta {
                sid,
                seq,
                market,
                outcome,
                price_e4,
                delta_centi,
                venue_unix_us,
                late,
            } => {
                let wanted = self.in_sequence(*sid, *seq, moment, publish)?;
                self.heard(*market, *late, *venue_unix_us != 0, moment, publish)?;
                moment.venue_unix_us = *venue_unix_us;
                let taken = self.change(*market, moment, publish, |entry, counters| {
                    if !entry.in_step {
                        counters.skipped += 1;
                        return Ok(());
                    }
                    counters.deltas += 1;
                    entry.book.change(*outcome, *price_e4, *delta_centi)
                })?;
                return Ok(taken.or(wanted, *sid, *market));
            }
            Event::Lost { sid, seq } => return self.lost(*sid, *seq, moment, publish),
            Event::Trading { market, trading } => {
                self.change(*market, moment, publish, |entry, _| {
                    entry.trading = *trading;
                    Ok(())
                })?;
            }
            Event::Disconnected => self.disconnect(moment, publish)?,
        }
        Ok(Wanted::Nothing)
    }

    fn disconnect<E>(
        &mut self,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sequences.clear();
        self.any_late = false;
        let entries = self.entries.iter_mut().flatten();
        entries.for_each(|entry| entry.late = false);
        self.suspect(moment, publish, |_| true)
    }

    fn add(&mut self, facts: Facts) {
        let place = facts.market as usize;
        if self.entries.len() <= place {
            self.entries.resize_with(place + 1, || None);
        }
        match self.entries.get_mut(place) {
            Some(Some(entry)) => entry.facts = facts,
            Some(empty) => {
                let book = Book::default();
                *empty = Some(Entry {
                    facts,
                    book,
                    sid: None,
                    in_step: false,
                    trading: Trading::Unknown,
                    late: false,
                    published: None,
                });
            }
            None => {}
        }
    }

    /// Tells a market's price again with its next event, for it has new readers.
    pub fn retell(&mut self, market: u32) {
        if let Some(Some(entry)) = self.entries.get_mut(market as usize) {
            entry.published = None;
        }
    }

    /// Whether the start of a subscription is known, and so what its numbers mean.
    fn follows(&self, sid: u32) -> bool {
        self.sequences.iter().any(|(known, _)| *known == sid)
    }

    /// A frame of which nobody can say what came before it: the book cannot be true.
    fn astray<E>(
        &mut self,
        sid: u32,
        market: u32,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<Wanted, E> {
        self.counters.gaps += 1;
        let mut was_in_step = false;
        self.change(market, moment, publish, |entry, _| {
            was_in_step = std::mem::replace(&mut entry.in_step, false);
            entry.sid = None;
            Ok(())
        })?;
        Ok(match was_in_step {
            true => Wanted::One { sid, market },
            false => Wanted::Nothing,
        })
    }

    /// Checks a frame's number. The frame after a gap is good in itself; what is lost is before it.
    fn in_sequence<E>(
        &mut self,
        sid: u32,
        seq: u64,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<Wanted, E> {
        let Some((_, next)) = self.sequences.iter_mut().find(|(known, _)| *known == sid) else {
            return Ok(Wanted::Nothing);
        };
        let expected = std::mem::replace(next, seq.wrapping_add(1));
        if expected == seq {
            return Ok(Wanted::Nothing);
        }
        self.gap(sid, moment, publish)
    }

    /// A frame of a subscription is known to be lost. The next one is in sequence, if its number is the next.
    fn lost<E>(
        &mut self,
        sid: u32,
        seq: Option<u64>,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<Wanted, E> {
        let Some((_, next)) = self.sequences.iter_mut().find(|(known, _)| *known == sid) else {
            return Ok(Wanted::Nothing);
        };
        if let Some(seq) = seq {
            *next = seq.wrapping_add(1);
        }
        self.gap(sid, moment, publish)
    }

    fn gap<E>(
        &mut self,
        sid: u32,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<Wanted, E> {
        self.counters.gaps += 1;
        self.suspect(moment, publish, |entry| {
            entry.sid.is_none_or(|own| own == sid)
        })?;
        Ok(Wanted::All { sid })
    }

    /// Judges a market, or all of them, by when a delta came.
    fn heard<E>(
        &mut self,
        market: u32,
        late: bool,
        stamped: bool,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<(), E> {
        if late {
            self.counters.late += 1;
            if let Some(Some(entry)) = self.entries.get_mut(market as usize) {
                (entry.late, self.any_late) = (true, true);
            }
        } else if stamped && self.any_late {
            self.any_late = false;
            for entry in self.entries.iter_mut().flatten() {
                // The delta's own market is told with the delta.
                if std::mem::replace(&mut entry.late, false) && entry.facts.market != market {
                    entry.publish_change(moment, &mut self.counters, publish)?;
                }
            }
        }
        Ok(())
    }

    fn suspect<E>(
        &mut self,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
        which: impl Fn(&Entry) -> bool,
    ) -> Result<(), E> {
        for entry in self
            .entries
            .iter_mut()
            .flatten()
            .filter(|entry| which(entry))
        {
            entry.in_step = false;
            entry.sid = None;
            entry.publish_change(moment, &mut self.counters, publish)?;
        }
        Ok(())
    }

    fn change<E>(
        &mut self,
        market: u32,
        moment: Moment,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
        how: impl FnOnce(&mut Entry, &mut Counters) -> Result<(), OutOfStep>,
    ) -> Result<Taken, E> {
        let Some(Some(entry)) = self.entries.get_mut(market as usize) else {
            return Ok(Taken::Well);
        };
        let taken = match how(entry, &mut self.counters) {
            Ok(()) => Taken::Well,
            Err(OutOfStep) => {
                self.counters.contradictions += 1;
                entry.in_step = false;
                Taken::OutOfStep
            }
        };
        entry.publish_change(moment, &mut self.counters, publish)?;
        Ok(taken)
    }
}

enum Taken {
    Well,
    OutOfStep,
}

impl Taken {
    fn or(self, wanted: Wanted, sid: u32, market: u32) -> Wanted {
        match (self, wanted) {
            (Self::OutOfStep, Wanted::Nothing) => Wanted::One { sid, market },
            (_, wanted) => wanted,
        }
    }
}

impl Entry {
    fn status(&self) -> MarketStatus {
        match self.trading {
            Trading::Closed => MarketStatus::Closed,
            Trading::Open if self.in_step && !self.late => MarketStatus::Active,
            Trading::Open | Trading::Unknown => MarketStatus::Suspect,
        }
    }

    /// Publishes if best bid, best offer or status differ from what was published last. A market
    /// that never had a price has none to distrust, so it stays silent until its first snapshot.
    fn publish_change<E>(
        &mut self,
        moment: Moment,
        counters: &mut Counters,
        publish: &mut impl FnMut(&PriceUpdate) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut update = self.blank();
        match self.published {
            _ if self.in_step => self.book.write_top(&mut update),
            Some(last) => {
                (update.bid_price_e4, update.bid_count_centi) =
                    (last.bid_price_e4, last.bid_count_centi);
                (update.ask_price_e4, update.ask_count_centi) =
                    (last.ask_price_e4, last.ask_count_centi);
            }
            None => return Ok(()),
        }
        update.status = self.status() as u8;
        if self.published == Some(update) {
            return Ok(());
        }
        // Stored without its times, so that times alone never make a change.
        self.published = Some(update);
        update.ingress_mono_ns = moment.ingress_mono_ns;
        update.venue_unix_us = moment.venue_unix_us;
        counters.ticks += 1;
        publish(&update)
    }

    fn blank(&self) -> PriceUpdate {
        PriceUpdate {
            ingress_mono_ns: 0,
            venue_unix_us: 0,
            market: self.facts.market,
            game: self.facts.game,
            bid_count_centi: 0,
            ask_count_centi: 0,
            bid_price_e4: 0,
            ask_price_e4: 0,
            fee_rate_e4: self.facts.fee_rate_e4,
            tick_e4: self.facts.tick_e4,
            team: self.facts.team,
            status: MarketStatus::Suspect as u8,
            sport: self.facts.sport as u8,
            padding: [0; 5],
        }
    }
}

#[cfg(test)]
mod tests;
