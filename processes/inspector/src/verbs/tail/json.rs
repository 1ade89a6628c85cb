//! A message as JSON.

use ipc::{Record, Value};
use serde_json::{Map, Number, Value as Json, json};

/// An object with what is known of the message, and its fields.
pub(super) fn record(head: &[(&str, u64)], record: &Record<'_>) -> Json {
    let mut object = Map::new();
    for (name, value) in head {
        object.insert((*name).to_owned(), json!(value));
    }
    object.insert("message".to_owned(), json!(record.schema().name));
    let fields = record.fields().map(|(field, content)| {
        let code = match content {
            Value::Unsigned(code) => field.meaning(code),
            _ => None,
        };
        let mut own = Map::new();
        own.insert("value".to_owned(), value(&content));
        own.insert("unit".to_owned(), json!(field.unit));
        if let Some(meaning) = code {
            own.insert("meaning".to_owned(), json!(meaning));
        }
        (field.name.clone(), Json::Object(own))
    });
    object.insert("fields".to_owned(), Json::Object(fields.collect()));
    Json::Object(object)
}

/// Numbers that JSON has no room for are texts, and so is what is no number.
fn value(content: &Value<'_>) -> Json {
    let number = |number: Option<Number>| number.map(Json::Number);
    let shown = match content {
        Value::Unsigned(value) => number(Number::from_u128(*value)),
        Value::Signed(value) => number(Number::from_i128(*value)),
        Value::Single(value) => number(Number::from_f64(f64::from(*value))),
        Value::Double(value) => number(Number::from_f64(*value)),
        Value::List(values) => Some(Json::Array(values.iter().map(self::value).collect())),
        Value::Bytes(_) | Value::Raw(_) => content.text().map(Json::from),
    };
    shown.unwrap_or_else(|| Json::String(content.to_string()))
}
