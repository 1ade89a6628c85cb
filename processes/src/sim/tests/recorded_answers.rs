//! Every recorded request of one session at the real venue, made again here in the same order: the same
//! status, the same words where it was refused, and the same keys of the same JSON types where it was not.

use super::laws::{START, order};
use super::outside::{KEY_ID, Outside, recorded};
use crate::sim::auth::tests::signed_headers;
use crate::sim::catalogue::NewEvent;
use crate::sim::exchange::Exchange;
use crate::sim::game::League;
use crate::sim::records::{NewOrder, TimeInForce};
use crate::sim::times::now_us;
use layouts::Side;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is not made again, and why.
const LEFT_OUT: [(&str, &str); 5] = [
    (
        "orders__legacy_create",
        "switched off since: see the test of its refusal",
    ),
    (
        "orders__legacy_cancel",
        "switched off since: see the test of its refusal",
    ),
    ("session__manifest", "no request"),
    ("ws__orderbook_trade_noleg", "a WebSocket session"),
    ("ws__orderbook_trade_yes", "a WebSocket session"),
];

/// Keys that the venue sends since the recording was made.
const SINCE: [&str; 3] = ["exchange_index", "settlement_bounds_type", "trade_id"];

/// Keys that only some kinds of markets have, and others of those recorded than ours.
const SOME_MARKETS: [&str; 7] = [
    "custom_strike",
    "floor_strike",
    "cap_strike",
    "is_provisional",
    "mve_collection_ticker",
    "mve_selected_legs",
    "primary_participant_key",
];

/// One recorded request and its answer.
struct Recording {
    name: String,
    meta: Value,
    body: Value,
}

fn recordings(folder: &Path) -> Vec<Recording> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path: PathBuf = entry.expect("readable").path();
        let file = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        let Some(name) = file.strip_suffix(".meta.json") else {
            continue;
        };
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            serde_json::from_str(&text).unwrap_or(Value::Null)
        };
        let body = read(&folder.join(format!("{name}.json")));
        all.push(Recording {
            name: name.to_string(),
            meta: read(&path),
            body,
        });
    }
    // Those without a time came later.
    all.sort_by_key(|one| {
        one.meta["recorded_at_epoch_ms"]
            .as_i64()
            .unwrap_or(i64::MAX)
    });
    all
}

/// The markets that the session met: the one it traded, as it stood, one with a tape, settled and closed ones.
fn prepare(exchange: &mut Exchange) {
    exchange.endow(START);
    let them = exchange.open_account();
    let list = |exchange: &mut Exchange, ticker: &str, codes: [&str; 2]| {
        let event = NewEvent {
            ticker: ticker.to_string(),
            series: League::Nfl.series(),
            fees: None,
            start_us: now_us(),
            teams: codes.map(|code| (code.to_string(), code.to_string())),
        };
        exchange.list(event, now_us())
    };
    let place = |exchange: &mut Exchange, market, side, price_e4, centi| {
        let new = NewOrder {
            market,
            ..order(them, side, price_e4, centi, TimeInForce::GoodTillCanceled)
        };
        exchange.create(new, now_us()).expect("taken");
    };
    let [traded, _] = list(
        exchange,
        "KXWTACHALLENGERMATCH-26JUN11JIMLEP",
        ["LEP", "JIM"],
    );
    place(exchange, traded, Side::Bid, 4_700, 300);
    place(exchange, traded, Side::Ask, 5_200, 300);
    let [taped, _] = list(exchange, "KXPGATOUR-USO26", ["JDAY", "ELSE"]);
    for _ in 0..13 {
        place(exchange, taped, Side::Ask, 300, 777);
        place(exchange, taped, Side::Bid, 300, 777);
    }
    for number in 0..6 {
        for market in list(exchange, &format!("KXOVER-{number}"), ["A", "B"]) {
            exchange.close(market, now_us());
            exchange.determine(market, 10_000, now_us());
            if number < 3 {
                exchange.settle(market, now_us());
            }
        }
    }
}

/// What stands for what: identities of the recording, and ours.
type Names = Vec<(String, String)>;

impl Outside {
    /// Makes a recorded request again.
    async fn again(&self, one: &Recording, names: &Names) -> (u16, Value) {
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        let mut path = text(&one.meta["path"]);
        for (theirs, ours) in names {
            path = path.replace(theirs, ours);
        }
        let method = text(&one.meta["method"]);
        let signed = path.split('?').next().unwrap_or("").to_string();
        let auth = text(&one.meta["auth"]);
        let skew_ms = match one.name.strip_prefix("auth__skew_") {
            Some("minus30s") => -30_000,
            Some("minus5min") => -300_000,
            Some("minus5s") => -5_000,
            Some("plus5min") => 300_000,
            Some("plus5s") => 5_000,
            _ => 0,
        };
        assert_eq!(skew_ms != 0, auth == "signed-skewed", "{}", one.name);
        let id = if auth == "unknown-key-id" {
            "00000000-0000-0000-0000-000000000000"
        } else {
            KEY_ID
        };
        let over = if auth == "bad-signature" {
            "/else"
        } else {
            &signed
        };
        let mut headers = signed_headers(&self.pair, id, now_us() / 1_000 + skew_ms, &method, over);
        match auth.as_str() {
            "missing-signature-header" => drop(headers.remove("kalshi-access-signature")),
            "signed" | "signed-skewed" | "bad-signature" | "unknown-key-id" => {}
            _ => headers.clear(),
        }
        let verb = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self
            .http
            .request(verb, format!("http://{}{path}", self.address))
            .headers(headers);
        if !one.meta["request_body"].is_null() {
            request = request.body(one.meta["request_body"].to_string());
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.text().await.expect("a body");
        (
            status,
            serde_json::from_str(&body).unwrap_or(Value::String(body)),
        )
    }
}

/// How often each place of a body occurs, and with which JSON types. `[]` is any element of a list.
type Survey = BTreeMap<String, (usize, BTreeSet<&'static str>)>;

fn survey(value: &Value, place: &str, into: &mut Survey) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let entry = into.entry(place.to_string()).or_default();
    entry.0 += 1;
    entry.1.insert(kind);
    match value {
        Value::Array(rows) => rows
            .iter()
            .for_each(|row| survey(row, &format!("{place}[]"), into)),
        // Its keys are data.
        Value::Object(_) if place.ends_with("custom_strike") => {}
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, one)| survey(one, &format!("{place}.{key}"), into)),
        _ => {}
    }
}

/// What differs between two shapes: keys that every recorded object has, types, keys that none has.
fn differences(theirs: &Value, ours: &Value) -> Vec<String> {
    let (mut there, mut here) = (Survey::new(), Survey::new());
    survey(theirs, "", &mut there);
    survey(ours, "", &mut here);
    let times = |survey: &Survey, place: &str| survey.get(place).map_or(0, |(times, _)| *times);
    let mut found = Vec::new();
    for (place, (count, _)) in &there {
        let Some((parent, key)) = place.rsplit_once('.') else {
            continue;
        };
        let always = *count == times(&there, parent);
        if always
            && !key.ends_with("[]")
            && !SOME_MARKETS.contains(&key)
            && times(&here, place) != times(&here, parent)
        {
            found.push(format!("`{place}` is missing"));
        }
    }
    for (place, (_, kinds)) in &here {
        match there.get(place) {
            Some((_, known)) if !kinds.is_subset(known) => {
                found.push(format!("`{place}` is {kinds:?}, there {known:?}"))
            }
            Some(_) => {}
            None => {
                let Some((parent, key)) = place.rsplit_once('.') else {
                    continue;
                };
                let known =
                    key.ends_with("[]") || SINCE.contains(&key) || SOME_MARKETS.contains(&key);
                if !known && there.contains_key(parent) {
                    found.push(format!("`{place}` is not at the venue"));
                }
            }
        }
    }
    found
}

/// Remembers which of ours stands for which recorded identity.
fn learn(theirs: &Value, ours: &Value, names: &mut Names) {
    for key in ["order_id", "cursor"] {
        if let (Some(old), Some(new)) = (theirs[key].as_str(), ours[key].as_str())
            && old.len() > 8
        {
            names.push((old.to_string(), new.to_string()));
        }
    }
}

#[tokio::test]
async fn the_recorded_session_gets_the_recorded_answers() {
    let Some(readme) = recorded("kalshi_rest/fortuna_demo_2026-06-11/README.md") else {
        return;
    };
    let outside = Outside::open_with(6, false, prepare).await;
    let (mut names, mut wrong, mut made) = (Names::new(), Vec::new(), 0);
    for one in recordings(readme.parent().expect("a folder")) {
        if let Some((name, reason)) = LEFT_OUT.iter().find(|(name, _)| *name == one.name) {
            println!("not made again: {name}: {reason}");
            continue;
        }
        if one.meta["path"]
            .as_str()
            .is_some_and(|path| path.contains("/portfolio/orders"))
        {
            // Reads of orders lag behind, here as there.
            tokio::time::sleep(Duration::from_millis(450)).await;
        }
        let (status, ours) = loop {
            let answer = outside.again(&one, &names).await;
            if answer.0 != 429 {
                break answer;
            }
            // The session took its time.
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let mut theirs = one.body.clone();
        if let Some(error) = theirs.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("service");
        }
        let mut found = differences(&theirs, &ours);
        if status >= 400 && ours != theirs {
            found.push(format!("{ours}, there {theirs}"));
        }
        if Some(u64::from(status)) != one.meta["status"].as_u64() {
            found.push(format!("status {status}, there {}", one.meta["status"]));
        }
        wrong.extend(
            found
                .into_iter()
                .map(|what| format!("{}: {what}", one.name)),
        );
        learn(&theirs, &ours, &mut names);
        made += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(made, 55, "requests of the session");
}
