//! Changes of orders, batches and order groups, as a client meets them.

use super::outside::Outside;
use serde_json::{Value, json};

/// The code of an error in either shape that has one, or the bare word.
fn code(body: &Value) -> &str {
    body["error"]["code"]
        .as_str()
        .or(body["code"].as_str())
        .unwrap_or("")
}

/// The answer to a call that is made again while there are too many: ten at once are more than a
/// basic account may write.
async fn patiently(outside: &Outside, path: &str, body: &Value) -> (u16, Value) {
    loop {
        let (got, answer) = outside.call("POST", path, Some(&body.to_string())).await;
        if got != 429 {
            return (got, answer);
        }
        assert_eq!(answer, json!({"error": "too many requests"}));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn wrong_amendments_get_the_venues_codes() {
    let outside = Outside::open(2, false).await;
    let tickers = outside.tickers().await;
    let ticker = &tickers[0];
    let new = Outside::order(ticker, "a", "bid", "0.0100", "2.00", "good_till_canceled");
    let (_, created) = outside.place(&new).await;
    let id = created["order_id"].as_str().unwrap_or("");
    for (id, wrong, status, wanted) in [
        (
            id,
            json!({"ticker": tickers[1]}),
            400,
            "order_ticker_mismatch",
        ),
        (id, json!({"side": "ask"}), 400, "order_side_mismatch"),
        (id, json!({"side": "yes"}), 400, "invalid_order"),
        (
            id,
            json!({"client_order_id": "b"}),
            400,
            "order_id_and_client_order_id_mismatch",
        ),
        (id, json!({"count": "0"}), 400, "invalid_order_size"),
        (id, json!({"price": "0.0150"}), 400, "invalid_price"),
        (
            id,
            json!({"count": "999999.00"}),
            400,
            "available_balance_too_low",
        ),
        (id, json!({"expiration_time": 1}), 400, "invalid_order"),
        (id, json!({"count": 3}), 400, "bad_request"),
        (id, json!({"ticker": "KXNONE"}), 404, "market_not_found"),
        ("none", json!({}), 404, "not_found"),
    ] {
        let mut body = json!({"ticker": ticker, "side": "bid", "price": "0.0100", "count": "3.00"});
        for (field, value) in wrong.as_object().expect("fields") {
            body[field] = value.clone();
        }
        let path = format!("/portfolio/events/orders/{id}/amend");
        let (got, answer) = patiently(&outside, &path, &body).await;
        assert_eq!((got, code(&answer)), (status, wanted), "{body}: {answer}");
    }
}

#[tokio::test]
async fn a_batch_answers_each_item_for_itself_and_is_paid_for_as_a_whole() {
    let outside = Outside::open(2, false).await;
    let ticker = outside.tickers().await.remove(0);
    let item = |id: &str, price: &str| -> Value {
        let text = Outside::order(&ticker, id, "bid", price, "1.00", "good_till_canceled");
        serde_json::from_str(&text).expect("JSON")
    };
    let path = "/portfolio/events/orders/batched";
    let eleven: Vec<_> = (0..11).map(|n| item(&n.to_string(), "0.0100")).collect();
    let whole = json!({"orders": eleven}).to_string();
    assert_eq!(
        outside.call("POST", path, Some(&whole)).await,
        (429, json!({"error": "too many requests"}))
    );
    let three = json!({"orders": [item("a", "0.0100"), item("b", "0.0150"), item("a", "0.0200")]});
    let (status, made) = outside.call("POST", path, Some(&three.to_string())).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["orders"][0]["remaining_count"], "1.00");
    assert_eq!(
        made["orders"][1],
        json!({"client_order_id": "b", "error": {"code": "invalid_price", "message": "invalid price"}})
    );
    assert_eq!(made["orders"][2]["error"]["code"], "order_already_exists");
    let id = &made["orders"][0]["order_id"];
    let ids = json!({"orders": [{"order_id": id}, {"order_id": id}]}).to_string();
    let (status, gone) = outside.call("DELETE", path, Some(&ids)).await;
    assert_eq!(
        (status, &gone["orders"][0]["reduced_by"]),
        (200, &json!("1.00")),
        "{gone}"
    );
    assert_eq!(
        gone["orders"][1],
        json!({"order_id": id, "reduced_by": "0.00", "error": {"code": "not_found", "message": "not found"}})
    );
    let numbers = json!({"orders": [{"ticker": ticker, "count": 1}]}).to_string();
    let (status, refused) = outside.call("POST", path, Some(&numbers)).await;
    assert_eq!((status, code(&refused)), (400, "bad_request"));
    assert_eq!(outside.call("POST", path, Some("{}")).await.0, 400);
}

#[tokio::test]
async fn a_call_reaches_the_shard_that_it_names_and_the_first_when_it_names_none() {
    let outside = Outside::open(6, false).await;
    let tickers = outside.tickers().await;
    let baseball = tickers
        .iter()
        .find(|ticker| ticker.starts_with("KXMLB"))
        .expect("a game of baseball");
    let new = Outside::order(baseball, "a", "bid", "0.0100", "5.00", "good_till_canceled");
    let astray = new.replacen('{', r#"{"exchange_index":0,"#, 1);
    let (status, refused) = outside.place(&astray).await;
    assert_eq!((status, code(&refused)), (404, "market_not_found"));
    let (status, order) = outside
        .place(&new.replacen('{', r#"{"exchange_index":-1,"#, 1))
        .await;
    assert_eq!(status, 201, "{order}");
    let id = order["order_id"].as_str().unwrap_or("");
    let path = format!("/portfolio/events/orders/{id}");
    let decrease = format!("{path}/decrease");
    for (query, status) in [
        ("", 404),
        ("?exchange_index=0", 404),
        ("?exchange_index=-1", 404),
        ("?exchange_index=x", 400),
    ] {
        assert_eq!(
            outside
                .call("DELETE", &format!("{path}{query}"), None)
                .await
                .0,
            status,
            "{query}"
        );
    }
    assert_eq!(
        outside
            .call("POST", &decrease, Some(r#"{"reduce_by":"1.00"}"#))
            .await
            .0,
        404
    );
    for (body, status) in [
        (json!({"exchange_index": 3, "reduce_by": "1.00"}), 200),
        (json!({"market_ticker": baseball, "reduce_to": "1.00"}), 200),
        (json!({"exchange_index": 3, "reduce_to": "1.00"}), 400),
        (
            json!({"exchange_index": 3, "reduce_to": "0.50", "reduce_by": "0.50"}),
            400,
        ),
    ] {
        assert_eq!(
            outside
                .call("POST", &decrease, Some(&body.to_string()))
                .await
                .0,
            status,
            "{body}"
        );
    }
    let routed = format!("{path}?market_ticker={baseball}");
    let (status, gone) = outside.call("DELETE", &routed, None).await;
    assert_eq!((status, &gone["reduced_by"]), (200, &json!("1.00")));
}

#[tokio::test]
async fn a_market_that_has_closed_takes_no_order_call() {
    let outside = Outside::open(2, false).await;
    let ticker = outside.tickers().await.remove(0);
    let order =
        |id: &str| Outside::order(&ticker, id, "bid", "0.0100", "1.00", "good_till_canceled");
    let (_, created) = outside.place(&order("a")).await;
    outside.shared.hub.with(|exchange| {
        let market = exchange.market_number(&ticker).expect("listed");
        exchange.close(market, crate::sim::times::now_us());
    });
    let path = format!(
        "/portfolio/events/orders/{}",
        created["order_id"].as_str().unwrap_or("")
    );
    let amend =
        json!({"ticker": ticker, "side": "bid", "price": "0.0200", "count": "1.00"}).to_string();
    for answer in [
        outside.place(&order("b")).await,
        outside.call("DELETE", &path, None).await,
        outside
            .call("POST", &format!("{path}/amend"), Some(&amend))
            .await,
        outside
            .call(
                "POST",
                &format!("{path}/decrease"),
                Some(r#"{"reduce_to":"0.50"}"#),
            )
            .await,
    ] {
        assert_eq!((answer.0, code(&answer.1)), (409, "MARKET_INACTIVE"));
    }
}

#[tokio::test]
async fn order_groups_are_made_read_and_refused_with_their_orders() {
    let outside = Outside::open(2, false).await;
    let ticker = outside.tickers().await.remove(0);
    let groups = "/portfolio/order_groups";
    for wrong in [
        r#"{"contracts_limit":0}"#,
        "{}",
        r#"{"contracts_limit":2,"contracts_limit_fp":"3.00"}"#,
        r#"{"contracts_limit_fp":"1.50"}"#,
        r#"{"contracts_limit":"2"}"#,
    ] {
        assert_eq!(
            outside
                .call("POST", &format!("{groups}/create"), Some(wrong))
                .await
                .0,
            400,
            "{wrong}"
        );
    }
    let (status, made) = outside
        .call(
            "POST",
            &format!("{groups}/create"),
            Some(r#"{"contracts_limit_fp":"2.00"}"#),
        )
        .await;
    assert_eq!(status, 201, "{made}");
    let path = format!("{groups}/{}", made["order_group_id"].as_str().unwrap_or(""));
    let grouped = |id: &str, group: &Value| {
        let text = Outside::order(&ticker, id, "bid", "0.0100", "1.00", "good_till_canceled");
        text.replacen('{', &format!(r#"{{"order_group_id":{group},"#), 1)
    };
    let (_, order) = outside.place(&grouped("a", &made["order_group_id"])).await;
    let (_, group) = outside.call("GET", &path, None).await;
    assert_eq!(
        (&group["orders"], &group["contracts_limit_fp"]),
        (&json!([order["order_id"]]), &json!("2.00"))
    );
    assert_eq!(outside.place(&grouped("b", &json!("none"))).await.0, 400);
    assert_eq!(
        outside
            .call("PUT", &format!("{path}/trigger?exchange_index=3"), None)
            .await
            .0,
        404,
        "of another shard"
    );
    assert_eq!(outside.call("DELETE", &path, None).await, (200, json!({})));
    assert_eq!(outside.call("GET", &path, None).await.0, 404);
}

/// VENUE 1.6: the answers that no wrong order brings about.
#[tokio::test]
async fn what_cannot_fill_whole_and_planned_faults_are_refused_over_http() {
    let outside = Outside::open(1, false).await;
    let ticker = outside.tickers().await.remove(0);
    let order = |id: &str, force: &str| Outside::order(&ticker, id, "bid", "0.0100", "1.00", force);
    let (status, body) = outside.place(&order("whole", "fill_or_kill")).await;
    assert_eq!(
        (status, code(&body)),
        (409, "fill_or_kill_insufficient_resting_volume")
    );
    let planned = outside
        .http
        .post(format!("http://{}/simulator/faults", outside.address))
        .header("content-type", "application/json")
        .body(r#"[{"before":403},{"before":500},{"after":503}]"#)
        .send()
        .await
        .expect("answer");
    assert_eq!(planned.status().as_u16(), 204);
    for (expected, word) in [
        (403, "forbidden"),
        (500, "internal_server_error"),
        (503, "service_unavailable"),
    ] {
        let (status, body) = outside.place(&order("again", "immediate_or_cancel")).await;
        assert_eq!((status, code(&body)), (expected, word));
    }
    // The last was taken, and its answer lost; no fault is left.
    let (status, body) = outside.place(&order("again", "immediate_or_cancel")).await;
    assert_eq!((status, code(&body)), (409, "order_already_exists"));
}
