//! What a segment carries: the `Message` trait and its schema text.
//!
//! The schema is plain text, one field a line, so that a reader with no message compiled in can
//! decode a ring, and so that a refusal can name the fields that differ:
//!
//! ```text
//! PriceUpdate v1 48
//! ingress_mono_ns u64 0 ns, CLOCK_MONOTONIC
//! bid_price u16 24 1/100 cent
//! ```

use std::fmt;

/// One field of a message as its schema states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name in the source.
    pub name: &'static str,
    /// Rust type in the source, such as `u32` or `[u8; 3]`.
    pub kind: &'static str,
    /// Bytes from the start of the message.
    pub offset: usize,
    /// Unit and reference, such as `ns, CLOCK_MONOTONIC`.
    pub unit: &'static str,
}

/// A fixed-layout message that may cross a process boundary.
///
/// Declare messages with [`message!`](crate::message!), which keeps the fields and the schema in
/// step. The size must be a multiple of 8 bytes: payloads are copied as 64-bit words.
pub trait Message: bytemuck::Pod {
    /// Name of the message, the first word of its schema.
    const NAME: &'static str;
    /// Version of the meaning of its fields.
    const VERSION: u16;
    /// Every field, in order of offset.
    const FIELDS: &'static [Field];
}

/// Name of the `u64` field that says when what caused a message came into the system, in ns of
/// `CLOCK_MONOTONIC`; 0 where nothing is known of it. Where a message has one, consumers record its age.
pub const ORIGIN: &str = "ingress_mono_ns";

/// When what caused a message came in, if it says so.
#[inline(always)]
pub(crate) fn origin_ns<T: Message>(message: &T) -> Option<u64> {
    let at = const { origin_offset(T::FIELDS) }?;
    let word = bytemuck::bytes_of(message).get(at..at + 8)?;
    let origin_ns = u64::from_ne_bytes(word.try_into().ok()?);
    (origin_ns != 0).then_some(origin_ns)
}

const fn origin_offset(fields: &[Field]) -> Option<usize> {
    let mut at = 0;
    while at < fields.len() {
        if same(fields[at].name, ORIGIN) && same(fields[at].kind, "u64") {
            return Some(fields[at].offset);
        }
        at += 1;
    }
    None
}

/// `==` in a constant.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The schema text of `T`, as written into a segment header.
#[must_use]
pub fn schema<T: Message>() -> String {
    use fmt::Write as _;
    let mut text = format!("{} v{} {}\n", T::NAME, T::VERSION, size_of::<T>());
    for field in T::FIELDS {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {} {} {}",
            field.name,
            field.kind.replace(' ', ""),
            field.offset,
            field.unit
        );
    }
    text
}

/// FNV-1a (64 bit, Fowler/Noll/Vo) of a schema text: the fingerprint compared at attach.
#[must_use]
pub fn fingerprint(schema: &str) -> u64 {
    schema.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Parses the version of a [`message!`](crate::message!): `v` and 1 to 65535.
///
/// # Panics
///
/// On anything else, which in a declaration is a compile error with this text.
#[doc(hidden)]
#[must_use]
pub const fn message_version(text: &str) -> u16 {
    const WANTED: &str =
        "the version of a message is `v` and a number from 1 to 65535, such as `v3`";
    let bytes = text.as_bytes();
    // A leading zero would give one version two names.
    assert!(
        bytes.len() >= 2 && bytes[0] == b'v' && bytes[1] != b'0',
        "{}",
        WANTED
    );
    let (mut version, mut at) = (0_u16, 1);
    while at < bytes.len() {
        assert!(bytes[at].is_ascii_digit(), "{}", WANTED);
        let grown = match version.checked_mul(10) {
            Some(tenfold) => tenfold.checked_add((bytes[at] - b'0') as u16),
            None => None,
        };
        let Some(grown) = grown else {
            panic!("{}", WANTED)
        };
        version = grown;
        at += 1;
    }
    version
}

/// Declares a `repr(C)` message with its version and units, and derives its schema.
///
/// ```
/// ipc::message! {
///     /// One level of a book changed.
///     pub struct BookDelta v17 {
///         /// When it happened.
///         event_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
///         /// Price of the level.
///         price_ticks: i64 = "ticks",
///     }
/// }
/// assert_eq!(ipc::schema::<BookDelta>().lines().count(), 3);
/// assert_eq!(<BookDelta as ipc::Message>::VERSION, 17);
/// ```
///
/// Attributes go through: `#[derive(Eq)]` where no field is a float.
///
/// Raise the version when a field changes its meaning and nothing else does: what changes its name,
/// type, place or unit is told apart without it. A version is `v` and a number from 1 to 65535; no
/// other word compiles:
///
/// ```compile_fail,E0080
/// ipc::message! { pub struct Level w3 { price: u64 = "ticks" } }
/// ```
/// ```compile_fail,E0080
/// ipc::message! { pub struct Level v { price: u64 = "ticks" } }
/// ```
/// ```compile_fail,E0080
/// ipc::message! { pub struct Level v01 { price: u64 = "ticks" } }
/// ```
/// ```compile_fail,E0080
/// ipc::message! { pub struct Level v70000 { price: u64 = "ticks" } }
/// ```
#[macro_export]
macro_rules! message {
    ($(#[$meta:meta])* pub struct $name:ident $version:ident {
        $($(#[$field_meta:meta])* $field:ident : $kind:ty = $unit:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, $crate::bytemuck::Pod, $crate::bytemuck::Zeroable)]
        #[bytemuck(crate = "::ipc::bytemuck")]
        pub struct $name { $($(#[$field_meta])* pub $field: $kind),+ }

        impl $crate::Message for $name {
            const NAME: &'static str = stringify!($name);
            const VERSION: u16 = $crate::message_version(stringify!($version));
            const FIELDS: &'static [$crate::Field] = &[$($crate::Field {
                name: stringify!($field),
                kind: stringify!($kind),
                offset: ::core::mem::offset_of!($name, $field),
                unit: $unit,
            }),+];
        }

        // Judged here, also where nobody asks for it.
        const _: u16 = <$name as $crate::Message>::VERSION;
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_fields_of_one_size_change_the_fingerprint() {
        let one = "Price v1 16\nbid u64 0 ticks\nask u64 8 ticks\n";
        let two = "Price v1 16\nask u64 0 ticks\nbid u64 8 ticks\n";
        assert_ne!(fingerprint(one), fingerprint(two));
    }

    #[test]
    fn a_version_is_a_number_that_fits_or_no_version() {
        for (text, version) in [("v1", 1), ("v9", 9), ("v17", 17), ("v65535", 65535)] {
            assert_eq!(message_version(text), version);
        }
        for text in [
            "", "v", "w3", "v0", "v01", "v65536", "v70000", "v3a", "3", "V3",
        ] {
            assert!(
                std::panic::catch_unwind(|| message_version(text)).is_err(),
                "{text}"
            );
        }
    }
}
