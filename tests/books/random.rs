//! A venue that does everything, likely and unlikely, wrong things included; each seed its own story.

use super::DISCONNECTED;
use rand::{Rng, SeedableRng, seq::IteratorRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use stages::books::Wanted;
use std::collections::BTreeMap;

const MARKETS: usize = 6;
/// Markets that are traded and not followed.
const STRANGERS: usize = 1;
/// Levels of one side that a quiet market comes back to.
const LEVELS: usize = 16;

/// Prices (1/10,000 dollar) and counts (1/100 contract) that there are, for all that the venue has told.
type Side = BTreeMap<u64, i64>;

/// A venue with some markets in two subscriptions.
pub(super) struct Venue {
    random: ChaCha8Rng,
    /// Each with its last number.
    sids: [(u64, u64); 2],
    next_sid: u64,
    books: [[Side; 2]; MARKETS + STRANGERS],
    /// Subscriptions to confirm, by place.
    unconfirmed: Vec<usize>,
    /// Markets whose snapshots are due.
    due: Vec<usize>,
}

fn ticker(market: usize) -> String {
    format!("KXRANDOM-26NOV23-{market}")
}

fn subscription_of(market: usize) -> usize {
    market % 2
}

impl Venue {
    /// Of the markets that are followed, by number.
    pub(super) fn tickers() -> Vec<String> {
        (0..MARKETS).map(ticker).collect()
    }

    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            sids: [(1, 0), (2, 0)],
            next_sid: 3,
            books: Default::default(),
            unconfirmed: vec![0, 1],
            due: (0..MARKETS).collect(),
        }
    }

    /// The next text, after one that made the reader ask for something.
    pub(super) fn next(&mut self, wanted: Wanted) -> String {
        match wanted {
            Wanted::Nothing => {}
            Wanted::One { market, .. } => self.due.push(market as usize),
            Wanted::All { sid } => {
                let place = self.sids.iter().position(|own| own.0 == u64::from(sid));
                let markets = (0..MARKETS).filter(|market| Some(subscription_of(*market)) == place);
                self.due.extend(markets);
            }
        }
        if let Some(place) = self.unconfirmed.pop() {
            return self.confirm(place);
        }
        // A venue takes its time: deltas come to books that wait.
        if !self.due.is_empty() && self.random.random_ratio(1, 6) {
            let place = self.random.random_range(0..self.due.len());
            let market = self.due.swap_remove(place);
            return self.snapshot(market);
        }
        let market = self.random.random_range(0..MARKETS + STRANGERS);
        match self.random.random_range(0..1_000) {
            0..890 => self.delta(market),
            890..940 => self.snapshot(market),
            940..960 => self.other(market),
            960..975 => self.lifecycle(market),
            // Each costs all books of its subscription, as a gap does.
            975..985 => self.unreadable(market),
            985..997 => self.out_of_order(market),
            997..999 => self.again(),
            _ => {
                self.again();
                self.unconfirmed = vec![0, 1];
                self.due = (0..MARKETS).collect();
                DISCONNECTED.to_owned()
            }
        }
    }

    /// A subscription begins, most often a new one.
    fn confirm(&mut self, place: usize) -> String {
        self.sids[place].1 = 0;
        let sid = self.sids[place].0;
        json!({"type": "subscribed", "id": 1, "msg": {"channel": "orderbook_delta", "sid": sid}})
            .to_string()
    }

    /// The connection's subscriptions get new numbers; or one begins anew under its old one.
    fn again(&mut self) -> String {
        let place = self.random.random_range(0..2);
        if self.random.random_bool(0.5) {
            for sid in &mut self.sids {
                (*sid, self.next_sid) = ((self.next_sid, 0), self.next_sid + 1);
            }
            self.unconfirmed = vec![1 - place];
        }
        self.confirm(place)
    }

    fn numbered(&mut self, market: usize, kind: &str, message: Value) -> String {
        let (sid, last) = &mut self.sids[subscription_of(market)];
        *last += 1;
        json!({"type": kind, "sid": sid, "seq": last, "msg": message}).to_string()
    }

    /// A decimal of so many decimals, in one of the ways in which it can be written.
    fn decimal(&mut self, value: i64, decimals: usize) -> String {
        let mut text = layouts::units::format_decimal(value, u32::try_from(decimals).unwrap());
        match self.random.random_range(0..8) {
            0 => text.push_str("00"),
            1 => {
                while text.ends_with('0') {
                    text.pop();
                }
                if text.ends_with('.') && self.random.random_bool(0.5) {
                    text.pop();
                }
            }
            _ => {}
        }
        text
    }

    /// Near the middle of this market, now and then anywhere, also off the grid of whole cents.
    fn price(&mut self, market: usize) -> u64 {
        let cents = match self.random.random_range(0..50) {
            0 => self.random.random_range(0..=100),
            _ => 20 + 7 * market as u64 + self.random.random_range(0..20),
        };
        let off = self.random.random_ratio(1, 40) && cents < 100;
        cents * 100
            + if off {
                self.random.random_range(1..100)
            } else {
                0
            }
    }

    /// Most often some hundreds of contracts, now and then more than fits where prices are published.
    fn count(&mut self) -> i64 {
        match self.random.random_range(0..200) {
            0 => self.random.random_range(1..i64::MAX / 4),
            1..40 => self.random.random_range(1..100),
            _ => self.random.random_range(1..500) * 100,
        }
    }

    fn delta(&mut self, market: usize) -> String {
        let side = self.random.random_range(0..2);
        let levels = &self.books[market][side];
        let there = levels.iter().choose(&mut self.random);
        let there = there.map(|(price, count)| (*price, *count));
        let crowded = levels.len() > LEVELS;
        let (price, change) = match (there, self.random.random_range(0..1_000)) {
            // Below nothing, from nothing, and beyond what can be counted.
            (Some((price, count)), 0..4) => {
                (price, (-count).saturating_sub(self.count()).max(-i64::MAX))
            }
            (_, 4..6) => (self.price(market), -self.count()),
            (Some((price, _)), 6..8) => (price, i64::MAX),
            (_, 8..12) => (self.price(market), 0),
            (Some((price, count)), 12..300) => (price, -count),
            (Some((price, count)), 300..500) => (price, -(count / 2).max(1)),
            (Some((price, count)), _) if crowded => (price, -count),
            _ => (self.price(market), self.count()),
        };
        let now = self.books[market][side].entry(price).or_default();
        *now = now.saturating_add(change).max(0);
        if *now == 0 {
            self.books[market][side].remove(&price);
        }
        let name = ["yes", "no"][side];
        let message = json!({
            "market_ticker": ticker(market), "market_id": "9b0f6b43", "side": name, "ts_ms": 1,
            "price_dollars": self.decimal(price.cast_signed(), 4), "delta_fp": self.decimal(change, 2),
        });
        self.numbered(market, "orderbook_delta", message)
    }

    /// A whole book: mostly the one that there is, else another; empty sides in all ways of saying so.
    fn snapshot(&mut self, market: usize) -> String {
        let mut message = json!({"market_ticker": ticker(market)});
        for (side, key) in ["yes_dollars_fp", "no_dollars_fp"].into_iter().enumerate() {
            if self.random.random_ratio(1, 5) {
                let some = self.random.random_range(0..LEVELS);
                let levels = (0..some).map(|_| (self.price(market), self.count()));
                self.books[market][side] = levels.collect();
            }
            let levels = self.books[market][side].clone().into_iter();
            let mut told: Vec<(u64, i64)> = levels.collect();
            match self.random.random_range(0..100) {
                // A level twice, one of less than nothing, one of nothing, and the best first.
                0 => told.extend(told.first().copied()),
                1 => told.push((self.price(market), -1)),
                2..5 => told.push((10_000, 0)),
                5..20 => told.reverse(),
                _ => {}
            }
            let pairs = told.into_iter().map(|(price, count)| {
                json!([self.decimal(price.cast_signed(), 4), self.decimal(count, 2)])
            });
            let pairs: Vec<Value> = pairs.collect();
            match (pairs.is_empty(), self.random.random_range(0..3)) {
                (true, 0) => {}
                (true, 1) => message[key] = Value::Null,
                _ => message[key] = Value::Array(pairs),
            }
        }
        self.numbered(market, "orderbook_snapshot", message)
    }

    /// Numbered and of no book.
    fn other(&mut self, market: usize) -> String {
        match self.random.random_range(0..3) {
            0 => self.numbered(market, "ok", json!({"market_tickers": []})),
            1 => self.numbered(market, "a_new_type", json!("whatever")),
            _ => json!({"type": "subscribed", "id": 7, "msg": {"channel": "fill", "sid": 900}})
                .to_string(),
        }
    }

    fn lifecycle(&mut self, market: usize) -> String {
        let steps = [
            "activated",
            "activated",
            "deactivated",
            "determined",
            "metadata_updated",
        ];
        let step = steps[self.random.random_range(0..steps.len())];
        let message = json!({"market_ticker": ticker(market), "event_type": step});
        json!({"type": "market_lifecycle_v2", "sid": 901, "msg": message}).to_string()
    }

    /// A delta with something in it that is no price, count or side; it takes a number, which is then missing.
    fn unreadable(&mut self, market: usize) -> String {
        let text = self.delta(market);
        let mut frame: Value = serde_json::from_str(&text).unwrap();
        let message = &mut frame["msg"];
        match self.random.random_range(0..9) {
            0 => message["price_dollars"] = json!("0.42005"),
            1 => message["price_dollars"] = json!("1.0100"),
            2 => message["price_dollars"] = json!("-0.4200"),
            3 => message["price_dollars"] = json!(0.42),
            4 => message["delta_fp"] = json!("1.005"),
            5 => message["delta_fp"] = json!("92233720368547758.08"),
            6 => message["delta_fp"] = json!("1e2"),
            7 => message["side"] = json!("maybe"),
            _ => return text[..text.len() / 2].to_owned(),
        }
        frame.to_string()
    }

    /// Numbers that are left out, said twice, or of a subscription that nobody began.
    fn out_of_order(&mut self, market: usize) -> String {
        let place = subscription_of(market);
        let right = self.sids[place];
        match self.random.random_range(0..3) {
            0 => self.sids[place].1 += self.random.random_range(1..5),
            1 => self.sids[place].1 = right.1.saturating_sub(1),
            _ => self.sids[place] = (800, right.1),
        }
        let text = match self.random.random_bool(0.8) {
            true => self.delta(market),
            false => self.snapshot(market),
        };
        if self.sids[place].0 == 800 {
            self.sids[place] = right;
        }
        text
    }
}
