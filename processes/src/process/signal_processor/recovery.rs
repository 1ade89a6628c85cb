//! What a predecessor left behind, put together again before the first order of its successor.
//!
//! | what | from |
//! |---|---|
//! | orders sent | the last ones in the ring of orders, which outlive their reader's commit |
//! | which are open | no acknowledgement that was committed, and: not committed by the execution service yet, or an acknowledgement still waits for us |
//! | positions | the position database and what still waits for it in the ring of fills, less the fills of open orders, which come with their acknowledgements |
//! | game, team, sport and fee of a market | the price board |
//! | what the trading day has cost | the settlements of the day in the position database, and the positions that were closed in it: the venue settles none of those |
//!
//! All of it is shared memory and one file: Redis is not needed. What an earlier launch has left is in that
//! file alone: the day's result, and positions in markets that the board does not show yet. Those are at
//! stake at their worst case, and of their game once discovery lists them. Everybody else goes on meanwhile,
//! so the order of the looks matters. The execution service pushes the fills of an order, then its
//! acknowledgement, then commits it; the position tracker books a fill, then commits it. So each is
//! asked after the one that is ahead of it.

use super::day::{TradingDay, result_micros};
use crate::cold::database::{self, Database, DatabaseError};
use crate::runtime::{Context, Failure, Input};
use ipc::{BoardReader, Message, Observer, clock};
use layouts::{Fill, Order, OrderAck, OrderStatus, PriceUpdate};
use pipeline::Link;
use stages::positions::PositionBook;
use stages::risk::{Fate, Listing, Risk};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A position in a market that is not on the board: long YES positive, and what was paid for it; 0 and what was lost on
/// it, where it was closed.
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
    let database = database(context)?;
    let held = positions(database.as_ref(), waiting_fills(context)?, &open, day)
        .map_err(Failure::other)?;
    risk.recall_day(day.ends_mono_ns, held.result_today_micros);
    let unlisted = recall_positions(risk, &held, |market| listing(&board, market));
    tracing::info!(
        open = risk.open_orders(),
        at_stake_micros = risk.at_stake_micros(),
        result_today_micros = risk.result_today_micros(),
        unlisted = unlisted.len(),
        "took over what was left behind"
    );
    Ok(unlisted)
}

/// Tells the stage what is held and what was closed; returns what nobody lists yet.
fn recall_positions(
    risk: &mut Risk,
    found: &Held,
    listing: impl Fn(u32) -> Option<Listing>,
) -> Unlisted {
    let mut unlisted = Unlisted::new();
    for (market, position) in found.now.markets() {
        let (held, paid) = (position.position_centi, -position.cash_micros);
        let before = found.before_today.market(market);
        let is_held_over_night = before.is_some_and(|before| before.position_centi != 0);
        // What it had gained by then is not there to be lost again.
        let gained = before.filter(|_| !is_held_over_night);
        let gained = gained.map_or(0, |before| before.cash_micros);
        match listing(market) {
            // Decided: it is of the day's result, or of an earlier day's.
            _ if position.settled_e4.is_some() => {}
            // So is this, but its game may go on.
            Some(listing) if held == 0 => risk.recall_closed(listing, -paid),
            // Its game may go on too.
            None if held == 0 => drop(unlisted.insert(market, (0, paid))),
            Some(listing) => {
                if is_held_over_night {
                    risk.recall_held_over_night(listing);
                }
                risk.recall_closed(listing, gained);
                risk.recall_position(listing, held, paid + gained);
            }
            None => {
                // What it had lost is not told apart: it counts twice over rather than not at all.
                let paid = paid + gained.max(0);
                risk.recall_unlisted(held, paid);
                unlisted.insert(market, (held, paid));
            }
        }
    }
    unlisted
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
        if !matches!(fate, Fate::Closed { .. }) {
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
            Some(ack) => Fate::Closed {
                filled_centi: ack.filled_centi,
            },
            None if in_flight || self.waiting.contains(&order.order) => Fate::Open,
            None => Fate::Closed { filled_centi: 0 },
        }
    }
}

/// The position database; `None` before the first fill is booked, also when it is just being made.
fn database(context: &Context) -> Result<Option<Database>, Failure> {
    let path = database::path(&context.pipeline);
    if !path.exists() {
        return Ok(None);
    }
    let database = Database::open_read_only(&path).map_err(Failure::other)?;
    let is_laid_out = database.is_laid_out().map_err(Failure::other)?;
    Ok(is_laid_out.then_some(database))
}

/// What all fills have made.
struct Held {
    now: PositionBook,
    /// By the fills from before the trading day.
    before_today: PositionBook,
    /// What was gained in the markets that were decided today: those that the venue has settled, and those in which
    /// nothing is held since a fill of today.
    result_today_micros: i64,
}

/// What all fills but those of the orders `without` have made.
fn positions(
    database: Option<&Database>,
    waiting: Vec<Fill>,
    without: &HashSet<(u64, u64)>,
    day: TradingDay,
) -> Result<Held, DatabaseError> {
    let (mut book, mut before) = (PositionBook::default(), PositionBook::default());
    let mut traded_today: HashMap<[u8; 16], u32> = waiting
        .iter()
        .map(|fill| (fill.trade, fill.market))
        .collect();
    let (mut fills, mut decided_today, mut settlements) = (waiting, Vec::new(), Vec::new());
    if let Some(database) = database {
        decided_today = database.settled_since(day.began_unix_s)?;
        traded_today.extend(database.traded_since(day.began_unix_s)?);
        fills.extend(database.fills()?);
        settlements = database.settlements()?;
    }
    // The ids of orders begin anew at each launch; their time tells launches apart.
    fills.retain(|fill| !without.contains(&(fill.order, fill.ingress_mono_ns)));
    for fill in &fills {
        book.fill(fill);
        if !traded_today.contains_key(&fill.trade) {
            before.fill(fill);
        }
    }
    for (market, settlement) in settlements {
        book.settle(market, settlement);
    }
    let traded_today: HashSet<u32> = traded_today.into_values().collect();
    let closed = |market: &u32| {
        let position = book.market(*market);
        position.is_some_and(|one| one.position_centi == 0 && one.settled_e4.is_none())
    };
    decided_today.extend(traded_today.iter().filter(|market| closed(market)));
    Ok(Held {
        result_today_micros: result_micros(&book, &before, &decided_today),
        now: book,
        before_today: before,
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;
    use layouts::Side;
    use stages::limits::Limits;
    use stages::risk::Outcome;

    const TODAY: TradingDay = TradingDay {
        began_unix_s: 2_000,
        ends_mono_ns: 0,
    };

    const LIMITS: Limits = Limits {
        max_order_contracts: 100,
        max_market_contracts: 100,
        max_game_dollars: 10,
        max_sport_dollars: 1_000,
        max_exposure_dollars: 1_000,
        max_day_loss_dollars: 1_000,
        max_open_orders: 8,
        max_burst_contracts: 1_000,
        repeat_ms: 0,
        kelly_percent: 100,
    };

    fn fill(trade: u8, market: u32, side: Side, price_e4: u16) -> Fill {
        Fill {
            trade: [trade; 16],
            market,
            count_centi: 1_000,
            price_e4,
            side: side as u8,
            ..Fill::zeroed()
        }
    }

    /// What fills of yesterday and of today have made.
    fn held(yesterday: &[Fill], today: &[Fill]) -> Held {
        let mut now = PositionBook::default();
        for fill in yesterday {
            now.fill(fill);
        }
        let before_today = now.clone();
        for fill in today {
            now.fill(fill);
        }
        Held {
            now,
            before_today,
            result_today_micros: 0,
        }
    }

    /// Its game ends in the night, the venue settles it in the morning, and in between there was a restart.
    #[test]
    fn what_was_held_over_night_gains_nothing_and_loses_all_today() {
        let listing = |market| Listing {
            game: market,
            team: 0,
            sport: layouts::Sport::Nba,
            fee_rate_e4: 0,
        };
        let yesterday = [fill(1, 1, Side::Bid, 4_000), fill(2, 2, Side::Bid, 4_000)];
        let today = [fill(3, 3, Side::Bid, 4_000)];
        let found = held(&yesterday, &today);
        // By a successor, whom the board shows the markets, or by a new launch, which hears of them from discovery.
        for (is_on_the_board, gain_of_today) in [(true, 6_000_000), (false, 0)] {
            let mut risk = Risk::new(LIMITS);
            let unlisted = recall_positions(&mut risk, &found, |market| {
                is_on_the_board.then(|| listing(market))
            });
            for (market, (position_centi, paid_micros)) in unlisted {
                risk.list(listing(market), position_centi, paid_micros, 1);
            }
            let mut after = |game, outcome| {
                risk.on_game_over(game, outcome, 1);
                risk.result_today_micros()
            };
            assert_eq!(after(1, Outcome::Home), 0);
            assert_eq!(after(2, Outcome::Away), -4_000_000);
            assert_eq!(after(3, Outcome::Home), gain_of_today - 4_000_000);
            // Its end is taken back.
            risk.on_game_on(2, 1);
            assert_eq!(risk.result_today_micros(), gain_of_today);
            risk.on_game_on(1, 1);
            assert_eq!(risk.result_today_micros(), gain_of_today);
        }
    }

    /// The venue settles what is held: of what was sold again it never says a word.
    #[test]
    fn what_was_closed_is_decided_on_the_day_of_its_last_fill_whoever_comes_later() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("positions.db");
        let mut database = Database::open(&path).expect("opens");
        // A gain of yesterday, a loss of today, and one of which the second half still waits.
        let booked = [
            fill(1, 1, Side::Bid, 4_000),
            fill(2, 1, Side::Ask, 6_000),
            fill(3, 2, Side::Bid, 5_000),
            fill(4, 2, Side::Ask, 4_500),
            fill(5, 3, Side::Bid, 5_000),
        ];
        database.book("aa", &booked).expect("new");
        let times = rusqlite::Connection::open(&path).expect("opens");
        times
            .execute(
                "UPDATE fills SET booked_unix_s = iif(market = 1, 1999, 2000)",
                [],
            )
            .expect("writes");
        let waiting = vec![fill(6, 3, Side::Ask, 4_900)];
        let told = |day| {
            let waiting = waiting.clone();
            let told = positions(Some(&database), waiting, &HashSet::new(), day);
            told.expect("reads").result_today_micros
        };
        assert_eq!(told(TODAY), -500_000 - 100_000);
        let tomorrow = TradingDay {
            began_unix_s: 3_000,
            ..TODAY
        };
        assert_eq!(
            told(tomorrow),
            -100_000,
            "what waits is of the day that it is"
        );
    }

    /// A gain of yesterday paid for a loss of today in the same market.
    #[test]
    fn what_a_market_gained_on_another_day_is_not_of_today() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("positions.db");
        let mut database = Database::open(&path).expect("opens");
        // Closed yesterday for $2, today at a loss of $0.50.
        let yesterday = [
            fill(1, 1, Side::Bid, 4_000),
            fill(2, 1, Side::Ask, 6_000),
            // Held over night.
            fill(3, 2, Side::Bid, 3_000),
        ];
        database.book("aa", &yesterday).expect("new");
        let times = rusqlite::Connection::open(&path).expect("opens");
        times
            .execute("UPDATE fills SET booked_unix_s = 1999", [])
            .expect("writes");
        let today = [
            fill(4, 1, Side::Bid, 5_000),
            fill(5, 1, Side::Ask, 4_500),
            fill(6, 2, Side::Ask, 4_000),
        ];
        let told = |today: &[Fill]| {
            let told = positions(Some(&database), today.to_vec(), &HashSet::new(), TODAY);
            told.expect("reads").result_today_micros
        };
        assert_eq!(told(&today[..2]), -500_000);
        // What of it was gained before the night nobody knows.
        assert_eq!(told(&today), -500_000);
    }

    #[test]
    fn what_a_market_had_gained_before_the_day_is_not_there_to_be_lost() {
        let listing = Listing {
            game: 1,
            team: 0,
            sport: layouts::Sport::Nba,
            fee_rate_e4: 0,
        };
        let yesterday = [fill(1, 1, Side::Bid, 2_000), fill(2, 1, Side::Ask, 7_000)];
        let found = held(&yesterday, &[fill(3, 1, Side::Bid, 4_000)]);
        let mut risk = Risk::new(LIMITS);
        recall_positions(&mut risk, &found, |_| None);
        assert_eq!(risk.at_stake_micros(), 4_000_000, "as yet unlisted");
        let mut risk = Risk::new(LIMITS);
        recall_positions(&mut risk, &found, |_| Some(listing));
        assert_eq!(risk.at_stake_micros(), 4_000_000);
        risk.on_game_over(1, Outcome::Away, 1);
        assert_eq!(risk.result_today_micros(), -4_000_000);
    }

    #[test]
    fn a_game_remembers_what_it_cost_by_positions_that_are_closed() {
        let wanted = layouts::Signal {
            expires_mono_ns: u64::MAX,
            game: 5,
            count_centi: 100_000,
            price_e4: 5_000,
            edge_e4: 1_800,
            kind: layouts::SignalKind::ModelEdge as u8,
            sport: layouts::Sport::Nba as u8,
            ..layouts::Signal::zeroed()
        };
        // By a successor, whom the board shows the market, or by a new launch, which hears of it from discovery.
        let after = |fills: &[Fill], is_on_the_board: bool| {
            let mut risk = Risk::new(LIMITS);
            let book = held(&[], fills);
            let listing = Listing {
                game: 5,
                team: 1,
                sport: layouts::Sport::Nba,
                fee_rate_e4: 0,
            };
            let unlisted =
                recall_positions(&mut risk, &book, |_| is_on_the_board.then_some(listing));
            assert_eq!(unlisted.is_empty(), is_on_the_board || fills.is_empty());
            for (position_centi, paid_micros) in unlisted.into_values() {
                risk.list(listing, position_centi, paid_micros, 1);
            }
            assert_eq!((risk.at_stake_micros(), risk.result_today_micros()), (0, 0));
            let order = risk.on_signal(&wanted, 1)[0];
            order.map_or(0, |order| order.count_centi)
        };
        assert_eq!(after(&[], true), 2_000, "$10");
        let lost = [fill(1, 1, Side::Bid, 6_000), fill(2, 1, Side::Ask, 2_000)];
        for is_on_the_board in [true, false] {
            assert_eq!(after(&lost, is_on_the_board), 1_200, "$4 are gone");
        }
    }
}
