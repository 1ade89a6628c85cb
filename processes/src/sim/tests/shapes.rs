//! How two JSON bodies differ: in their keys, in the types and formats of what stands there, and in what it says.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Keys that the venue sends since the recordings were made.
const SINCE: [&str; 2] = ["exchange_index", "settlement_bounds_type"];

/// Keys that only some kinds of markets have, and others of those recorded than ours.
const SOME_MARKETS: [&str; 8] = [
    "subtitle",
    "custom_strike",
    "floor_strike",
    "cap_strike",
    "is_provisional",
    "mve_collection_ticker",
    "mve_selected_legs",
    "primary_participant_key",
];

/// Keys whose text is written for people: now and then it looks like a number.
const PROSE: [&str; 6] = [
    "title",
    "yes_sub_title",
    "no_sub_title",
    "expiration_value",
    "rules_primary",
    "rules_secondary",
];

/// The type of a value; of a text, also how it is written.
fn kind(key: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) if number.is_f64() => "fraction".into(),
        Value::Number(_) => "whole number".into(),
        Value::String(_) if PROSE.contains(&key) => "text".into(),
        Value::String(text) => written(text),
        Value::Array(_) => "array".into(),
        Value::Object(_) => "object".into(),
    }
}

fn written(text: &str) -> String {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if let Some((whole, rest)) = unsigned.split_once('.')
        && digits(whole)
        && digits(rest)
    {
        return format!("decimal with {} places", rest.len());
    }
    let capital =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() {
        "time in UTC".into()
    } else if text.len() == 36 && uuid::Uuid::parse_str(text).is_ok() {
        "UUID".into()
    } else if text.starts_with("KX") && text.bytes().all(capital) {
        "ticker".into()
    } else {
        "text".into()
    }
}

/// How often each place of a body occurs, and with which kinds. `[]` is any element of a list.
type Survey = BTreeMap<String, (usize, BTreeSet<String>)>;

fn survey(value: &Value, key: &str, place: &str, into: &mut Survey) {
    let entry = into.entry(place.to_string()).or_default();
    entry.0 += 1;
    entry.1.insert(kind(key, value));
    match value {
        Value::Array(rows) => rows
            .iter()
            .for_each(|row| survey(row, key, &format!("{place}[]"), into)),
        // Its keys are data.
        Value::Object(_) if key == "custom_strike" => {}
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, one)| survey(one, key, &format!("{place}.{key}"), into)),
        _ => {}
    }
}

/// What differs between two shapes: keys that every recorded object has, kinds, keys that none has,
/// lists that have something there and nothing here.
pub(super) fn shape(theirs: &Value, ours: &Value) -> Vec<String> {
    let (mut there, mut here) = (Survey::new(), Survey::new());
    survey(theirs, "", "", &mut there);
    survey(ours, "", "", &mut here);
    let times = |survey: &Survey, place: &str| survey.get(place).map_or(0, |(times, _)| *times);
    let optional = |key: &str| SOME_MARKETS.contains(&key);
    let mut found = Vec::new();
    for (place, (count, _)) in &there {
        if let Some(list) = place.strip_suffix("[]") {
            let has_list = here.contains_key(list);
            if has_list && !here.contains_key(place) && !list.ends_with("mve_selected_legs") {
                found.push(format!("`{list}` is empty"));
            }
        } else if let Some((parent, key)) = place.rsplit_once('.') {
            let always = *count == times(&there, parent);
            let lacking = times(&here, place) != times(&here, parent);
            if always && lacking && !optional(key) {
                found.push(format!("`{place}` is missing"));
            }
        }
    }
    for (place, (_, kinds)) in &here {
        let Some((parent, key)) = place.rsplit_once('.') else {
            continue;
        };
        match there.get(place) {
            Some((_, known)) if !kinds.is_subset(known) => {
                found.push(format!("`{place}` is {kinds:?}, there {known:?}"));
            }
            Some(_) => {}
            None => {
                let known = key.ends_with("[]") || SINCE.contains(&key) || optional(key);
                if !known && there.contains_key(parent) {
                    found.push(format!("`{place}` is not at the venue"));
                }
            }
        }
    }
    found
}

/// Where two bodies say different things, but for the keys that are `free` to. Keys that only one of
/// them has are a matter of [`shape`].
pub(super) fn values(theirs: &Value, ours: &Value, free: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    compare(theirs, ours, "", free, &mut found);
    found
}

fn compare(theirs: &Value, ours: &Value, place: &str, free: &[&str], found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(there), Value::Object(here)) => {
            for (key, value) in there {
                if let Some(own) = here.get(key).filter(|_| !free.contains(&key.as_str())) {
                    compare(value, own, &format!("{place}.{key}"), free, found);
                }
            }
        }
        (Value::Array(there), Value::Array(here)) => {
            if there.len() != here.len() {
                let (here, there) = (here.len(), there.len());
                found.push(format!("`{place}` has {here} elements, there {there}"));
            }
            for (number, (value, own)) in there.iter().zip(here).enumerate() {
                compare(value, own, &format!("{place}[{number}]"), free, found);
            }
        }
        _ if theirs != ours => found.push(format!("`{place}` is {ours}, there {theirs}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn formats_lists_and_values_are_told_apart() {
        let theirs = json!({"rows": [{"price": "0.4200", "id": "f4a42159-b500-57c6-efa2-c31d94d916c1",
            "at": "2026-06-11T06:29:30.164956Z", "ticker": "KXA-26JUN11-B", "n": 1}]});
        assert!(shape(&theirs, &theirs).is_empty());
        for (key, other) in [
            ("price", json!("0.42")),
            ("price", json!("")),
            ("price", json!(0.42)),
            ("id", json!("f4a42159")),
            ("at", json!("2026-06-11 06:29")),
            ("ticker", json!("A-26JUN11-B")),
            ("n", json!(1.5)),
        ] {
            let mut ours = theirs.clone();
            ours["rows"][0][key] = other;
            assert_eq!(shape(&theirs, &ours).len(), 1, "{ours}");
            assert_eq!(values(&theirs, &ours, &[]).len(), 1, "{ours}");
            assert!(values(&theirs, &ours, &[key]).is_empty());
        }
        let none = json!({"rows": []});
        assert_eq!(shape(&theirs, &none), ["`.rows` is empty"]);
        assert!(shape(&none, &theirs).is_empty());
        let more = json!({"rows": [], "new": 1});
        assert_eq!(shape(&none, &more), ["`.new` is not at the venue"]);
        assert_eq!(shape(&more, &none), ["`.new` is missing"]);
    }
}
