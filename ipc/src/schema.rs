//! A schema read back from its text, for readers that have no message compiled in.
//!
//! The text comes from shared memory, so it is an allegation: what [`Schema::parse`] accepts has
//! fields in order, inside the message and apart from each other, and nothing in it that would
//! rearrange a terminal. A field whose kind is not known here, such as a struct, is kept as raw bytes up to
//! the next field.

use crate::record::{Number, Record};
use std::collections::BTreeSet;

/// Most bytes of a message that a header may state.
const MOST_BYTES: usize = 4096;
/// Characters of a foreign text that an error quotes.
const MOST_QUOTED: usize = 80;

/// What a message looks like, as the text in its segment says.
///
/// ```
/// ipc::message! {
///     /// A price.
///     pub struct Price v1 {
///         /// It.
///         price_e4: u16 = "1/10000 dollar",
///         /// Which.
///         side: u8 = "0 bid, 1 ask",
///         /// Always zero.
///         padding: [u8; 5] = "zero",
///     }
/// }
/// let price = Price { price_e4: 4200, side: 1, padding: [0; 5] };
///
/// let schema = ipc::Schema::parse(&ipc::schema::<Price>())?;
/// let record = schema.decode(ipc::bytemuck::bytes_of(&price))?;
/// assert_eq!(record.to_string(), "Price v1 { price_e4: 4200, side: 1 ask, padding: 0x0000000000 }");
/// # Ok::<(), ipc::SchemaError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Name of the message.
    pub name: String,
    /// Version of the meaning of its fields.
    pub version: u16,
    /// Bounds every field, so it is nobody else's to change.
    size: usize,
    fields: Vec<SchemaField>,
}

/// One field of a [`Schema`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaField {
    /// Name in the source.
    pub name: String,
    /// Rust type in the source, without spaces.
    pub kind: String,
    /// Bytes from the start of the message.
    pub offset: usize,
    /// Bytes of it.
    pub size: usize,
    /// Unit and reference.
    pub unit: String,
    pub(crate) shape: Shape,
}

/// How the bytes of a field are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    One(Number),
    /// Any number of them.
    List(Number),
    /// `[u8; N]`: text, or an identifier.
    Bytes,
    /// A kind that is not known here.
    Raw,
}

/// Why a text is no schema, or some bytes no message of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A line of the text cannot be.
    #[error("line {line} of the schema, {text:?}: {reason}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Its beginning.
        text: String,
        /// What about it.
        reason: String,
    },
    /// The bytes are not those of one message.
    #[error("{found} bytes were given, a {name} has {expected}")]
    Size {
        /// Name of the message.
        name: String,
        /// Bytes given.
        found: usize,
        /// Bytes of a message.
        expected: usize,
    },
}

impl Schema {
    /// Reads a schema's text, as [`crate::schema`] writes it and [`crate::Info::schema`] holds it.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Line`] with the first line that cannot be, and why.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().map_or("", |(_, line)| line);
        let (name, version, size) = parse_head(head).map_err(|reason| fault(0, head, reason))?;
        let (mut fields, mut names) = (Vec::<SchemaField>::new(), BTreeSet::new());
        let mut last = (0, head);
        for (index, line) in lines {
            let field = parse_field(line).map_err(|reason| fault(index, line, reason))?;
            if !names.insert(field.name.clone()) {
                return Err(fault(index, line, "a second field of that name".into()));
            }
            if let Some(before) = fields.last_mut() {
                let next = format!("`{}` begins", field.name);
                before
                    .end_at(field.offset, &next)
                    .map_err(|reason| fault(last.0, last.1, reason))?;
            }
            fields.push(field);
            last = (index, line);
        }
        if let Some(before) = fields.last_mut() {
            before
                .end_at(size, "the message ends")
                .map_err(|reason| fault(last.0, last.1, reason))?;
        }
        Ok(Self {
            name: name.to_owned(),
            version,
            size,
            fields,
        })
    }

    /// Bytes of a message, at most 4096.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Its fields, in order of offset.
    #[must_use]
    pub fn fields(&self) -> &[SchemaField] {
        &self.fields
    }

    /// The message in `bytes`, field by field.
    ///
    /// # Errors
    ///
    /// [`SchemaError::Size`] when they are not as many as the message has.
    pub fn decode<'a>(&'a self, bytes: &'a [u8]) -> Result<Record<'a>, SchemaError> {
        if bytes.len() == self.size {
            Ok(Record::new(self, bytes))
        } else {
            Err(SchemaError::Size {
                name: self.name.clone(),
                found: bytes.len(),
                expected: self.size,
            })
        }
    }
}

impl SchemaField {
    /// What a code stands for, where the unit lists the codes: `ask` for 1 in `0 bid, 1 ask`.
    #[must_use]
    pub fn meaning(&self, code: u128) -> Option<&str> {
        let entry = |entry| {
            let (code, meaning) = str::split_once(entry, ' ')?;
            Some((code.parse::<u128>().ok()?, meaning))
        };
        let mut found = None;
        for listed in self.unit.split(", ") {
            let (listed, meaning) = entry(listed)?;
            if listed == code {
                found = Some(meaning);
            }
        }
        // One number and a word may be a quantity.
        found.filter(|_| self.unit.contains(", "))
    }

    /// Ends the field where the next begins: it must have its bytes by then.
    fn end_at(&mut self, end: usize, what: &str) -> Result<(), String> {
        if self.shape == Shape::Raw && end >= self.offset {
            self.size = end - self.offset;
        }
        let own_end = self.offset.saturating_add(self.size);
        if own_end > end {
            return Err(format!("it ends at byte {own_end}, but {what} at {end}"));
        }
        Ok(())
    }
}

fn fault(index: usize, line: &str, reason: String) -> SchemaError {
    SchemaError::Line {
        line: index + 1,
        text: line.chars().take(MOST_QUOTED).collect(),
        reason: reason.chars().take(2 * MOST_QUOTED).collect(),
    }
}

/// `PriceUpdate v1 48`.
fn parse_head(line: &str) -> Result<(&str, u16, usize), String> {
    let words: Vec<&str> = line.splitn(4, ' ').collect();
    let [name, version, size] = words[..] else {
        return Err("a name, a version and a size are needed, such as `Price v1 16`".into());
    };
    check_word("name", name)?;
    let version = version
        .strip_prefix('v')
        .and_then(number)
        .and_then(|version| u16::try_from(version).ok())
        .ok_or("its version is no `v` with a number up to 65535")?;
    let size = number(size)
        .filter(|size| (1..=MOST_BYTES).contains(size))
        .ok_or_else(|| format!("its size is no number from 1 to {MOST_BYTES}"))?;
    Ok((name, version, size))
}

/// `bid_price_e4 u16 32 1/10000 dollar`. The size of a raw field is not known yet: zero.
fn parse_field(line: &str) -> Result<SchemaField, String> {
    let mut words = line.splitn(4, ' ');
    let (Some(name), Some(kind), Some(offset)) = (words.next(), words.next(), words.next()) else {
        return Err("a name, a type and an offset are needed, such as `bid u64 0 ticks`".into());
    };
    let unit = words.next().unwrap_or_default();
    check_word("name", name)?;
    check_word("type", kind)?;
    if !unit.chars().all(is_harmless) {
        return Err("its unit holds a control character".into());
    }
    let offset = number(offset)
        .filter(|offset| *offset <= MOST_BYTES)
        .ok_or_else(|| format!("its offset is no number up to {MOST_BYTES}"))?;
    let (shape, size) = shape(kind);
    Ok(SchemaField {
        name: name.to_owned(),
        kind: kind.to_owned(),
        offset,
        size,
        unit: unit.to_owned(),
        shape,
    })
}

/// How a kind is read, and its bytes.
fn shape(kind: &str) -> (Shape, usize) {
    if let Some(one) = Number::of(kind) {
        return (Shape::One(one), one.size());
    }
    let array = kind
        .strip_prefix('[')
        .and_then(|kind| kind.strip_suffix(']'))
        .and_then(|kind| kind.split_once(';'))
        .and_then(|(kind, count)| Some((Number::of(kind)?, number(count)?)));
    match array {
        Some((Number::U8, count)) => (Shape::Bytes, count),
        Some((one, count)) => (Shape::List(one), one.size().saturating_mul(count)),
        None => (Shape::Raw, 0),
    }
}

/// Digits only, without a sign.
fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn check_word(what: &str, word: &str) -> Result<(), String> {
    if word.is_empty() {
        return Err(format!("its {what} is empty"));
    }
    if !word.chars().all(is_harmless) {
        return Err(format!("its {what} holds a control character"));
    }
    Ok(())
}

/// Neither a control character nor one that hides or reorders its neighbours.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
