//! Whoever looks into a ring of ours with nothing compiled in sees every field, and what its codes mean.

use ipc::{Message, Schema, Value, schema};
use layouts::{Control, Fill, GameState, Order, OrderAck, PriceUpdate, Signal};

/// All bytes belong to fields, none of them raw: no message of ours holds a type that only we know.
fn is_transparent<T: Message>() {
    let text = schema::<T>();
    let schema = Schema::parse(&text).unwrap();
    let bytes: usize = schema.fields().iter().map(|field| field.size).sum();
    assert_eq!((bytes, schema.size()), (48, 48), "{text}");
    let sent = T::zeroed();
    let record = schema.decode(ipc::bytemuck::bytes_of(&sent)).unwrap();
    for (field, value) in record.fields() {
        assert!(!matches!(value, Value::Raw(_)), "{} of {text}", field.name);
    }
}

#[test]
fn every_message_is_decoded_to_the_last_byte() {
    is_transparent::<PriceUpdate>();
    is_transparent::<GameState>();
    is_transparent::<Signal>();
    is_transparent::<Order>();
    is_transparent::<OrderAck>();
    is_transparent::<Fill>();
    is_transparent::<Control>();
}

#[test]
fn codes_are_shown_in_words() {
    let fill = Fill {
        ingress_mono_ns: 1,
        order: 2,
        trade: *b"\x01\x9a\xbc\xde\xf0\x12\x71\x23\x84\x56\x78\x90\x12\x34\x56\x78",
        market: 3,
        count_centi: 150,
        fee_micros: 17_500,
        price_e4: 5_200,
        side: 1,
        is_taker: 1,
    };
    let schema = Schema::parse(&schema::<Fill>()).unwrap();
    let record = schema.decode(ipc::bytemuck::bytes_of(&fill)).unwrap();
    assert_eq!(
        record.to_string(),
        "Fill v1 { ingress_mono_ns: 1, order: 2, trade: 0x019abcdef01271238456789012345678, market: 3, count_centi: 150, fee_micros: 17500, price_e4: 5200, side: 1 ask, is_taker: 1 taker }"
    );
}
