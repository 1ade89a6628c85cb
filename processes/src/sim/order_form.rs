//! The form of a new order (V2): decoding as strict as the venue's, which takes numbers only as
//! strings, and the checks that need no exchange.

use super::answer::Answer;
use super::body::{Body, Kind, Schema};
use super::book::SelfTrade;
use super::ledger::MarketNumber;
use super::records::{NewOrder, TimeInForce};
use super::times::SECOND_US;
use layouts::Side;
use layouts::units::{parse_centi, parse_decimal};

/// What the request may hold.
pub(crate) const CREATE: Schema = Schema {
    name: "CreateOrderV2Request",
    fields: &[
        ("ticker", Kind::Text),
        ("side", Kind::Text),
        ("count", Kind::Text),
        ("price", Kind::Text),
        ("time_in_force", Kind::Text),
        ("self_trade_prevention_type", Kind::Text),
        ("client_order_id", Kind::Text),
        ("order_group_id", Kind::Text),
        ("expiration_time", Kind::Whole),
        ("subaccount", Kind::Whole),
        ("exchange_index", Kind::Whole),
        ("post_only", Kind::Flag),
        ("reduce_only", Kind::Flag),
        ("cancel_order_on_pause", Kind::Flag),
    ],
};

/// The request as sent, every field of the right JSON type.
#[derive(Debug)]
pub(crate) struct OrderForm(pub(crate) Body);

/// A refusal of an order for what it says itself.
pub(crate) fn invalid(details: &str) -> Answer {
    Answer::fault(400, "invalid_order", "invalid order", Some(details))
}

/// The side that a body names.
pub(crate) fn side(body: &Body) -> Result<Side, Answer> {
    match body.text("side") {
        "bid" => Ok(Side::Bid),
        "ask" => Ok(Side::Ask),
        _ => Err(invalid("invalid side")),
    }
}

/// The price that a body names, in 1/10,000 dollar; whether it is on the grid is the market's affair.
pub(crate) fn price_e4(body: &Body) -> Result<u16, Answer> {
    parse_decimal(body.text("price"), 4)
        .and_then(|price| u16::try_from(price).ok())
        .ok_or_else(|| Answer::fault(400, "invalid_price", "invalid price", None))
}

/// A number of contracts that a body names, in 1/100 contract.
pub(crate) fn count_centi(body: &Body, name: &str) -> Result<u32, Answer> {
    parse_centi(body.text(name))
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| Answer::fault(400, "invalid_order_size", "invalid order size", None))
}

impl OrderForm {
    /// Decodes a body. The first field of a wrong type is named, in the venue's words.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Answer> {
        CREATE.decode(body).map(Self)
    }

    /// The market's ticker.
    pub(crate) fn ticker(&self) -> &str {
        self.0.text("ticker")
    }

    /// The order that the form asks for, once its market is known.
    pub(crate) fn order(&self, market: MarketNumber, now_us: i64) -> Result<NewOrder, Answer> {
        let body = &self.0;
        let side = side(body)?;
        let time_in_force = match body.text("time_in_force") {
            "fill_or_kill" => TimeInForce::FillOrKill,
            "immediate_or_cancel" => TimeInForce::ImmediateOrCancel,
            "good_till_canceled" => TimeInForce::GoodTillCanceled,
            _ => return Err(invalid("invalid time_in_force")),
        };
        let self_trade = match body.text("self_trade_prevention_type") {
            "taker_at_cross" => SelfTrade::TakerAtCross,
            "maker" => SelfTrade::Maker,
            _ => return Err(invalid("invalid self_trade_prevention_type")),
        };
        let price_e4 = price_e4(body)?;
        let count_centi = count_centi(body, "count")?;
        let resting = time_in_force == TimeInForce::GoodTillCanceled;
        let expires_us = body
            .whole("expiration_time")
            .map(|seconds| seconds.saturating_mul(SECOND_US));
        if expires_us.is_some_and(|expires| !resting || expires <= now_us) {
            return Err(invalid("invalid expiration_time"));
        }
        let (post_only, reduce_only) = (body.flag("post_only"), body.flag("reduce_only"));
        if (post_only && !resting)
            || (reduce_only && time_in_force != TimeInForce::ImmediateOrCancel)
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
            post_only,
            reduce_only,
            cancel_on_pause: body.flag("cancel_order_on_pause"),
            expires_us,
            client_order_id: body.some_text("client_order_id"),
            group: body.some_text("order_group_id"),
        })
    }
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
