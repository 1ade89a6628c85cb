//! A message decoded by its schema: field by field, for people and programs.

use crate::schema::{Schema, SchemaField, Shape};
use std::fmt::{self, Display, Formatter, Write as _};

/// Widest column of names: a foreign name may be longer than a formatter can pad.
const WIDEST: usize = 64;

/// The bytes of one message with the schema that says what they are.
///
/// Shown on one line by `{}`, and one field a line, with its unit, by `{:#}`.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    schema: &'a Schema,
    bytes: &'a [u8],
}

/// The content of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `u8` to `u128`.
    Unsigned(u128),
    /// `i8` to `i128`.
    Signed(i128),
    /// `f32`.
    Single(f32),
    /// `f64`.
    Double(f64),
    /// An array of any of these but `u8`.
    List(Vec<Value<'a>>),
    /// `[u8; N]`. Shown as text where it is printable ASCII, with zeros behind it or not.
    Bytes(&'a [u8]),
    /// A field of a kind that is not known here, such as a struct. Shown in hexadecimal digits.
    Raw(&'a [u8]),
}

impl<'a> Record<'a> {
    /// Of as many bytes as the schema says.
    pub(crate) fn new(schema: &'a Schema, bytes: &'a [u8]) -> Self {
        Self { schema, bytes }
    }

    /// What it is.
    #[must_use]
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// Every field with its content, in order of offset.
    pub fn fields(&self) -> impl Iterator<Item = (&'a SchemaField, Value<'a>)> {
        let bytes = self.bytes;
        self.schema.fields().iter().map(move |field| {
            // Schema::parse has bounded every field by the message, and decode has compared the sizes.
            let own = &bytes[field.offset..field.offset + field.size];
            (field, Value::of(field.shape, own))
        })
    }

    /// The content of the field of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let mut fields = self.fields();
        fields.find_map(|(field, value)| (field.name == name).then_some(value))
    }
}

impl<'a> Value<'a> {
    fn of(shape: Shape, bytes: &'a [u8]) -> Self {
        match shape {
            Shape::One(number) => number.read(bytes),
            Shape::List(number) => {
                let each = bytes.chunks_exact(number.size());
                Self::List(each.map(|bytes| number.read(bytes)).collect())
            }
            Shape::Bytes => Self::Bytes(bytes),
            Shape::Raw => Self::Raw(bytes),
        }
    }

    /// The text in an array of bytes: printable ASCII, and behind it nothing but zeros.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        let Self::Bytes(bytes) = self else {
            return None;
        };
        let length = bytes.iter().rposition(|byte| *byte != 0)? + 1;
        let text = &bytes[..length];
        let printable = text.iter().all(|byte| (b' '..=b'~').contains(byte));
        printable.then(|| str::from_utf8(text).ok()).flatten()
    }
}

impl Display for Value<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(number) => write!(out, "{number}"),
            Self::Signed(number) => write!(out, "{number}"),
            Self::Single(number) => write!(out, "{number}"),
            Self::Double(number) => write!(out, "{number}"),
            Self::List(values) => {
                out.write_char('[')?;
                for (index, value) in values.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(out, "{separator}{value}")?;
                }
                out.write_char(']')
            }
            Self::Bytes(bytes) | Self::Raw(bytes) => match self.text() {
                Some(text) => write!(out, "{text:?}"),
                None => write_hexadecimal(out, bytes),
            },
        }
    }
}

fn write_hexadecimal(out: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    out.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

impl Display for Record<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Schema { name, version, .. } = self.schema;
        if !out.alternate() {
            write!(out, "{name} v{version} {{")?;
            for (index, (field, value)) in self.fields().enumerate() {
                let separator = if index == 0 { "" } else { "," };
                write!(out, "{separator} {}: {value}", field.name)?;
                if let Some(meaning) = meaning(field, &value) {
                    write!(out, " {meaning}")?;
                }
            }
            return out.write_str(" }");
        }
        write!(out, "{name} v{version}")?;
        let names = self.schema.fields().iter();
        let width = names.map(|field| field.name.chars().count()).max();
        let width = width.unwrap_or(0).min(WIDEST);
        for (field, value) in self.fields() {
            let unit = meaning(field, &value).unwrap_or(&field.unit);
            write!(out, "\n  {:width$}  {value}  {unit}", field.name)?;
        }
        Ok(())
    }
}

fn meaning<'a>(field: &'a SchemaField, value: &Value<'_>) -> Option<&'a str> {
    match value {
        Value::Unsigned(code) => field.meaning(*code),
        _ => None,
    }
}

/// Declares the numbers that a field may hold, once for all that is done with them.
macro_rules! numbers {
    ($($variant:ident $kind:ident $value:ident;)+) => {
        /// A number of known width, in the byte order of this machine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Number { $($variant),+ }

        impl Number {
            /// The number that the source calls `kind`.
            pub(crate) fn of(kind: &str) -> Option<Self> {
                match kind {
                    $(stringify!($kind) => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Its bytes.
            pub(crate) const fn size(self) -> usize {
                match self { $(Self::$variant => size_of::<$kind>()),+ }
            }

            /// Of exactly its bytes, which need no alignment.
            fn read<'a>(self, bytes: &[u8]) -> Value<'a> {
                match self { $(Self::$variant => {
                    let bytes = std::array::from_fn(|index| bytes[index]);
                    Value::$value($kind::from_ne_bytes(bytes).into())
                }),+ }
            }
        }
    };
}

numbers! {
    U8 u8 Unsigned; U16 u16 Unsigned; U32 u32 Unsigned; U64 u64 Unsigned; U128 u128 Unsigned;
    I8 i8 Signed; I16 i16 Signed; I32 i32 Signed; I64 i64 Signed; I128 i128 Signed;
    F32 f32 Single; F64 f64 Double;
}
