//! What a predecessor left behind, put together again before the first order of its successor.
//!
//! | what | from |
//! |---|---|
//! | orders sent | the last ones in the ring of orders, which outlive their reader's commit |
//! | which are open | no acknowledgement that was committed, and: not committed by the execution service yet, or an acknowledgement still waits for us |
//! | positions | the position database and what still waits for it in the ring of fills, less the fills of open orders, which come with their acknowledgements |
//! | game, team, sport and fee of a market | the price board |
//! | what the trading day has cost | the settlements of the day in the position database |
//!
//! All of it is shared memory and one file: Redis is not needed. What an earlier launch has left is in that
//! file alone: the day's result, and positions in markets that the board does not show yet. Those are at
//! stake at their worst case, and of their game once discovery lists them. Everybody else goes on meanwhile,
//! so the order of the looks matters. The execution service pushes the fills of an order, then its
//! acknowledgement, then commits it; the position tracker books a fill, then commits it. So each is
//! asked after the one that is ahead of it.

use super::day::{TradingDay, result_micros};
use crate::cold::database::{self, Database};
use crate::runtime::{Context, Failure, Input};
use ipc::{BoardReader, Message, Observer, clock};
use layouts::{Fill, Order, OrderAck, OrderStatus, PriceUpdate};
use pipeline::Link;
use stages::positions::PositionBook;
use stages::risk::{Fate, Listing, Risk};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A position in a market that is not on the board: long YES positive, and what was paid for it.
pub(super) type Unlisted = HashMap<u32, (i64, i64)>;

/// Tells the stage what its predecessors left behind; returns what nobody lists yet.
pub(super) fn recall(
    context: &Context,
    risk: &mut Risk,
    acks: &Input<OrderAck>,
    sent: &Observer,
) -> Result<Unlisted, Failure> {
    let day = TradingDay::at(clock::unix_ns(), clock::mono_ns());
    risk.recall_day(day.ends_mono_ns, 0);
    // Recorded orders have nothing to do with what this host holds.
    if context.pipeline.replay {
        return Ok(Unlisted::new());
    }
    let board = board(context)?;
    let open = recall_orders(context, risk, acks, sent, &board)?;
    let (book, settled_today) = positions(context, &open, day)?;
    risk.recall_day(day.ends_mono_ns, result_micros(&book, &settled_today));
    let mut unlisted = Unlisted::new();
    for (market, position) in book.markets() {
        let (held, paid) = (position.position_centi, -position.cash_micros);
        match listing(&board, market) {
            // Decided: it is of the day's result, or of an earlier day's.
            _ if position.settled_e4.is_some() => {}
            Some(listing) => risk.recall_position(listing, held, paid),
            None => {
                risk.recall_unlisted(held, paid);
                unlisted.insert(market, (held, paid));
            }
        }
    }
    tracing::info!(
        open = risk.open_orders(),
        at_stake_micros = risk.at_stake_micros(),
        result_today_micros = risk.result_today_micros(),
        unlisted = unlisted.len(),
        "took over what was left behind"
    );
    Ok(unlisted)
}

/// Tells the stage which orders its predecessor sent; returns those that are open.
fn recall_orders(
    context: &Context,
    risk: &mut Risk,
    acks: &Input<OrderAck>,
    sent: &Observer,
    board: &BoardReader<PriceUpdate>,
) -> Result<HashSet<(u64, u64)>, Failure> {
    let mut open = HashSet::new();
    let (published, done) = (sent.statistics().published, sent.statistics().position);
    if published == 0 {
        return Ok(open);
    }
    let answers = Answers::read(context, acks)?;
    for sequence in kept(sent, published) {
        let Some(order) = sent.read::<Order>(sequence)? else {
            continue;
        };
        let fate = answers.fate(&order, sequence >= done);
        let listing = listing(board, order.market).ok_or_else(|| {
            Failure::other(format!("market {} is not on the price board", order.market))
        })?;
        if fate != Fate::Closed {
            open.insert((order.order, order.ingress_mono_ns));
        }
        risk.recall_order(&order, listing, fate);
    }
    Ok(open)
}

/// The acknowledgements that the ring still holds.
struct Answers {
    /// The predecessor is done with them.
    taken: HashMap<u64, OrderAck>,
    /// They will be read by us.
    waiting: HashSet<u64>,
}

impl Answers {
    fn read(context: &Context, acks: &Input<OrderAck>) -> Result<Self, Failure> {
        let ring = Observer::open(&context.pipeline.ring_path(acks.name()))?;
        let (mut taken, mut waiting) = (HashMap::new(), HashSet::new());
        for sequence in kept(&ring, ring.statistics().published) {
            match ring.read::<OrderAck>(sequence)? {
                // The first word counts; repetitions are ignored, as the predecessor did.
                Some(ack) if sequence < acks.next_sequence() => {
                    taken.entry(ack.order).or_insert(ack);
                }
                Some(ack) => drop(waiting.insert(ack.order)),
                None => {}
            }
        }
        Ok(Self { taken, waiting })
    }

    /// `in_flight`: the execution service has not committed the order.
    fn fate(&self, order: &Order, in_flight: bool) -> Fate {
        match self.taken.get(&order.order) {
            Some(ack) if ack.status() == Some(OrderStatus::Unknown) => Fate::Unknown(*ack),
            Some(_) => Fate::Closed,
            None if in_flight || self.waiting.contains(&order.order) => Fate::Open,
            None => Fate::Closed,
        }
    }
}

/// What all fills but those of the orders `without` have made, and which markets were settled today.
fn positions(
    context: &Context,
    without: &HashSet<(u64, u64)>,
    day: TradingDay,
) -> Result<(PositionBook, Vec<u32>), Failure> {
    let mut fills = waiting_fills(context)?;
    let path = database::path(&context.pipeline);
    let mut book = PositionBook::default();
    let mut settled_today = Vec::new();
    let database = match path.exists() {
        true => Some(Database::open_read_only(&path).map_err(Failure::other)?),
        false => None,
    };
    // Before the first fill is booked there may be none, or one that is just being made.
    if let Some(database) = database
        && database.is_laid_out().map_err(Failure::other)?
    {
        settled_today = database
            .settled_since(day.began_unix_s)
            .map_err(Failure::other)?;
        fills.extend(database.fills().map_err(Failure::other)?);
        for (market, value_e4) in database.settlements().map_err(Failure::other)? {
            book.settle(market, value_e4);
        }
    }
    // The ids of orders begin anew at each launch; their time tells launches apart.
    fills.retain(|fill| !without.contains(&(fill.order, fill.ingress_mono_ns)));
    for fill in &fills {
        book.fill(fill);
    }
    Ok((book, settled_today))
}

/// The fills that the position tracker has not committed; what it commits meanwhile it has booked.
fn waiting_fills(context: &Context) -> Result<Vec<Fill>, Failure> {
    let links = context.pipeline.links.iter();
    let carriers = links.filter(|link| link.message == Fill::NAME);
    let mut fills = Vec::new();
    for Link { name, .. } in carriers {
        let ring = Observer::open(&context.pipeline.ring_path(name))?;
        for sequence in ring.statistics().position..ring.statistics().published {
            fills.extend(ring.read::<Fill>(sequence)?);
        }
    }
    Ok(fills)
}

/// The sequences whose slots are not overwritten yet.
fn kept(ring: &Observer, published: u64) -> Range<u64> {
    published.saturating_sub(u64::from(ring.info().capacity))..published
}

fn board(context: &Context) -> Result<BoardReader<PriceUpdate>, Failure> {
    let mut boards = context.pipeline.boards.iter();
    let board = boards.find(|board| board.message == PriceUpdate::NAME);
    let board = board.ok_or_else(|| {
        Failure::Configuration("a successor needs a board of prices to recall positions".into())
    })?;
    Ok(BoardReader::open(
        &context.pipeline.board_path(&board.name),
    )?)
}

fn listing(board: &BoardReader<PriceUpdate>, market: u32) -> Option<Listing> {
    let row = board.read(market).ok()??;
    Some(Listing {
        game: row.value.game,
        team: row.value.team,
        sport: row.value.sport()?,
        fee_rate_e4: row.value.fee_rate_e4,
    })
}
