//! `kalshi_monitor`: the venue's order books into prices.
//!
//! An I/O thread learns the markets from the discovery stream, keeps one WebSocket session and
//! turns frames into events ([`feed`]). The hot thread owns the books and publishes a price to the
//! ring of the market's shard and to the board, whenever best bid, best offer or status change.

pub mod feed;

use crate::cold::redis::Cold;
use crate::runtime::{Context, Failure, Output, handoff, io_thread};
use crate::venue::frame_tally::Kind;
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::kalshi_ws::Endpoint;
use crate::venue::signing::Signer;
use crate::venue::tls::Trust;
use feed::{Feed, FeedCounters, Note, Venue};
use layouts::units::format_decimal;
use layouts::{MarketStatus, PriceUpdate};
use serde_json::{Map, Value, json};
use stages::book::{Level, Outcome};
use stages::books::{Books, Event, Wanted};
use std::collections::HashMap;

/// Names a file that takes every full book at exit.
pub const BOOKS_VARIABLE: &str = "ARBEES_BOOKS";
/// Events between the threads: a burst of a second fits many times over.
const INBOX: usize = 16_384;
/// Requests for snapshots that may wait.
const WANTED: usize = 1_024;
/// Events in one round of the loop.
const ROUND: usize = 64;

/// Runs the process.
///
/// # Errors
///
/// When the rings or the key are unusable, or a lossless ring cannot take what it must.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let venue = &context.pipeline.venue;
    let signer = Signer::load(&venue.key_id, &venue.key_file).map_err(Failure::other)?;
    let mut desk = Desk::attach(context)?;
    let (to_hot, mut inbox) = handoff::to_hot(INBOX);
    let (mut wanted, wanted_inbox) = handoff::to_io::<Wanted>(WANTED);
    let cold = Cold::connect(&context.pipeline.redis.url, &context.pipeline.name);
    let trust = Trust::load(&context.pipeline.ca_file).map_err(Failure::other)?;
    let venue = Venue {
        rest: KalshiRest::new(&venue.rest, signer.clone(), &trust).map_err(Failure::other)?,
        endpoint: Endpoint {
            address: venue.websocket.clone(),
            signer,
            trust,
        },
    };
    let feed = Feed::new(venue, context.pipeline.safety, cold, to_hot);
    let heartbeat = (context.name.clone(), context.pipeline.redis.heartbeat_ms);
    io_thread("feed", move || feed.run(wanted_inbox, heartbeat))?;
    context.settle()?;
    context.ready()?;
    let mut idle = context.idle();
    let mut unsent = Unsent::default();
    while !context.stopping() {
        let mut worked = false;
        for _ in 0..ROUND {
            let Some(note) = inbox.pop() else { break };
            worked = true;
            unsent.add(desk.take(note, context)?);
        }
        unsent.send(&mut wanted);
        desk.outputs.iter().for_each(Output::beat);
        desk.board.beat();
        if worked {
            idle.progress();
        } else if inbox.drained() {
            return Err(Failure::other("the feed's thread has ended"));
        } else {
            idle.wait(&mut [&mut inbox]);
        }
    }
    // From here on nobody keeps these prices true.
    desk.apply(&Event::Disconnected, ipc::clock::mono_ns(), context)?;
    desk.write_books()?;
    Ok(desk.figures())
}

/// Requests for snapshots for which the queue had no room yet. Each kind waits once, so there are
/// never more than markets.
#[derive(Default)]
struct Unsent(Vec<Wanted>);

impl Unsent {
    fn add(&mut self, wanted: Wanted) {
        if wanted != Wanted::Nothing && !self.0.contains(&wanted) {
            self.0.push(wanted);
        }
    }

    /// Sends as much as there is room for.
    fn send(&mut self, wanted: &mut handoff::ToIo<Wanted>) {
        let sent = self.0.iter().take_while(|one| wanted.push(**one).is_ok());
        let sent = sent.count();
        self.0.drain(..sent);
    }
}

/// The hot thread's side: the books, and where their prices go.
struct Desk {
    books: Books,
    outputs: Vec<Output<PriceUpdate>>,
    board: ipc::BoardWriter<PriceUpdate>,
    /// Place in `outputs` by market number.
    routes: HashMap<u32, usize>,
    tickers: HashMap<u32, String>,
    feed: FeedCounters,
    unroutable: u64,
    /// Markets whose number has no row on the board.
    refused: u64,
}

impl Desk {
    fn attach(context: &Context) -> Result<Self, Failure> {
        let mut board = context.board()?;
        withdraw(&mut board, &context.board_reader()?);
        Ok(Self {
            books: Books::default(),
            // After the board: who sees us come finds nothing of a predecessor there.
            outputs: context.outputs()?,
            board,
            routes: HashMap::new(),
            tickers: HashMap::new(),
            feed: FeedCounters::default(),
            unroutable: 0,
            refused: 0,
        })
    }

    fn take(&mut self, note: Note, context: &Context) -> Result<Wanted, Failure> {
        match note {
            Note::Event {
                event,
                ingress_mono_ns,
            } => self.apply(&event, ingress_mono_ns, context),
            Note::Market {
                facts,
                shard,
                ticker,
            } => {
                // The number comes from outside, and the books are a table by it.
                let slots = self.board.info().capacity;
                if facts.market >= slots {
                    self.refused += 1;
                    tracing::warn!(ticker, facts.market, slots, "the board has no such row");
                    return Ok(Wanted::Nothing);
                }
                let route = self
                    .outputs
                    .iter()
                    .position(|output| output.to_index() == shard);
                let Some(route) = route else {
                    self.unroutable += 1;
                    tracing::warn!(ticker, shard, "no ring leads to this market's shard");
                    return Ok(Wanted::Nothing);
                };
                if self.routes.insert(facts.market, route) != Some(route) {
                    self.books.retell(facts.market);
                }
                self.tickers.insert(facts.market, ticker);
                self.apply(&Event::Market(facts), ipc::clock::mono_ns(), context)
            }
            Note::Counters(counters) => {
                self.feed = counters;
                Ok(Wanted::Nothing)
            }
        }
    }

    fn apply(
        &mut self,
        event: &Event,
        ingress_mono_ns: u64,
        context: &Context,
    ) -> Result<Wanted, Failure> {
        let (routes, outputs, board) = (&self.routes, &mut self.outputs, &mut self.board);
        self.books.apply(event, ingress_mono_ns, &mut |update| {
            // A market without a row has no book either: `take` refuses it.
            let _ = board.write(update.market, update);
            match routes
                .get(&update.market)
                .and_then(|route| outputs.get_mut(*route))
            {
                Some(output) => output.send(update, context).map(drop),
                None => Ok(()),
            }
        })
    }

    /// Every full book, in the venue's own format.
    fn write_books(&self) -> Result<(), Failure> {
        let Some(path) = std::env::var_os(BOOKS_VARIABLE) else {
            return Ok(());
        };
        let side = |levels: &[Level]| -> Value {
            let level = |level: &Level| {
                json!([
                    format_decimal(level.0.into(), 4),
                    format_decimal(level.1, 2)
                ])
            };
            levels.iter().map(level).collect()
        };
        let mut books = Map::new();
        for (market, book, _) in self.books.iter() {
            let Some(ticker) = self.tickers.get(&market) else {
                continue;
            };
            let sides = json!({ "yes": side(book.levels(Outcome::Yes)), "no": side(book.levels(Outcome::No)) });
            books.insert(ticker.clone(), sides);
        }
        std::fs::write(&path, Value::Object(books).to_string())
            .map_err(|error| Failure::io(format!("write books to {}", path.display()), error))
    }

    fn figures(&self) -> Value {
        let (books, frames) = (self.books.counters(), &self.feed.frames);
        json!({
            // As last reported by the feed, a quarter of a second ago at most.
            "frames": frames.frames(),
            "frames_by_kind": frames,
            "deltas": books.deltas,
            "snapshots": books.snapshots,
            "skipped": books.skipped,
            "unknown": frames.of(Kind::Unknown) + frames.of(Kind::Stranger),
            "malformed": frames.of(Kind::Malformed),
            "errors": frames.of(Kind::Error),
            "gaps": books.gaps,
            "late": books.late,
            "lifecycle_gaps": self.feed.lifecycle_gaps,
            "trades": self.feed.trades,
            "contracts": format_decimal(i64::try_from(self.feed.contracts_centi).unwrap_or(i64::MAX), 2),
            "trade_gaps": self.feed.trade_gaps,
            "contradictions": books.contradictions,
            "resyncs": self.feed.resyncs,
            "reconnects": self.feed.reconnects,
            "ticks": books.ticks,
            "markets": self.tickers.len(),
            "unroutable": self.unroutable,
            "refused": self.refused,
        })
    }
}

/// Nobody has kept true what a predecessor wrote, since its end: no price of it is good until the venue
/// has told it again.
fn withdraw(board: &mut ipc::BoardWriter<PriceUpdate>, rows: &ipc::BoardReader<PriceUpdate>) {
    for market in 0..rows.info().capacity {
        // A row that it was writing when it died shows nothing, and so is nobody's price.
        if let Ok(Some(row)) = rows.read(market)
            && row.value.status() == Some(MarketStatus::Active)
        {
            let withdrawn = PriceUpdate {
                status: MarketStatus::Suspect as u8,
                ..row.value
            };
            // The row is there: it has been read.
            let _ = board.write(market, &withdrawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::{Consumer, Kind, RingOptions};
    use pipeline::Pipeline;
    use stages::books::Facts;
    use std::path::Path;

    /// Rows of the board.
    const SLOTS: u32 = 4;

    /// The demo's monitor, with its rings and a small board in a directory.
    fn monitor(directory: &Path) -> Context {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        let mut pipeline = Pipeline::load(&demo).expect("reads");
        pipeline.rings = directory.to_owned();
        pipeline.run_dir = directory.to_owned();
        std::fs::create_dir_all(pipeline.ring_dir()).expect("a directory");
        let options = RingOptions {
            kind: Kind::LatestWins,
            capacity: 16,
            ..Default::default()
        };
        for ring in ["prices.0", "prices.1"] {
            ipc::create_ring::<PriceUpdate>(&pipeline.ring_path(ring), options).expect("a ring");
        }
        ipc::create_board::<PriceUpdate>(
            &pipeline.board_path("prices"),
            ipc::BoardOptions {
                rows: SLOTS,
                ..ipc::BoardOptions::default()
            },
        )
        .expect("a board");
        let file = directory.join("pipeline.toml");
        std::fs::write(&file, toml::to_string(&pipeline).expect("writes")).expect("writes");
        Context::join(&file, "kalshi_monitor", "kalshi_monitor").expect("joins")
    }

    fn market(market: u32, shard: u8) -> Note {
        let facts = Facts {
            market,
            game: 5,
            team: 0,
            sport: layouts::Sport::Nfl,
            fee_rate_e4: 700,
            tick_e4: 100,
        };
        Note::Market {
            facts,
            shard,
            ticker: "A-B".into(),
        }
    }

    /// The books are a table by number: one of four thousand million would have taken all memory.
    #[test]
    fn a_number_beyond_the_board_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let context = monitor(directory.path());
        let mut desk = Desk::attach(&context).expect("attaches");
        for number in [SLOTS, u32::MAX, SLOTS - 1] {
            desk.take(market(number, 0), &context).expect("takes");
        }
        assert_eq!((desk.refused, desk.books.iter().count()), (2, 1));
    }

    /// A shard that starts after a monitor's death would trade on what the dead one left on the board.
    #[test]
    fn a_successor_withdraws_what_its_predecessor_left_on_the_board() {
        let directory = tempfile::tempdir().expect("a directory");
        let context = monitor(directory.path());
        let rows = context.board_reader::<PriceUpdate>().expect("a board");
        let status = |row| {
            let row = rows.read(row).expect("a row").expect("was written");
            row.value.status()
        };
        let mut board = context.board::<PriceUpdate>().expect("the writer");
        for (market, status) in [(1, MarketStatus::Active), (2, MarketStatus::Closed)] {
            let price = PriceUpdate {
                status: status as u8,
                market,
                ..bytemuck::Zeroable::zeroed()
            };
            board.write(market, &price).expect("a row");
        }
        drop(board);
        let _successor = Desk::attach(&context).expect("attaches");
        assert_eq!(status(1), Some(MarketStatus::Suspect));
        assert_eq!(status(2), Some(MarketStatus::Closed), "that is for good");
    }

    /// A market that moves to another shard would have been unknown there until its price changed.
    #[test]
    fn a_market_that_moves_is_told_to_its_new_shard() {
        let directory = tempfile::tempdir().expect("a directory");
        let context = monitor(directory.path());
        let mut desk = Desk::attach(&context).expect("attaches");
        let ring = context.pipeline.ring_path("prices.1");
        let mut moved = Consumer::<PriceUpdate>::attach(&ring).expect("attaches");
        desk.take(market(1, 0), &context).expect("takes");
        let book = Event::Snapshot {
            sid: 1,
            seq: 1,
            market: 1,
            yes: vec![Level(4_000, 100)],
            no: vec![Level(5_000, 100)],
        };
        let trading = stages::books::Trading::Open;
        let open = Event::Trading { market: 1, trading };
        for event in [open, Event::Subscribed { sid: 1 }, book] {
            desk.apply(&event, 1, &context).expect("applies");
        }
        assert!(moved.pop().is_err());
        desk.take(market(1, 1), &context).expect("takes");
        let told = moved.pop().expect("a price").message;
        assert_eq!((told.market, told.bid_price_e4), (1, 4_000));
        desk.take(market(1, 1), &context).expect("takes");
        assert!(moved.pop().is_err(), "once");
    }

    #[test]
    fn a_request_that_found_no_room_is_sent_later() {
        let (mut to_io, mut inbox) = handoff::to_io::<Wanted>(1);
        let mut unsent = Unsent::default();
        let requests = [Wanted::All { sid: 1 }, Wanted::One { sid: 1, market: 2 }];
        for wanted in [requests[0], Wanted::Nothing, requests[1], requests[0]] {
            unsent.add(wanted);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        for wanted in requests {
            unsent.send(&mut to_io);
            assert_eq!(runtime.block_on(inbox.recv()), Some(wanted));
        }
        assert!(unsent.0.is_empty());
    }
}
