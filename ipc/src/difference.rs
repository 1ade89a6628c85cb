//! In what two schemas differ, in words for whoever is woken by a refused attach.

use crate::schema::{Schema, SchemaField};
use std::collections::{BTreeMap, BTreeSet};

/// Most lines of a difference: a screen. A hostile schema may differ in hundreds.
const MOST_LINES: usize = 24;
/// Most characters of a line.
const MOST_CHARACTERS: usize = 200;

/// How the schema text in a segment differs from this program's: one fact a line, indented; empty when
/// they are equal. Its length is bounded, whatever the texts are.
#[must_use]
pub fn difference(in_segment: &str, in_program: &str) -> String {
    if in_segment == in_program {
        return String::new();
    }
    let mut facts = match (Schema::parse(in_segment), Schema::parse(in_program)) {
        (Ok(theirs), Ok(ours)) => compare(&theirs, &ours),
        (theirs, ours) => [("the segment", theirs.err()), ("this program", ours.err())]
            .into_iter()
            .filter_map(|(whose, error)| Some(format!("the schema of {whose}: {}", error?)))
            .collect(),
    };
    if facts.is_empty() {
        facts.push("the same fields, written otherwise in the schema text".into());
    }
    let beyond = facts.len().saturating_sub(MOST_LINES);
    facts.truncate(MOST_LINES);
    if beyond > 0 {
        facts.push(format!("and {beyond} more"));
    }
    facts
        .iter()
        .map(|fact| format!("  {}\n", clipped(fact)))
        .collect()
}

fn clipped(fact: &str) -> String {
    let mut kept: String = fact.chars().take(MOST_CHARACTERS).collect();
    if kept.len() < fact.len() {
        kept.push('…');
    }
    kept
}

fn both(what: &str, theirs: &str, ours: &str) -> String {
    format!("{what}: {theirs} in the segment, {ours} in this program")
}

fn compare(theirs: &Schema, ours: &Schema) -> Vec<String> {
    let of = |schema: &Schema| format!("{} v{}", schema.name, schema.version);
    if theirs.name != ours.name {
        // Another message altogether: their fields have nothing to do with each other.
        return vec![both("message", &of(theirs), &of(ours))];
    }
    let mut facts = Vec::new();
    if theirs.version != ours.version {
        let of = |schema: &Schema| format!("v{}", schema.version);
        facts.push(both("version", &of(theirs), &of(ours)));
    }
    if theirs.size() != ours.size() {
        let of = |schema: &Schema| format!("{} bytes", schema.size());
        facts.push(both("size", &of(theirs), &of(ours)));
    }
    facts.extend(compare_fields(theirs, ours));
    facts
}

/// In order of offset, of a field that both have in that of the segment.
fn compare_fields(theirs: &Schema, ours: &Schema) -> Vec<String> {
    let name = |field: &'_ SchemaField| field.name.clone();
    let their_names: BTreeSet<String> = theirs.fields().iter().map(name).collect();
    let ours_by_name: BTreeMap<String, &SchemaField> =
        ours.fields().iter().map(|our| (name(our), our)).collect();
    // A field of ours that they lack, in the place of one of theirs that we lack, has another name.
    // Fields without bytes may share a place, so the name is part of the key.
    let mut added: BTreeMap<(usize, &str, &str), &SchemaField> = ours
        .fields()
        .iter()
        .filter(|our| !their_names.contains(&our.name))
        .map(|our| ((our.offset, our.kind.as_str(), our.name.as_str()), our))
        .collect();
    let mut facts = Vec::new();
    for their in theirs.fields() {
        let fact = if let Some(our) = ours_by_name.get(&their.name) {
            changed(their, our)
        } else if let Some(our) = take_in_place_of(their, &mut added) {
            Some(renamed(their, our))
        } else {
            Some(format!("{}, only in the segment", described(their)))
        };
        facts.extend(fact.map(|fact| (their.offset, fact)));
    }
    let added = added.values();
    facts.extend(added.map(|our| {
        let fact = format!("{}, only in this program", described(our));
        (our.offset, fact)
    }));
    facts.sort_by_key(|(offset, _)| *offset);
    facts.into_iter().map(|(_, fact)| fact).collect()
}

/// The first of our added fields that has the place and kind of one of theirs.
fn take_in_place_of<'a>(
    their: &SchemaField,
    added: &mut BTreeMap<(usize, &'a str, &'a str), &'a SchemaField>,
) -> Option<&'a SchemaField> {
    let place = (their.offset, their.kind.as_str());
    let key = added.keys().find(|key| (key.0, key.1) == place).copied()?;
    added.remove(&key)
}

fn described(field: &SchemaField) -> String {
    let SchemaField {
        name, kind, offset, ..
    } = field;
    format!("{name}: {kind} at {offset}, unit `{}`", field.unit)
}

/// What of a field that both have is not the same.
fn changed(their: &SchemaField, our: &SchemaField) -> Option<String> {
    let of = |field: &SchemaField| {
        let parts = [
            (their.kind != our.kind).then(|| field.kind.clone()),
            (their.offset != our.offset).then(|| format!("at {}", field.offset)),
            (their.unit != our.unit).then(|| format!("unit `{}`", field.unit)),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let (theirs, ours) = (of(their), of(our));
    (!theirs.is_empty()).then(|| both(&their.name, &theirs, &ours))
}

fn renamed(their: &SchemaField, our: &SchemaField) -> String {
    let of = |field: &SchemaField| {
        if their.unit == our.unit {
            format!("`{}`", field.name)
        } else {
            format!("`{}`, unit `{}`,", field.name, field.unit)
        }
    };
    let place = format!("the {} at {}", their.kind, their.offset);
    both(&place, &of(their), &of(our))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: &str =
        "Price v1 24\nbid u64 0 ticks\nask u64 8 ticks\nmarket u32 16 id\nflags u32 20 bit set\n";

    fn against(ours: &str) -> String {
        difference(BASE, ours)
    }

    #[test]
    fn equal_schemas_have_no_difference() {
        assert_eq!(against(BASE), "");
    }

    #[test]
    fn every_kind_of_difference_is_said_in_one_line() {
        let swapped = BASE
            .replace("bid u64 0", "x")
            .replace("ask u64 8", "bid u64 8");
        for (ours, said) in [
            (
                swapped.replace('x', "ask u64 0"),
                "  bid: at 0 in the segment, at 8 in this program\n  ask: at 8 in the segment, at 0 in this program\n",
            ),
            (
                BASE.replace("ask u64", "offer u64"),
                "  the u64 at 8: `ask` in the segment, `offer` in this program\n",
            ),
            (
                BASE.replace("bid u64 0 ticks", "bid i64 0 1/100 cent"),
                "  bid: u64 unit `ticks` in the segment, i64 unit `1/100 cent` in this program\n",
            ),
            (
                BASE.replace(
                    "flags u32 20 bit set\n",
                    "side u8 20 \nflags [u8;3] 21 bit set\n",
                ),
                "  flags: u32 at 20 in the segment, [u8;3] at 21 in this program\n  side: u8 at 20, unit ``, only in this program\n",
            ),
            (
                BASE.replace("flags u32 20 bit set\n", ""),
                "  flags: u32 at 20, unit `bit set`, only in the segment\n",
            ),
            (
                BASE.replace("v1 24", "v2 32"),
                "  version: v1 in the segment, v2 in this program\n  size: 24 bytes in the segment, 32 bytes in this program\n",
            ),
            (
                BASE.replace("Price v1", "Order v3"),
                "  message: Price v1 in the segment, Order v3 in this program\n",
            ),
            (
                BASE.replace('\n', "\r\n"),
                "  the same fields, written otherwise in the schema text\n",
            ),
        ] {
            assert_eq!(against(&ours), said);
        }
    }

    #[test]
    fn fields_without_bytes_in_one_place_are_all_said() {
        let ours = format!("{BASE}a [u8;0] 24 x\nb [u8;0] 24 x\n");
        assert_eq!(
            against(&ours),
            "  a: [u8;0] at 24, unit `x`, only in this program\n  b: [u8;0] at 24, unit `x`, only in this program\n"
        );
        let theirs = format!("{BASE}c [u8;0] 24 x\n");
        assert_eq!(
            difference(&theirs, &ours),
            "  the [u8;0] at 24: `c` in the segment, `a` in this program\n  b: [u8;0] at 24, unit `x`, only in this program\n"
        );
    }

    #[test]
    fn a_text_that_is_no_schema_is_quoted_and_harmless() {
        let text = difference("Price v1 8\nbid\u{1b}[2J u64 0 x\n", BASE);
        assert_eq!(
            text,
            "  the schema of the segment: line 2 of the schema, \"bid\\u{1b}[2J u64 0 x\": its name holds a control character\n"
        );
    }

    #[test]
    fn a_hostile_schema_does_not_scroll_the_reason_away() {
        use std::fmt::Write as _;
        let mut text = "Price v1 4096\n".to_owned();
        for field in 0..4096 {
            writeln!(text, "{}{field} u8 {field} x", "long".repeat(100)).unwrap();
        }
        for (theirs, ours) in [(text.as_str(), BASE), (BASE, text.as_str())] {
            let text = difference(theirs, ours);
            assert_eq!(text.lines().count(), MOST_LINES + 1, "{text}");
            assert!(
                text.lines()
                    .all(|line| line.chars().count() <= MOST_CHARACTERS + 3),
                "{text}"
            );
            assert!(text.ends_with("more\n"), "{text}");
        }
    }

    proptest! {
        /// Two texts that are not equal always differ in something that is said, within bounds.
        #[test]
        fn what_differs_is_always_said(cut in 0..BASE.len(), with in "[ -~\n]{0,12}") {
            let mut ours = BASE.to_owned();
            ours.replace_range(cut..(cut + with.len()).min(BASE.len()), &with);
            let text = against(&ours);
            prop_assert_eq!(text.is_empty(), ours == BASE);
            prop_assert!(text.len() < (MOST_LINES + 1) * 4 * MOST_CHARACTERS);
        }
    }
}
