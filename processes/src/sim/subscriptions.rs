//! One WebSocket session's subscriptions: commands in, frames out. No I/O.
//!
//! Sequence numbers count per subscription over all its markets, and `ok` replies and snapshots take
//! one too. `ticker`, `fill`, `user_order` and `market_position` carry none.

use super::catalogue::Life;
use super::exchange::{Exchange, Happening, Trade};
use super::ledger::MarketNumber;
use super::times::{SECOND_US, rfc3339};
use super::wire;
use layouts::Side;
use layouts::units::E4_PER_DOLLAR;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Orderbook,
    Ticker,
    Trade,
    Fill,
    UserOrders,
    Positions,
    Lifecycle,
}

impl Channel {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "orderbook_delta" => Self::Orderbook,
            "ticker" => Self::Ticker,
            "trade" => Self::Trade,
            "fill" => Self::Fill,
            "user_orders" => Self::UserOrders,
            "market_positions" => Self::Positions,
            "market_lifecycle_v2" => Self::Lifecycle,
            _ => return None,
        })
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Orderbook => "orderbook_delta",
            Self::Ticker => "ticker",
            Self::Trade => "trade",
            Self::Fill => "fill",
            Self::UserOrders => "user_orders",
            Self::Positions => "market_positions",
            Self::Lifecycle => "market_lifecycle_v2",
        }
    }
}

#[derive(Debug)]
struct Subscription {
    channel: Channel,
    /// `None` takes in every market.
    markets: Option<BTreeSet<MarketNumber>>,
    use_yes_price: bool,
    seq: u64,
}

impl Subscription {
    fn wants(&self, channel: Channel, market: MarketNumber) -> bool {
        self.channel == channel
            && self
                .markets
                .as_ref()
                .is_none_or(|markets| markets.contains(&market))
    }

    fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

/// Errors of a command: the venue's code and text.
#[derive(Debug, Clone, Copy)]
struct Fault(u8, &'static str);

const UNABLE: Fault = Fault(1, "Unable to process message");
const PARAMS: Fault = Fault(2, "Params required");
const CHANNELS: Fault = Fault(3, "Channels required");
const SIDS: Fault = Fault(4, "Subscription IDs required");
const COMMAND: Fault = Fault(5, "Unknown command");
const UNKNOWN_SID: Fault = Fault(7, "Unknown subscription ID");
const UNKNOWN_CHANNEL: Fault = Fault(8, "Unknown channel name");
const PARAMETER: Fault = Fault(11, "Invalid parameter");
const ONE_SID: Fault = Fault(12, "Exactly one subscription ID is required");
const ACTION: Fault = Fault(13, "Unsupported action");
const TICKER: Fault = Fault(14, "Market Ticker required");
const NO_ACTION: Fault = Fault(15, "Action required");

/// The terminal error of a session whose client does not keep up.
pub(crate) const OVERFLOW: &str =
    r#"{"type":"error","msg":{"code":25,"msg":"Subscription buffer overflow"}}"#;

/// All subscriptions of one session.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    list: BTreeMap<u64, Subscription>,
    last_sid: u64,
}

impl Subscriptions {
    /// Whether the session listens to an order book.
    pub(crate) fn has_orderbook(&self) -> bool {
        self.list
            .values()
            .any(|one| one.channel == Channel::Orderbook)
    }

    /// Loses a frame of each order book on purpose: the client must notice the gap and recover.
    pub(crate) fn inject_gap(&mut self) {
        for one in self
            .list
            .values_mut()
            .filter(|one| one.channel == Channel::Orderbook)
        {
            one.next();
        }
    }

    /// Carries out a command and returns the frames that answer it.
    pub(crate) fn command(&mut self, text: &str, exchange: &Exchange) -> Vec<String> {
        let Ok(Value::Object(command)) = serde_json::from_str::<Value>(text) else {
            return vec![error(None, UNABLE)];
        };
        let id = command.get("id").and_then(Value::as_i64);
        let params = command.get("params").and_then(Value::as_object);
        let name = command.get("cmd").and_then(Value::as_str).unwrap_or("");
        let result = match (name, params) {
            ("list_subscriptions", _) => Ok(vec![self.listing(id)]),
            ("subscribe" | "unsubscribe" | "update_subscription", None) => Err(PARAMS),
            ("subscribe", Some(params)) => self.subscribe(id, params, exchange),
            ("unsubscribe", Some(params)) => self.unsubscribe(id, params),
            ("update_subscription", Some(params)) => self.update(id, params, exchange),
            _ => Err(COMMAND),
        };
        result.unwrap_or_else(|fault| vec![error(id, fault)])
    }

    fn listing(&self, id: Option<i64>) -> String {
        let all: Vec<Value> = self
            .list
            .iter()
            .map(|(sid, one)| json!({"channel": one.channel.as_str(), "sid": sid}))
            .collect();
        json!({"type": "ok", "id": id, "msg": all}).to_string()
    }

    fn subscribe(
        &mut self,
        id: Option<i64>,
        params: &Map<String, Value>,
        exchange: &Exchange,
    ) -> Result<Vec<String>, Fault> {
        let names = params
            .get("channels")
            .and_then(Value::as_array)
            .filter(|names| !names.is_empty())
            .ok_or(CHANNELS)?;
        let mut channels = Vec::new();
        for name in names {
            channels.push(
                name.as_str()
                    .and_then(Channel::parse)
                    .ok_or(UNKNOWN_CHANNEL)?,
            );
        }
        let markets = markets_of(params, exchange)?;
        if markets.is_none() && channels.contains(&Channel::Orderbook) {
            return Err(TICKER);
        }
        let flag = |name: &str| params.get(name).and_then(Value::as_bool).unwrap_or(false);
        let mut frames = Vec::new();
        for channel in channels {
            let known = self
                .list
                .iter()
                .find(|(_, one)| one.channel == channel)
                .map(|(sid, _)| *sid);
            let sid = known.unwrap_or_else(|| {
                self.last_sid += 1;
                let fresh = Subscription {
                    channel,
                    markets: markets.clone(),
                    use_yes_price: flag("use_yes_price"),
                    seq: 0,
                };
                self.list.insert(self.last_sid, fresh);
                self.last_sid
            });
            if known.is_none() {
                frames.push(format!(
                    r#"{{"type":"subscribed","id":{},"msg":{{"channel":"{}","sid":{sid}}}}}"#,
                    json!(id),
                    channel.as_str()
                ));
                frames.extend(self.snapshots(
                    sid,
                    markets.iter().flatten().copied(),
                    flag("send_initial_snapshot"),
                    exchange,
                ));
            } else {
                // Subscribing again adds markets to the subscription that is there.
                frames.extend(self.add(id, sid, markets.clone().unwrap_or_default(), exchange));
            }
        }
        Ok(frames)
    }

    fn add(
        &mut self,
        id: Option<i64>,
        sid: u64,
        more: BTreeSet<MarketNumber>,
        exchange: &Exchange,
    ) -> Vec<String> {
        let Some(one) = self.list.get_mut(&sid) else {
            return Vec::new();
        };
        let fresh: Vec<_> = match &mut one.markets {
            Some(markets) => more
                .into_iter()
                .filter(|market| markets.insert(*market))
                .collect(),
            None => Vec::new(),
        };
        let mut frames = vec![ok(id, sid, one, exchange)];
        frames.extend(self.snapshots(sid, fresh.into_iter(), false, exchange));
        frames
    }

    fn unsubscribe(
        &mut self,
        id: Option<i64>,
        params: &Map<String, Value>,
    ) -> Result<Vec<String>, Fault> {
        let sids = params
            .get("sids")
            .and_then(Value::as_array)
            .filter(|sids| !sids.is_empty())
            .ok_or(SIDS)?;
        Ok(sids
            .iter()
            .map(|sid| {
                match sid
                    .as_u64()
                    .and_then(|sid| self.list.remove(&sid).map(|one| (sid, one)))
                {
                    Some((sid, mut one)) => {
                        json!({"type": "unsubscribed", "id": id, "sid": sid, "seq": one.next()})
                            .to_string()
                    }
                    None => error(id, UNKNOWN_SID),
                }
            })
            .collect())
    }

    fn update(
        &mut self,
        id: Option<i64>,
        params: &Map<String, Value>,
        exchange: &Exchange,
    ) -> Result<Vec<String>, Fault> {
        let sid = match (
            params.get("sid"),
            params
                .get("sids")
                .and_then(Value::as_array)
                .map(Vec::as_slice),
        ) {
            (Some(sid), None) | (None, Some([sid])) => sid.as_u64().ok_or(UNKNOWN_SID)?,
            _ => return Err(ONE_SID),
        };
        let one = self.list.get_mut(&sid).ok_or(UNKNOWN_SID)?;
        let action = params
            .get("action")
            .and_then(Value::as_str)
            .ok_or(NO_ACTION)?;
        if !matches!(action, "add_markets" | "delete_markets" | "get_snapshot") {
            return Err(ACTION);
        }
        let markets = markets_of(params, exchange)?.ok_or(TICKER)?;
        match action {
            "add_markets" => Ok(self.add(id, sid, markets, exchange)),
            "delete_markets" => {
                if let Some(kept) = &mut one.markets {
                    kept.retain(|market| !markets.contains(market));
                }
                Ok(vec![ok(id, sid, one, exchange)])
            }
            _ => Ok(self.snapshots(sid, markets.into_iter(), true, exchange)),
        }
    }

    /// The initial frames of markets: books always, tickers where asked for.
    fn snapshots(
        &mut self,
        sid: u64,
        markets: impl Iterator<Item = MarketNumber>,
        tickers: bool,
        exchange: &Exchange,
    ) -> Vec<String> {
        let Some(one) = self.list.get_mut(&sid) else {
            return Vec::new();
        };
        let mut frames = Vec::new();
        for market in markets {
            match one.channel {
                Channel::Orderbook => frames.push(snapshot(
                    sid,
                    one.next(),
                    one.use_yes_price,
                    market,
                    exchange,
                )),
                Channel::Ticker if tickers => frames.push(ticker(sid, market, 0, exchange)),
                _ => {}
            }
        }
        frames
    }

    /// The frames that tell this session of something that happened.
    pub(crate) fn frames(
        &mut self,
        happening: &Happening,
        exchange: &Exchange,
        out: &mut Vec<String>,
    ) {
        let (channel, market) = match happening {
            Happening::Delta { market, .. } => (Channel::Orderbook, *market),
            Happening::Trade(trade) => (Channel::Trade, trade.market),
            Happening::Ticker { market, .. } => (Channel::Ticker, *market),
            Happening::Fill(fill) => (Channel::Fill, fill.trade.market),
            Happening::Order(order) => (Channel::UserOrders, order.new.market),
            Happening::Position { market } => (Channel::Positions, *market),
            Happening::Life { market, .. } => (Channel::Lifecycle, *market),
        };
        for (sid, one) in self
            .list
            .iter_mut()
            .filter(|(_, one)| one.wants(channel, market))
        {
            out.extend(frame(*sid, one, happening, exchange));
        }
    }
}

/// The markets that a command names; `None` when it names none.
fn markets_of(
    params: &Map<String, Value>,
    exchange: &Exchange,
) -> Result<Option<BTreeSet<MarketNumber>>, Fault> {
    let mut named = BTreeSet::new();
    let mut any = false;
    for (one, many, by_id) in [
        ("market_ticker", "market_tickers", false),
        ("market_id", "market_ids", true),
    ] {
        let list = params
            .get(many)
            .map(|value| value.as_array().ok_or(PARAMETER))
            .transpose()?;
        for value in params
            .get(one)
            .into_iter()
            .chain(list.into_iter().flatten())
        {
            any = true;
            let name = value.as_str().ok_or(PARAMETER)?;
            let number = if by_id {
                exchange
                    .markets()
                    .iter()
                    .position(|market| market.id == name)
            } else {
                exchange.market_number(name)
            };
            named.insert(number.ok_or(PARAMETER)?);
        }
    }
    Ok(any.then_some(named))
}

fn error(id: Option<i64>, fault: Fault) -> String {
    let mut frame = json!({"type": "error", "msg": {"code": fault.0, "msg": fault.1}});
    if let Some(id) = id {
        frame["id"] = id.into();
    }
    frame.to_string()
}

fn ok(id: Option<i64>, sid: u64, one: &mut Subscription, exchange: &Exchange) -> String {
    let tickers: Vec<&str> = one
        .markets
        .iter()
        .flatten()
        .filter_map(|market| exchange.markets().get(*market))
        .map(|market| market.ticker.as_str())
        .collect();
    format!(
        r#"{{"type":"ok","id":{},"sid":{sid},"seq":{},"msg":{{"market_tickers":{}}}}}"#,
        json!(id),
        one.next(),
        json!(tickers)
    )
}

fn snapshot(
    sid: u64,
    seq: u64,
    use_yes_price: bool,
    market: MarketNumber,
    exchange: &Exchange,
) -> String {
    let Some(market) = exchange.markets().get(market) else {
        return String::new();
    };
    let (yes, no) = wire::levels(market, use_yes_price);
    let mut sides = String::new();
    for (key, levels) in [("yes_dollars_fp", yes), ("no_dollars_fp", no)] {
        // The key of a side without bids is absent, not an empty list.
        if !levels.is_empty() {
            sides.push_str(&format!(r#","{key}":{}"#, Value::Array(levels)));
        }
    }
    format!(
        r#"{{"type":"orderbook_snapshot","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{}","market_id":"{}"{sides}}}}}"#,
        market.ticker, market.id
    )
}

fn ticker(sid: u64, number: MarketNumber, at_us: i64, exchange: &Exchange) -> String {
    let Some(market) = exchange.markets().get(number) else {
        return String::new();
    };
    let at_us = if at_us == 0 { market.updated_us } else { at_us };
    let (bid, ask) = (market.book.best(Side::Bid), market.book.best(Side::Ask));
    json!({"type": "ticker", "sid": sid, "msg": {
        "market_ticker": market.ticker, "market_id": market.id, "price_dollars": wire::price(market.last_price_e4),
        "yes_bid_dollars": wire::price(bid.map_or(0, |(price, _)| price)),
        "yes_ask_dollars": wire::price(ask.map_or(E4_PER_DOLLAR, |(price, _)| price)),
        "yes_bid_size_fp": wire::count(bid.map_or(0, |(_, centi)| centi)),
        "yes_ask_size_fp": wire::count(ask.map_or(0, |(_, centi)| centi)),
        "last_trade_size_fp": wire::count(market.last_count_centi), "volume_fp": wire::count(market.volume_centi),
        "open_interest_fp": wire::count(market.open_interest_centi),
        "dollar_volume": market.dollar_volume_micros / 1_000_000,
        "dollar_open_interest": market.open_interest_centi / 100,
        "ts": at_us / SECOND_US, "ts_ms": at_us / 1_000, "time": rfc3339(at_us),
    }}).to_string()
}

fn frame(
    sid: u64,
    one: &mut Subscription,
    happening: &Happening,
    exchange: &Exchange,
) -> Option<String> {
    let ticker_of = |market: MarketNumber| exchange.markets().get(market);
    Some(match happening {
        Happening::Delta { market, side, price_e4, delta_centi, client_order_id, at_us } => {
            let market = ticker_of(*market)?;
            let own = *side == Side::Bid || one.use_yes_price;
            let price = wire::price(if own { *price_e4 } else { E4_PER_DOLLAR - *price_e4 });
            let ours = client_order_id.as_ref().map(|id| format!(r#","client_order_id":{},"subaccount":0"#, json!(id))).unwrap_or_default();
            format!(
                r#"{{"type":"orderbook_delta","sid":{sid},"seq":{},"msg":{{"market_ticker":"{}","market_id":"{}","price_dollars":"{price}","delta_fp":"{}","side":"{}"{ours},"ts":"{}","ts_ms":{}}}}}"#,
                one.next(), market.ticker, market.id, wire::count(*delta_centi), wire::outcome(*side), rfc3339(*at_us), at_us / 1_000
            )
        }
        Happening::Trade(trade) => json!({"type": "trade", "sid": sid, "seq": one.next(), "msg": trade_message(trade, &ticker_of(trade.market)?.ticker)}).to_string(),
        Happening::Ticker { market, at_us } => ticker(sid, *market, *at_us, exchange),
        Happening::Fill(fill) => {
            let mut message = wire::fill(exchange, fill);
            let object = message.as_object_mut()?;
            for absent in ["fill_id", "ticker", "no_price_dollars", "created_time", "subaccount_number"] {
                object.remove(absent);
            }
            if let Some(id) = &fill.client_order_id {
                object.insert("client_order_id".into(), id.as_str().into());
            }
            object.insert("purchased_side".into(), wire::outcome(fill.side).into());
            object.insert("post_position_fp".into(), wire::count(fill.position_after_centi).into());
            object.insert("subaccount".into(), 0.into());
            object.insert("ts_ms".into(), (fill.trade.at_us / 1_000).into());
            json!({"type": "fill", "sid": sid, "msg": message}).to_string()
        }
        Happening::Order(order) => json!({"type": "user_order", "sid": sid, "msg": wire::user_order(exchange, order)}).to_string(),
        Happening::Position { market } => {
            let entry = ticker_of(*market)?;
            let (_, holding) = exchange.client()?.holdings().find(|(number, _)| number == market)?;
            json!({"type": "market_position", "sid": sid, "msg": {
                "user_id": "", "market_ticker": entry.ticker, "position_fp": wire::count(holding.position_centi),
                "position_cost_dollars": wire::money(holding.exposure_micros), "realized_pnl_dollars": wire::money(holding.realized_micros),
                "fees_paid_dollars": wire::money(holding.fees_micros), "position_fee_cost_dollars": wire::money(0),
                "volume_fp": wire::count(entry.volume_centi),
            }}).to_string()
        }
        Happening::Life { market, life, at_us } => lifecycle(sid, one, &ticker_of(*market)?.ticker, *life, *at_us)?,
    })
}

fn trade_message(trade: &Trade, ticker: &str) -> Value {
    json!({
        "trade_id": trade.id, "market_ticker": ticker, "yes_price_dollars": wire::price(trade.price_e4),
        "no_price_dollars": wire::price(E4_PER_DOLLAR - trade.price_e4), "count_fp": wire::count(trade.count_centi),
        "taker_side": wire::outcome(trade.taker), "taker_outcome_side": wire::outcome(trade.taker),
        "taker_book_side": trade.taker.as_str(), "is_block_trade": false,
        "ts": trade.at_us / SECOND_US, "ts_ms": trade.at_us / 1_000,
    })
}

/// Closing has no event of its own at the venue: the close date is moved to now.
fn lifecycle(
    sid: u64,
    one: &mut Subscription,
    ticker: &str,
    life: Life,
    at_us: i64,
) -> Option<String> {
    let seconds = at_us / SECOND_US;
    let message = match life {
        Life::Active => return None,
        Life::Closed => {
            json!({"event_type": "close_date_updated", "market_ticker": ticker, "close_ts": seconds})
        }
        Life::Determined { value_e4, .. } => json!({
            "event_type": "determined", "market_ticker": ticker, "determination_ts": seconds,
            "result": life.result(), "settlement_value": wire::price(value_e4),
        }),
        Life::Finalized { .. } => {
            json!({"event_type": "settled", "market_ticker": ticker, "settled_ts": seconds})
        }
    };
    Some(
        json!({"type": "market_lifecycle_v2", "sid": sid, "seq": one.next(), "msg": message})
            .to_string(),
    )
}
