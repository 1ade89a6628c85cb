//! A schema's text is enough to decode a message, and no text is enough to do harm.

use ipc::{Message, Schema, SchemaError, Value, bytemuck};
use proptest::prelude::*;
use std::fmt::Write as _;

ipc::message! {
    /// Every number that a message may hold.
    pub struct Numbers v1 {
        /// The widest.
        u128: u128 = "count",
        /// With a sign.
        i128: i128 = "count",
        /// 64 bits.
        u64: u64 = "ns, CLOCK_MONOTONIC",
        /// With a sign.
        i64: i64 = "1e-6 dollar",
        /// 32 bits.
        u32: u32 = "",
        /// With a sign.
        i32: i32 = "1/100 contract",
        /// 16 bits.
        u16: u16 = "1/10000 dollar",
        /// With a sign.
        i16: i16 = "°C",
        /// 8 bits.
        u8: u8 = "0 bid, 1 ask",
        /// With a sign.
        i8: i8 = "points",
        /// Always zero.
        padding: [u8; 2] = "zero",
    }
}

ipc::message! {
    /// Arrays, and what only this program knows.
    pub struct Book v65535 {
        /// Text.
        ticker: [u8; 12] = "ASCII",
        /// Numbers.
        depths: [i16; 6] = "1/100 contract",
        /// A struct.
        best: Level = "see `Level`",
        /// Several.
        levels: [Level; 2] = "see `Level`",
        /// Numbers.
        words: [u64; 3] = "count",
        /// An array of arrays.
        grid: [[u8; 4]; 2] = "cell",
    }
}

ipc::message! {
    /// One level of a book.
    pub struct Level v2 {
        /// Price.
        price: u64 = "ticks",
        /// Contracts.
        size: i64 = "lots",
    }
}

/// A message that `message!` cannot declare: floats have no equality.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Model {
    wide: f64,
    narrow: f32,
    probabilities: [f32; 3],
}

impl Message for Model {
    const NAME: &'static str = "Model";
    const VERSION: u16 = 3;
    const FIELDS: &'static [ipc::Field] = &[
        field("wide", "f64", 0),
        field("narrow", "f32", 8),
        field("probabilities", "[f32; 3]", 12),
    ];
}

const fn field(name: &'static str, kind: &'static str, offset: usize) -> ipc::Field {
    ipc::Field {
        name,
        kind,
        offset,
        unit: "1",
    }
}

fn schema_of<T: Message>() -> Schema {
    let schema = Schema::parse(&ipc::schema::<T>()).unwrap();
    assert_eq!(schema.name, T::NAME);
    assert_eq!(schema.version, T::VERSION);
    assert_eq!(schema.size(), size_of::<T>());
    assert_eq!(schema.fields().len(), T::FIELDS.len());
    for (parsed, stated) in schema.fields().iter().zip(T::FIELDS) {
        assert_eq!(
            (parsed.name.as_str(), parsed.offset),
            (stated.name, stated.offset)
        );
        assert_eq!(parsed.unit, stated.unit);
    }
    let bytes: usize = schema.fields().iter().map(|field| field.size).sum();
    assert_eq!(bytes, size_of::<T>(), "every byte belongs to a field");
    schema
}

fn list<'a, T: Copy>(values: &[T], one: impl Fn(T) -> Value<'a>) -> Value<'a> {
    Value::List(values.iter().map(|value| one(*value)).collect())
}

fn signed<'a>(value: impl Into<i128>) -> Value<'a> {
    Value::Signed(value.into())
}

fn unsigned<'a>(value: impl Into<u128>) -> Value<'a> {
    Value::Unsigned(value.into())
}

proptest! {
    #[test]
    fn numbers_decode_to_themselves(bytes in any::<[u8; size_of::<Numbers>()]>()) {
        let sent: Numbers = bytemuck::pod_read_unaligned(&bytes);
        let schema = schema_of::<Numbers>();
        let record = schema.decode(&bytes).unwrap();
        let expected = [
            unsigned(sent.u128), signed(sent.i128), unsigned(sent.u64), signed(sent.i64),
            unsigned(sent.u32), signed(sent.i32), unsigned(sent.u16), signed(sent.i16),
            unsigned(sent.u8), signed(sent.i8), Value::Bytes(&sent.padding),
        ];
        prop_assert_eq!(record.fields().map(|(_, value)| value).collect::<Vec<_>>(), expected);
        prop_assert_eq!(record.get("i16"), Some(signed(sent.i16)));
        prop_assert_eq!(record.get("f16"), None);
        let shown = format!("i64: {}, u32: {}, i32: {},", sent.i64, sent.u32, sent.i32);
        prop_assert!(record.to_string().contains(&shown), "{record}");
    }

    #[test]
    fn arrays_and_unknown_kinds_decode_to_themselves(bytes in any::<[u8; size_of::<Book>()]>()) {
        let sent: Book = bytemuck::pod_read_unaligned(&bytes);
        let schema = schema_of::<Book>();
        let record = schema.decode(&bytes).unwrap();
        let expected = [
            Value::Bytes(&sent.ticker),
            list(&sent.depths, signed),
            Value::Raw(bytemuck::bytes_of(&sent.best)),
            Value::Raw(bytemuck::bytes_of(&sent.levels)),
            list(&sent.words, unsigned),
            Value::Raw(bytemuck::bytes_of(&sent.grid)),
        ];
        prop_assert_eq!(record.fields().map(|(_, value)| value).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn floats_decode_to_themselves(wide in -1e300..1e300, narrow in -1e30_f32..1e30, probabilities in any::<[u8; 3]>()) {
        let sent = Model { wide, narrow, probabilities: probabilities.map(f32::from) };
        let schema = schema_of::<Model>();
        let record = schema.decode(bytemuck::bytes_of(&sent)).unwrap();
        let expected = [Value::Double(wide), Value::Single(narrow), list(&sent.probabilities, Value::Single)];
        prop_assert_eq!(record.fields().map(|(_, value)| value).collect::<Vec<_>>(), expected);
        prop_assert!(record.to_string().contains(&format!("narrow: {narrow},")), "{record}");
    }

    #[test]
    fn no_text_does_harm(text in any::<String>(), like in "[a-z]{0,3} v?[0-9]{0,4} [0-9]{0,5}(\n[a-z]{0,2} (u8|i64|\\[u16;[0-9]{0,3}\\]|x) [0-9]{0,3} .{0,5}){0,9}\n?") {
        survive(&text)?;
        survive(&like)?;
    }

    /// Characters of a sound text overwritten, inserted or taken away, and its lines in another order.
    #[test]
    fn no_mutated_schema_does_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, prop_oneof![prop::sample::select(vec!['\n', ' ', '0', '9', '8', '[', ']', ';', 'u', 'v', '-', '\u{1b}', '\0']), any::<char>()]), 0..6),
        which in 0_usize..3,
    ) {
        let text = [ipc::schema::<Numbers>, ipc::schema::<Book>, ipc::schema::<Model>][which]();
        let mut text: Vec<char> = text.chars().collect();
        for (at, change, with) in changes {
            let at = at.index(text.len());
            match change {
                0 => text[at] = with,
                1 => text.insert(at, with),
                2 => { text.remove(at); }
                _ => {
                    let mixed: String = text.iter().collect();
                    let mut lines: Vec<&str> = mixed.lines().collect();
                    let last = lines.len() - 1;
                    lines.swap(at % (last + 1), last);
                    text = lines.join("\n").chars().collect();
                }
            }
        }
        survive(&text.into_iter().collect::<String>())?;
    }
}

/// A text is refused, or its fields are inside the message and apart, and any bytes can be shown.
fn survive(text: &str) -> Result<(), TestCaseError> {
    let schema = match Schema::parse(text) {
        Ok(schema) => schema,
        Err(error) => {
            let error = error.to_string();
            prop_assert!(!error.contains(char::is_control), "{error:?}");
            prop_assert!(error.len() < 2000, "{error}");
            return Ok(());
        }
    };
    let mut end = 0;
    for field in schema.fields() {
        prop_assert!(field.offset >= end, "{schema:?}");
        end = field.offset + field.size;
    }
    prop_assert!(end <= schema.size() && schema.size() <= 4096, "{schema:?}");
    let bytes: Vec<u8> = (b' '..=b'z').cycle().take(schema.size()).collect();
    let record = schema.decode(&bytes).unwrap();
    for shown in [format!("{record}"), format!("{record:#}")] {
        prop_assert!(
            !shown.contains(|c: char| c.is_control() && c != '\n'),
            "{shown:?}"
        );
        prop_assert!(
            schema
                .fields()
                .iter()
                .all(|field| shown.contains(&field.name))
        );
    }
    let short = schema.decode(&bytes[1..]);
    let refused = matches!(short, Err(SchemaError::Size { .. }));
    prop_assert!(refused);
    Ok(())
}

#[test]
fn a_record_reads_like_a_sentence_or_like_a_table() {
    let sent = Book {
        ticker: *b"KXNBA-24\0\0\0\0",
        depths: [1, -2, 3, 4, 5, 6],
        best: Level { price: 1, size: -1 },
        levels: bytemuck::Zeroable::zeroed(),
        words: [7, 8, u64::MAX],
        grid: [*b"text", *b"here"],
    };
    let schema = schema_of::<Book>();
    let record = schema.decode(bytemuck::bytes_of(&sent)).unwrap();
    let one = "0x0100000000000000ffffffffffffffff";
    let two = format!("0x{}", "00".repeat(32));
    let line = format!(
        "Book v65535 {{ ticker: \"KXNBA-24\", depths: [1, -2, 3, 4, 5, 6], best: {one}, levels: {two}, words: [7, 8, 18446744073709551615], grid: 0x7465787468657265 }}"
    );
    assert_eq!(record.to_string(), line);
    let schema = Schema::parse(
        "Quote v2 8\nside u8 0 0 bid, 1 ask\nstatus u8 1 0 open, 1 shut\nprice u16 2 ticks\n",
    )
    .unwrap();
    let record = schema.decode(&[1, 9, 42, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(
        format!("{record:#}"),
        "Quote v2\n  side    1  ask\n  status  9  0 open, 1 shut\n  price   42  ticks"
    );
    assert_eq!(record.get("price").and_then(|price| price.text()), None);
}

#[test]
fn bytes_are_text_only_where_all_of_it_can_be_read() {
    let schema = Schema::parse("Name v1 8\nname [u8;8] 0 \n").unwrap();
    for (bytes, shown, text) in [
        (b"ABCDEFGH", "\"ABCDEFGH\"", Some("ABCDEFGH")),
        (b"A \"B\"\0\0\0", "\"A \\\"B\\\"\"", Some("A \"B\"")),
        (b"A\0B\0\0\0\0\0", "0x4100420000000000", None),
        (b"\x1b[2J\0\0\0\0", "0x1b5b324a00000000", None),
        (b"\xc3\xa9\0\0\0\0\0\0", "0xc3a9000000000000", None),
        (&[0; 8], "0x0000000000000000", None),
    ] {
        let record = schema.decode(bytes).unwrap();
        let value = record.get("name").unwrap();
        assert_eq!((value.to_string().as_str(), value.text()), (shown, text));
    }
}

/// Each of the texts is refused at that line for that reason.
fn refused(line: usize, reason: &str, texts: &[&str]) {
    for text in texts {
        let error = Schema::parse(text).unwrap_err().to_string();
        let line = format!("line {line} of the schema, ");
        let named = error.starts_with(&line) && error.contains(reason);
        assert!(named, "{text:?}: {error}");
    }
}

#[test]
fn a_first_line_that_cannot_be_is_refused() {
    let words = "a name, a version and a size are needed";
    refused(1, words, &["", "Price v1", "Price v1 16 x", "\n"]);
    refused(1, "its name is empty", &[" v1 16"]);
    let version = "its version is no `v` with a number up to 65535";
    refused(1, version, &["A 1 16", "A v65536 16", "A v 16", "A v+1 16"]);
    let size = "its size is no number from 1 to 4096";
    refused(
        1,
        size,
        &[
            "A v1 0",
            "A v1 +16",
            "A v1 4104",
            "A v1 99999999999999999999999",
        ],
    );
}

#[test]
fn a_field_that_cannot_be_is_refused() {
    let words = "a name, a type and an offset are needed";
    refused(2, words, &["A v1 16\nbid u64", "A v1 16\n\n"]);
    refused(2, "its type is empty", &["A v1 16\nbid  0 x"]);
    let offset = "its offset is no number up to 4096";
    refused(
        2,
        offset,
        &["A v1 16\nbid u64 -1 x", "A v1 16\nbid u64 4097 x"],
    );
    let twice = "a second field of that name";
    refused(3, twice, &["A v1 16\nbid u64 0 x\nbid u64 8 x"]);
    let control = "holds a control character";
    refused(
        2,
        control,
        &["A v1 16\nbid u64 0 x\u{202e}y", "A v1 16\nb\rd u64 0 x"],
    );
}

#[test]
fn a_field_that_has_no_room_is_refused() {
    let overlap = "it ends at byte 8, but `ask` begins at 7";
    refused(2, overlap, &["A v1 16\nbid u64 0 x\nask u64 7 x"]);
    let order = "it ends at byte 16, but `ask` begins at 0";
    refused(
        2,
        order,
        &[
            "A v1 16\nbid u64 8 x\nask u64 0 x",
            "A v1 32\nbid Level 16 x\nask u64 0 x",
        ],
    );
    let outside = "it ends at byte 17, but the message ends at 16";
    refused(
        2,
        outside,
        &[
            "A v1 16\nbid u64 9 x",
            "A v1 16\nbid Level 17 x",
            "A v1 16\nbid [u8;17] 0 x",
        ],
    );
    let huge = "but the message ends at 16";
    refused(
        2,
        huge,
        &[
            "A v1 16\nbid [u64;3] 0 x",
            "A v1 16\nbid [u64;18446744073709551615] 0 x",
        ],
    );
}

#[test]
fn a_thousand_fields_are_as_many_as_they_say() {
    let mut text = "Wide v1 1000\n".to_owned();
    for field in 0..1000 {
        writeln!(text, "f{field} u8 {field} x").unwrap();
    }
    let schema = Schema::parse(&text).unwrap();
    let bytes: Vec<u8> = (0..=249).cycle().take(1000).collect();
    let record = schema.decode(&bytes).unwrap();
    assert_eq!(record.fields().count(), 1000);
    assert_eq!(record.get("f999"), Some(unsigned(249_u8)));
}

/// A formatter pads to 65,535 characters at most, and panics beyond.
#[test]
fn a_name_of_any_length_is_shown() {
    let name = "n".repeat(70_000);
    let schema = Schema::parse(&format!("Long v1 8\n{name} u32 0 x\nb u32 4 y\n")).unwrap();
    let shown = format!("{:#}", schema.decode(&[0; 8]).unwrap());
    let short = format!("\n  b{}  0  y", " ".repeat(63));
    assert!(shown.contains(&name) && shown.ends_with(&short), "{shown}");
}
