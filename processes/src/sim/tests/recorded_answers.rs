//! A session at the real venue, all that was recorded of it, made again here in the same order: the same status, the
//! same words where it was refused, the same keys and formats where it was not, and the same values wherever what
//! went before determines them.

use super::outside::{KEY_ID, Outside, next_json, recorded};
use super::recorded_session::{change, json, prepare};
use super::shapes::{shape, values};
use crate::sim::auth::tests::signed_headers;
use crate::sim::times::now_us;
use futures_util::SinkExt as _;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

/// Why a call is not made again: another test wants its refusal.
const SWITCHED_OFF: &str = "the venue has switched it off since";
/// Why a whole recording is of no use.
const OLD: &str = "of 2025: whole cents, a format that is gone";

/// Files that are not compared, and why.
const LEFT_OUT: [(&str, &str); 10] = [
    ("orders__legacy_create", SWITCHED_OFF),
    ("orders__legacy_cancel", SWITCHED_OFF),
    ("session__manifest", "a list of the other files"),
    ("README.md", "about the other files"),
    ("precog_kalshi_get_balance.json", OLD),
    ("precog_kalshi_get_fills.json", OLD),
    ("precog_kalshi_get_markets.json", OLD),
    ("precog_kalshi_get_positions.json", OLD),
    ("precog_kalshi_get_settlements.json", OLD),
    ("precog_kalshi_order_lifecycle.json", OLD),
];

/// Files about markets that are not ours: their shape is compared, not what they say.
const OF_OTHERS: [&str; 9] = [
    "markets__page1",
    "markets__page2",
    "markets__page3",
    "markets__garbage_cursor",
    "markets__unauth_list",
    "markets__status_open",
    "markets__status_closed",
    "markets__status_settled",
    "markets__high_temp",
];

/// What no replay determines: identities, times, prose, and a count of the last 24 hours that the
/// venue brings up to date when it likes.
const FREE: [&str; 29] = [
    "order_id",
    "trade_id",
    "fill_id",
    "market_id",
    "cursor",
    "created_time",
    "updated_time",
    "last_update_time",
    "open_time",
    "close_time",
    "expected_expiration_time",
    "expiration_time",
    "latest_expiration_time",
    "occurrence_datetime",
    "last_updated_ts",
    "updated_ts",
    "ts",
    "ts_ms",
    "title",
    "yes_sub_title",
    "no_sub_title",
    "rules_primary",
    "rules_secondary",
    "early_close_condition",
    "custom_strike",
    "settlement_timer_seconds",
    "volume_24h_fp",
    "service",
    "primary_participant_key",
];

/// How far the venue's reads of orders lag behind its writes.
const LAG: Duration = Duration::from_millis(400);

/// One recorded request and its answer, or a recorded stream.
struct Recording {
    name: String,
    meta: Value,
    /// The answer, or the frames.
    body: Value,
}

fn frames(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Some(
        lines
            .map(|line| serde_json::from_str::<Value>(line).expect("a frame"))
            .collect(),
    )
}

fn recordings(folder: &Path) -> Vec<Recording> {
    let mut all = Vec::new();
    for file in names(folder) {
        let Some(name) = file.strip_suffix(".meta.json") else {
            continue;
        };
        let stream = frames(&folder.join(format!("{name}.jsonl")));
        all.push(Recording {
            name: name.to_string(),
            meta: json(&folder.join(&file)),
            body: stream.unwrap_or_else(|| json(&folder.join(format!("{name}.json")))),
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

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).expect("readable");
    let files = entries.map(|entry| entry.expect("readable").path());
    files
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_string()))
        .collect()
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

    /// As [`Outside::again`], until it is not refused for haste: the session took its time.
    async fn patiently(&self, one: &Recording, names: &Names) -> (u16, Value) {
        loop {
            let answer = self.again(one, names).await;
            if answer.0 != 429 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A recorded request made again, and what is different.
    async fn compare(&self, one: &Recording, names: &mut Names) -> Vec<String> {
        let (status, ours) = self.patiently(one, names).await;
        let mut theirs = one.body.clone();
        if let Some(error) = theirs.get_mut("error").and_then(Value::as_object_mut) {
            // Dropped since.
            error.remove("service");
        }
        let mut found = shape(&theirs, &ours);
        if status >= 400 && ours != theirs {
            found.push(format!("{ours}, there {theirs}"));
        } else if !OF_OTHERS.contains(&one.name.as_str()) {
            found.extend(values(&theirs, &ours, &FREE));
        }
        if Some(u64::from(status)) != one.meta["status"].as_u64() {
            found.push(format!("status {status}, there {}", one.meta["status"]));
        }
        learn(&theirs, &ours, names);
        found
    }

    /// Subscribes as the session did and has somebody change the book as it changed then.
    async fn stream(&self, one: &Recording) -> Vec<String> {
        let command = &one.meta["subscribe_cmd"];
        let mut socket = self.connect().await;
        socket
            .send(Message::text(command.to_string()))
            .await
            .expect("sent");
        let mut found = Vec::new();
        for theirs in one.body.as_array().expect("frames") {
            if theirs["type"] == "orderbook_delta" {
                let in_yes = command["params"]["use_yes_price"] == true;
                self.shared
                    .hub
                    .with(|exchange| change(exchange, &theirs["msg"], in_yes));
            }
            let ours = next_json(&mut socket).await;
            found.extend(shape(theirs, &ours));
            found.extend(values(theirs, &ours, &FREE));
        }
        found
    }
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

fn reads_orders(one: &Recording) -> bool {
    let path = one.meta["path"].as_str().unwrap_or("");
    one.meta["method"] == "GET" && path.contains("/portfolio/orders")
}

/// Makes the session again; returns what is different, by file, and strikes off what was compared.
async fn session(outside: &Outside, folder: &Path, left: &mut BTreeSet<String>) -> Vec<String> {
    let (mut names, mut wrong) = (Names::new(), Vec::new());
    let mut written = (0, Instant::now());
    for one in recordings(folder) {
        for ending in [".meta.json", ".json", ".jsonl"] {
            left.remove(&format!("{}{ending}", one.name));
        }
        if let Some((name, why)) = LEFT_OUT.iter().find(|(name, _)| *name == one.name) {
            println!("{name}: {why}");
            continue;
        }
        let told = one.meta["recorded_at_epoch_ms"].as_i64();
        let at_ms = told.unwrap_or(i64::MAX);
        let is_write = one.meta["method"]
            .as_str()
            .is_some_and(|verb| verb != "GET");
        // Reads of orders lag behind writes, here as there: what came late then comes late now.
        let late = at_ms - written.0 > 400;
        if late && (is_write || reads_orders(&one)) {
            tokio::time::sleep(LAG + LAG / 8).await;
        }
        let mut found = if one.meta["subscribe_cmd"].is_object() {
            outside.stream(&one).await
        } else {
            outside.compare(&one, &mut names).await
        };
        if reads_orders(&one) && !late && written.1.elapsed() > LAG {
            println!("{}: too slow a machine to see the lag", one.name);
            found.clear();
        }
        if is_write {
            // The moment that the matching engine tells, where it does.
            let engine = one.body["ts_ms"].as_i64();
            written = (engine.unwrap_or(at_ms), Instant::now());
        }
        let named = |what| format!("{}: {what}", one.name);
        wrong.extend(found.into_iter().map(named));
    }
    wrong
}

/// Lists and books that others recorded: shapes only.
async fn others(outside: &Outside, root: &Path, left: &mut BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |file: &str, theirs: &Value, ours: &Value| {
        assert!(!theirs.is_null(), "{file}");
        wrong.extend(
            shape(theirs, ours)
                .into_iter()
                .map(|what| format!("{file}: {what}")),
        );
        left.remove(file);
    };
    let ours = async |path: &str| outside.call("GET", path, None).await.1;
    let games = ours("/markets?series_ticker=KXNFLGAME&limit=1").await;
    let prod = "ostepan8_prod_KXWNBAGAME_markets_2026-07-08.json";
    compare(prod, &json(&root.join(prod)), &games);
    let temperatures = "markets__high_temp.json";
    let theirs = json(&root.join("fortuna_demo_2026-06-11").join(temperatures));
    compare(temperatures, &theirs, &games);
    let game = games["markets"][0]["ticker"].as_str().expect("a game");
    let book = ours(&format!("/markets/{game}/orderbook")).await;
    let positions = ours("/portfolio/positions").await;
    let demo = "jfreun123_demo_rest_2026-07-01.jsonl";
    let lines = frames(&root.join(demo)).expect("lines");
    for line in lines.as_array().expect("lines") {
        let theirs: Value =
            serde_json::from_str(line["response_body"].as_str().expect("a body")).expect("JSON");
        let is_book = line["url"]
            .as_str()
            .is_some_and(|url| url.ends_with("/orderbook"));
        compare(demo, &theirs, if is_book { &book } else { &positions });
    }
    wrong
}

#[tokio::test]
async fn a_recorded_session_goes_here_as_it_went_there() {
    let Some(readme) = recorded("kalshi_rest/fortuna_demo_2026-06-11/README.md") else {
        return;
    };
    let folder = readme.parent().expect("a folder");
    let root = folder.parent().expect("a folder");
    let outside = Outside::open_with(6, false, |exchange| prepare(exchange, folder)).await;
    let mut left: BTreeSet<String> = names(folder).into_iter().chain(names(root)).collect();
    let mut wrong = session(&outside, folder, &mut left).await;
    wrong.extend(others(&outside, root, &mut left).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (file, _) in LEFT_OUT {
        left.remove(file);
    }
    assert!(left.is_empty(), "recorded and not compared: {left:?}");
}
