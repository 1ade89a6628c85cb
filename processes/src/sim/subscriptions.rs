//! One WebSocket session's subscriptions: commands in, frames out. No I/O.
//!
//! Sequence numbers count per subscription over all its markets, and `ok` replies and snapshots take
//! one too. `ticker`, `fill`, `user_order` and `market_position` carry none.

mod frames;

use super::exchange::Exchange;
use super::ledger::MarketNumber;
use super::records::Happening;
use frames::{frame, snapshot, ticker};
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
        // All channels are confirmed before the first says anything.
        let (mut frames, mut firsts) = (Vec::new(), Vec::new());
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
                firsts.extend(self.snapshots(
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
        frames.extend(firsts);
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
