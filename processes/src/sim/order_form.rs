//! The form of a new order (V2): decoding as strict as the venue's, which takes numbers only as
//! strings, and the checks that need no exchange.

use super::answer::Answer;
use super::book::SelfTrade;
use super::exchange::{NewOrder, TimeInForce};
use super::ledger::MarketNumber;
use super::times::SECOND_US;
use layouts::Side;
use layouts::units::{parse_centi, parse_decimal};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// The request as sent, every field of the right JSON type.
#[derive(Debug, Default)]
pub(crate) struct OrderForm {
    pub(crate) ticker: String,
    side: String,
    count: String,
    price: String,
    time_in_force: String,
    self_trade: String,
    client_order_id: String,
    expiration_time: Option<i64>,
    post_only: bool,
    reduce_only: bool,
}

/// The fields of a JSON object in the order in which they came.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;
            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl OrderForm {
    /// Decodes a body. The first field of a wrong type is named, in the venue's words.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Answer> {
        let fields: Fields =
            serde_json::from_slice(body).map_err(|error| match error.classify() {
                serde_json::error::Category::Eof if body.is_empty() => Answer::undecodable("EOF"),
                serde_json::error::Category::Eof => Answer::undecodable("unexpected EOF"),
                serde_json::error::Category::Data => Answer::undecodable(
                    "json: cannot unmarshal array into Go value of type CreateOrderV2Request",
                ),
                _ => Answer::undecodable("invalid character looking for beginning of value"),
            })?;
        let mut form = Self::default();
        for (name, value) in fields.0 {
            form.set(&name, value)?;
        }
        Ok(form)
    }

    fn set(&mut self, name: &str, value: Value) -> Result<(), Answer> {
        let target = match name {
            "ticker" => &mut self.ticker,
            "side" => &mut self.side,
            "count" => &mut self.count,
            "price" => &mut self.price,
            "time_in_force" => &mut self.time_in_force,
            "self_trade_prevention_type" => &mut self.self_trade,
            "client_order_id" => &mut self.client_order_id,
            _ => return self.set_other(name, &value),
        };
        match value {
            Value::String(text) => *target = text,
            Value::Null => {}
            other => return Err(mismatch(name, &other, "string")),
        }
        Ok(())
    }

    fn set_other(&mut self, name: &str, value: &Value) -> Result<(), Answer> {
        match (name, value) {
            (_, Value::Null) => {}
            ("post_only", Value::Bool(flag)) => self.post_only = *flag,
            ("reduce_only", Value::Bool(flag)) => self.reduce_only = *flag,
            ("cancel_order_on_pause", Value::Bool(_)) | ("order_group_id", Value::String(_)) => {}
            ("expiration_time", Value::Number(number)) if number.is_i64() => {
                self.expiration_time = number.as_i64()
            }
            ("subaccount" | "exchange_index", Value::Number(number)) if number.is_i64() => {}
            ("post_only" | "reduce_only" | "cancel_order_on_pause", other) => {
                return Err(mismatch(name, other, "bool"));
            }
            ("order_group_id", other) => return Err(mismatch(name, other, "string")),
            ("expiration_time" | "subaccount" | "exchange_index", other) => {
                return Err(mismatch(name, other, "int64"));
            }
            // Fields that the venue does not know are ignored.
            _ => {}
        }
        Ok(())
    }

    /// The order that the form asks for, once its market is known.
    pub(crate) fn order(&self, market: MarketNumber, now_us: i64) -> Result<NewOrder, Answer> {
        let invalid =
            |details: &str| Answer::fault(400, "invalid_order", "invalid order", Some(details));
        let side = match self.side.as_str() {
            "bid" => Side::Bid,
            "ask" => Side::Ask,
            _ => return Err(invalid("invalid side")),
        };
        let time_in_force = match self.time_in_force.as_str() {
            "fill_or_kill" => TimeInForce::FillOrKill,
            "immediate_or_cancel" => TimeInForce::ImmediateOrCancel,
            "good_till_canceled" => TimeInForce::GoodTillCanceled,
            _ => return Err(invalid("invalid time_in_force")),
        };
        let self_trade = match self.self_trade.as_str() {
            "taker_at_cross" => SelfTrade::TakerAtCross,
            "maker" => SelfTrade::Maker,
            _ => return Err(invalid("invalid self_trade_prevention_type")),
        };
        let price = parse_decimal(&self.price, 4).and_then(|price| u16::try_from(price).ok());
        let price_e4 =
            price.ok_or_else(|| Answer::fault(400, "invalid_price", "invalid price", None))?;
        let count = parse_centi(&self.count)
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| *count > 0);
        let count_centi = count
            .ok_or_else(|| Answer::fault(400, "invalid_order_size", "invalid order size", None))?;
        let resting = time_in_force == TimeInForce::GoodTillCanceled;
        let expires_us = self
            .expiration_time
            .map(|seconds| seconds.saturating_mul(SECOND_US));
        if expires_us.is_some_and(|expires| !resting || expires <= now_us) {
            return Err(invalid("invalid expiration_time"));
        }
        if (self.post_only && !resting)
            || (self.reduce_only && time_in_force != TimeInForce::ImmediateOrCancel)
        {
            return Err(invalid("flag does not go with time_in_force"));
        }
        Ok(NewOrder {
            account: super::exchange::CLIENT,
            market,
            side,
            price_e4,
            count_centi,
            time_in_force,
            self_trade,
            post_only: self.post_only,
            reduce_only: self.reduce_only,
            expires_us,
            client_order_id: Some(self.client_order_id.clone()).filter(|id| !id.is_empty()),
        })
    }
}

fn mismatch(name: &str, value: &Value, wanted: &str) -> Answer {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Answer::undecodable(&format!(
        "json: cannot unmarshal {kind} into Go struct field CreateOrderV2Request.{name} of type {wanted}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        let decoded = OrderForm::decode(body.as_bytes());
        decoded
            .and_then(|form| form.order(0, 1_000_000).map(|_| ()))
            .err()
            .map(|answer| answer.body)
            .unwrap_or_default()
    }

    #[test]
    fn numbers_where_strings_belong_get_the_venues_words() {
        let text = r#"{"client_order_id":"c","count":1,"price":0.01,"side":"bid"}"#;
        assert_eq!(
            refusal(text),
            r#"{"code":"bad_request","message":"bad request","details":"json: cannot unmarshal number into Go struct field CreateOrderV2Request.count of type string"}"#
        );
        assert!(
            refusal(r#"{"price":0.01,"count":1}"#)
                .contains("CreateOrderV2Request.price of type string"),
            "the first is named"
        );
        assert!(refusal(r#"{"expiration_time":"1"}"#).contains("unmarshal string into Go struct field CreateOrderV2Request.expiration_time of type int64"));
    }

    #[test]
    fn a_whole_form_is_an_order_and_half_a_form_is_not() {
        let good = r#"{"ticker":"T","side":"ask","count":"1.50","price":"0.6300","time_in_force":"immediate_or_cancel","self_trade_prevention_type":"taker_at_cross"}"#;
        let order = OrderForm::decode(good.as_bytes())
            .and_then(|form| form.order(3, 0))
            .expect("order");
        assert_eq!(
            (order.side, order.count_centi, order.price_e4, order.market),
            (Side::Ask, 150, 6_300, 3)
        );
        for (from, to, code) in [
            ("1.50", "0.00", "invalid_order_size"),
            ("1.50", "-1", "invalid_order_size"),
            ("1.50", "1.501", "invalid_order_size"),
            ("0.6300", "0.63001", "invalid_price"),
            ("0.6300", "", "invalid_price"),
            ("\"ask\"", "\"sell\"", "invalid_order"),
            ("taker_at_cross", "none", "invalid_order"),
        ] {
            assert!(refusal(&good.replace(from, to)).contains(code), "{to}");
        }
        for nonsense in ["", "{", "[]", "null", "\u{0}", "{\"ticker\":", "\"x\""] {
            assert!(refusal(nonsense).contains("bad_request"), "{nonsense}");
        }
    }
}
