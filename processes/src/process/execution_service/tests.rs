//! Orders against the simulator, over real sockets: its brake, its faults, and what arrives late.

use super::desk::Desk;
use super::listings::Listings;
use super::look_up::LookUps;
use super::placing::tests::gate;
use super::placing::{Placing, Taken};
use super::*;
use crate::sim::faults::Fault;
use crate::sim::records::TimeInForce;
use crate::sim::tests::laws::order;
use crate::sim::tests::outside::{KEY_ID, Outside};
use crate::venue::kalshi_ws::Endpoint;
use crate::venue::signing::Signer;
use crate::venue::tls::Trust;
use bytemuck::Zeroable as _;
use layouts::Side;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// An execution service's I/O side, one order at a time, and its venue.
struct House {
    outside: Outside,
    placing: Placing,
    word: watch::Sender<Word>,
    keeper: JoinHandle<()>,
    shards: watch::Sender<BTreeSet<u32>>,
    directory: TempDir,
    next: u64,
}

fn trading(since_unix_us: u64, burst_contracts: u32) -> Word {
    Word {
        halted: false,
        since_unix_us,
        burst_contracts,
    }
}

fn client(outside: &Outside) -> KalshiRest {
    let signer = Signer::from_pem(KEY_ID, &outside.pem).expect("the key");
    let base = format!("http://{}/trade-api/v2", outside.address);
    // Longer than anything that is answered takes, shorter than the orders' lateness.
    let rest = KalshiRest::new(&base, signer, &Trust::none()).expect("an address");
    rest.patient_for(Duration::from_millis(1_500))
}

/// A brake at work, on the only shard there is.
fn brake(
    rest: &KalshiRest,
    directory: &Path,
    word: &watch::Sender<Word>,
    shards: &watch::Sender<BTreeSet<u32>>,
    tally: &Arc<Mutex<Tally>>,
) -> (Arc<Brake>, JoinHandle<()>) {
    let safe_file = directory.join("safe");
    let brake = Brake::new(
        rest.clone(),
        directory,
        safe_file,
        word.subscribe(),
        Arc::clone(tally),
    );
    let brake = Arc::new(brake);
    let (kept, shards) = (Arc::clone(&brake), shards.subscribe());
    let keeper = tokio::spawn(async move { kept.keep(shards).await });
    (brake, keeper)
}

impl House {
    /// A venue where somebody sells plenty at 0.40, and a brake that shuts after so many contracts.
    async fn open(burst_contracts: u32) -> Self {
        let outside = Outside::open_with(1, false, |exchange| {
            exchange.endow(1_000 * layouts::MICROS_PER_DOLLAR);
            let seller = exchange.open_account();
            let plenty = order(
                seller,
                Side::Ask,
                4_000,
                10_000,
                TimeInForce::GoodTillCanceled,
            );
            exchange.create(plenty, 1).expect("rests");
        })
        .await;
        let (ticker, shard) = outside.shared.hub.read(|exchange| {
            let market = &exchange.markets()[0];
            (market.ticker.clone(), market.series.exchange_index)
        });
        let directory = tempfile::tempdir().expect("a directory");
        let rest = client(&outside);
        let tally = Arc::new(Mutex::new(Tally::new().expect("histograms")));
        let word = watch::Sender::new(trading(1, burst_contracts));
        let shards = watch::Sender::new(BTreeSet::from([0, shard]));
        let desk = Arc::new(Desk::default());
        let (brake, keeper) = brake(&rest, directory.path(), &word, &shards, &tally);
        let placing = Placing {
            look_ups: LookUps::new(rest.clone()),
            listings: Listings::of_one(3, &ticker, Some(shard)),
            desk: Arc::clone(&desk),
            brake,
            rest,
            run_id: "00ff".into(),
            tally,
            gate: gate(directory.path(), false),
            dry: None,
        };
        Self {
            outside,
            placing,
            word,
            keeper,
            shards,
            directory,
            next: 1,
        }
    }

    /// Listens to what the venue tells by itself.
    fn listen(&self) {
        let endpoint = Endpoint {
            address: format!("ws://{}/trade-api/ws/v2", self.outside.address),
            signer: Signer::from_pem(KEY_ID, &self.outside.pem).expect("the key"),
            trust: Trust::none(),
        };
        let desk = Arc::clone(&self.placing.desk);
        tokio::spawn(async move { desk.listen(&endpoint).await });
    }

    /// Buys one contract, and says what became of it.
    async fn buy(&mut self, ttl_ms: u64) -> (Option<OrderStatus>, Option<RejectReason>, usize) {
        let number = self.next;
        self.next += 1;
        let order = Order {
            ingress_mono_ns: ipc::clock::mono_ns(),
            expires_mono_ns: ipc::clock::mono_ns() + ttl_ms * 1_000_000,
            order: number,
            market: 3,
            count_centi: 100,
            price_e4: 4_000,
            ..Order::zeroed()
        };
        let taken = Taken {
            sequence: number,
            order,
            sent_ns: 0,
            popped_ns: 0,
            maybe_sent: false,
        };
        let done = self.placing.place(taken).await;
        (done.ack.status(), done.ack.reason(), done.fills.len())
    }

    /// Orders and trades of ours, as the venue knows them.
    fn at_venue(&self) -> (usize, usize) {
        self.outside.shared.hub.read(|exchange| {
            (
                exchange.client_orders(i64::MAX).count(),
                exchange.fills().len(),
            )
        })
    }

    fn group(&self) -> Vec<String> {
        let hub = &self.outside.shared.hub;
        hub.read(|exchange| exchange.groups().map(|(id, _)| id.to_owned()).collect())
    }

    fn brakes_shut(&self) -> u64 {
        self.placing.tally.lock().expect("whole").brakes_shut
    }
}

const FILLED: (Option<OrderStatus>, Option<RejectReason>, usize) =
    (Some(OrderStatus::Filled), Some(RejectReason::None), 1);
const BRAKED: (Option<OrderStatus>, Option<RejectReason>, usize) =
    (Some(OrderStatus::Rejected), Some(RejectReason::Braked), 0);
/// Long enough for anything but a wait in vain.
const LONG: u64 = 60_000;
/// The same, for what is not an order.
const PATIENCE: Duration = Duration::from_secs(60);

/// The venue's brake shuts, and nothing passes until it is reset.
#[tokio::test]
async fn limit_burst_trips() {
    let mut house = House::open(2).await;
    assert_eq!(house.buy(LONG).await, FILLED);
    assert_eq!(house.buy(LONG).await, FILLED);
    // The venue refuses the third, and the fourth is not even sent.
    assert_eq!((house.buy(LONG).await, house.brakes_shut()), (BRAKED, 1));
    let written = house
        .placing
        .tally
        .lock()
        .expect("whole")
        .tick_to_order
        .len();
    assert_eq!(house.buy(LONG).await, BRAKED);
    assert_eq!(
        house
            .placing
            .tally
            .lock()
            .expect("whole")
            .tick_to_order
            .len(),
        written
    );
    assert_eq!((house.at_venue(), house.brakes_shut()), ((2, 2), 1));
    // The launcher halts the pipeline because of the file, and a person resumes.
    let safe = std::fs::read_to_string(house.directory.path().join("safe")).expect("it halts");
    assert!(safe.contains("max_burst_contracts = 2"), "{safe}");
    house
        .word
        .send_modify(|word| (word.halted, word.since_unix_us) = (true, 2));
    house
        .word
        .send_modify(|word| (word.halted, word.since_unix_us) = (false, 3));
    assert_eq!(house.buy(LONG).await, FILLED);
    assert_eq!(house.at_venue(), (3, 3));
}

/// The limit in force, and not the one that was in force at the start.
#[tokio::test]
async fn limit_burst_lets_pass() {
    let mut house = House::open(2).await;
    assert_eq!(house.buy(LONG).await, FILLED);
    house.word.send_modify(|word| word.burst_contracts = 50);
    let limit = async || {
        loop {
            let hub = &house.outside.shared.hub;
            let all = hub.read(|exchange| {
                exchange
                    .groups()
                    .all(|(_, group)| group.limit_centi == 5_000)
            });
            if all {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let limited = tokio::time::timeout(PATIENCE, limit()).await;
    limited.expect("the limit in force");
    for _ in 0..3 {
        assert_eq!(house.buy(LONG).await, FILLED);
    }
}

#[tokio::test]
async fn a_halt_pulls_the_brake_and_the_next_word_lets_it_go() {
    let mut house = House::open(50).await;
    assert_eq!(house.buy(LONG).await, FILLED);
    let shard = *house.shards.borrow().last().expect("a shard");
    let pass = house.placing.brake.admit(shard, PATIENCE).await;
    let pass = pass.expect("open");
    let group = house.group().remove(0);
    house
        .word
        .send_modify(|word| (word.halted, word.since_unix_us) = (true, 2));
    // What was on its way when trading was halted is refused there, and that is no reason to halt.
    while house.post_in(&group).await == 201 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    house.placing.brake.was_shut(&pass);
    assert_eq!(house.brakes_shut(), 0);
    house
        .word
        .send_modify(|word| (word.halted, word.since_unix_us) = (false, 3));
    // Nor is an answer that comes only now.
    assert_eq!(house.buy(LONG).await, FILLED);
    house.placing.brake.was_shut(&pass);
    assert_eq!((house.buy(LONG).await, house.brakes_shut()), (FILLED, 0));
    assert_eq!(house.group(), [group], "the same");
    assert!(!house.directory.path().join("safe").exists());
}

impl House {
    /// The predecessor is dead, and its successor begins.
    async fn succeed(&mut self) {
        let (rest, directory) = (self.placing.rest.clone(), self.directory.path());
        let tally = Arc::clone(&self.placing.tally);
        self.keeper.abort();
        (self.placing.brake, self.keeper) =
            brake(&rest, directory, &self.word, &self.shards, &tally);
        assert!(self.placing.brake.is_fenced().await);
    }

    /// What the venue says to an order that names a group.
    async fn post_in(&mut self, group: &str) -> u16 {
        let ticker = self.outside.tickers().await.remove(0);
        let id = format!("by hand {}", self.next);
        self.next += 1;
        let order = Outside::order(&ticker, &id, "bid", "0.4000", "1.00", "immediate_or_cancel");
        let order = order.replacen('{', &format!(r#"{{"order_group_id":"{group}","#), 1);
        loop {
            match self.outside.place(&order).await.0 {
                429 => tokio::time::sleep(Duration::from_millis(50)).await,
                status => return status,
            }
        }
    }
}

/// To die is no way around a brake.
#[tokio::test]
async fn a_successor_finds_the_brake_shut() {
    let mut house = House::open(1).await;
    assert_eq!(house.buy(LONG).await, FILLED);
    assert_eq!(house.buy(LONG).await, BRAKED);
    let dead = house.group().remove(0);
    house.succeed().await;
    assert_eq!(house.buy(LONG).await, BRAKED);
    house.word.send_modify(|word| word.since_unix_us = 2);
    assert_eq!(house.buy(LONG).await, FILLED);
    assert_eq!(house.post_in(&dead).await, 400, "not even then");
    // Whoever ends in order leaves nothing behind.
    house.placing.brake.end().await;
    assert_eq!(house.group(), [] as [String; 0]);
    assert!(!house.directory.path().join("order_groups.json").exists());
}

/// What a dead process has sent may still be on its way when its successor has looked for it in vain.
#[tokio::test]
async fn nothing_that_a_dead_predecessor_has_sent_passes_once_its_successor_looks() {
    let mut house = House::open(50).await;
    assert_eq!(house.buy(LONG).await, FILLED);
    let dead = house.group().remove(0);
    assert_eq!(house.post_in(&dead).await, 201);
    house.succeed().await;
    assert_eq!(house.post_in(&dead).await, 400);
    assert_eq!((house.buy(LONG).await, house.brakes_shut()), (FILLED, 0));
    // Nor when trading was halted and goes on.
    house
        .word
        .send_modify(|word| (word.halted, word.since_unix_us) = (true, 2));
    house
        .word
        .send_modify(|word| (word.halted, word.since_unix_us) = (false, 3));
    assert_eq!(house.buy(LONG).await, FILLED);
    assert_eq!(house.post_in(&dead).await, 400);
    house.placing.brake.end().await;
    assert_eq!(house.group(), [] as [String; 0]);
}

#[tokio::test]
async fn a_venue_that_makes_no_groups_is_not_traded_at() {
    let house = House::open(1).await;
    let body = r#"{"error":{"code":"forbidden","message":"not for your tier"}}"#;
    let refuse = move || async move { (axum::http::StatusCode::FORBIDDEN, body) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}/x", listener.local_addr().expect("an address"));
    let router = axum::Router::new().fallback(refuse);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let signer = Signer::from_pem(KEY_ID, &house.outside.pem).expect("the key");
    let rest = KalshiRest::new(&base, signer, &Trust::none()).expect("an address");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let tally = &house.placing.tally;
    let (brake, _keeper) = brake(&rest, elsewhere.path(), &house.word, &house.shards, tally);
    let refusal = brake.opened().await.expect_err("none");
    assert!(
        refusal.contains("403") && refusal.contains("your tier"),
        "{refusal}"
    );
    let passes = brake.admit(0, Duration::from_millis(1)).await;
    assert!(passes.is_err(), "{passes:?}");
}

/// No group can be named for it, and a guess would be taken for a brake that has shut.
#[tokio::test]
async fn a_market_of_an_unknown_shard_is_not_traded() {
    let mut house = House::open(50).await;
    let ticker = house.outside.tickers().await.remove(0);
    house.placing.listings = Listings::of_one(3, &ticker, None);
    let unknown = (
        Some(OrderStatus::Rejected),
        Some(RejectReason::UnknownMarket),
        0,
    );
    assert_eq!(house.buy(LONG).await, unknown);
    assert_eq!((house.at_venue(), house.brakes_shut()), ((0, 0), 0));
    assert!(!house.directory.path().join("safe").exists());
}

/// Somebody has ended our group: that is no brake that has shut, and another is opened.
#[tokio::test]
async fn a_group_that_is_gone_is_replaced() {
    let mut house = House::open(50).await;
    assert_eq!(house.buy(LONG).await, FILLED);
    let shard = *house.shards.borrow().last().expect("a shard");
    for group in house.group() {
        let ended = house.placing.rest.delete_order_group(&group, shard).await;
        ended.expect("it was there");
    }
    let refused = (Some(OrderStatus::Rejected), Some(RejectReason::Other), 0);
    assert_eq!(house.buy(LONG).await, refused);
    assert_eq!((house.buy(LONG).await, house.brakes_shut()), (FILLED, 0));
    assert!(!house.directory.path().join("safe").exists());
}

/// Whatever goes wrong on the way of the answer, an order trades at most once, and we know whether it did.
#[tokio::test]
async fn an_answer_that_says_nothing_is_resolved_exactly_once() {
    let mut house = House::open(50).await;
    house.listen();
    house.outside.shared.faults.plan([Fault::Before(403)]);
    let refused = (
        Some(OrderStatus::Rejected),
        Some(RejectReason::Authentication),
        0,
    );
    assert_eq!(house.buy(LONG).await, refused);
    assert_eq!(house.at_venue(), (0, 0));
    for (number, fault) in [500, 503]
        .into_iter()
        .flat_map(|status| [Fault::Before(status), Fault::After(status)])
        .enumerate()
    {
        house.outside.shared.faults.plan([fault]);
        assert_eq!(house.buy(LONG).await, FILLED, "{fault:?}");
        assert_eq!(house.at_venue(), (number + 1, number + 1), "{fault:?}");
    }
}

/// It hangs until its sender gives up, expires, is missed by every read for two seconds, and then arrives.
#[tokio::test]
async fn an_order_that_arrives_after_its_time_out_is_booked_once() {
    let mut house = House::open(50).await;
    assert_eq!(house.buy(LONG).await, FILLED);
    house.outside.shared.faults.plan([Fault::Late(5_000)]);
    assert_eq!(house.buy(250).await, FILLED);
    assert_eq!(house.at_venue(), (2, 2));
    let tally = house.placing.tally.lock().expect("whole");
    assert!(tally.look_ups > 8, "{} look-ups", tally.look_ups);
}
