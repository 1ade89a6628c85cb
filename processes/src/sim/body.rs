//! Bodies of requests, decoded as strictly as the venue does it: every field has one JSON type, and
//! the first field of another type is named in the venue's words.

use super::answer::Answer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

/// The JSON type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Flag,
    Whole,
    List,
}

impl Kind {
    /// The venue's word for it.
    const fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Flag => "bool",
            Self::Whole => "int64",
            Self::List => "[]struct",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Whole => value.is_i64(),
            Self::List => value.is_array(),
        }
    }
}

/// What a body may hold. Other fields are ignored, as the venue ignores them.
#[derive(Debug)]
pub(crate) struct Schema {
    /// The venue's name of the request, which its refusals mention.
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [(&'static str, Kind)],
}

/// A decoded body. A field that is `null` counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Body(HashMap<String, Value>);

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

impl Schema {
    /// Decodes a body.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Body, Answer> {
        use serde_json::error::Category;
        let fields: Fields = serde_json::from_slice(bytes).map_err(|error| {
            Answer::undecodable(&match error.classify() {
                Category::Eof if bytes.is_empty() => "EOF".to_string(),
                Category::Eof => "unexpected EOF".to_string(),
                Category::Data => {
                    let kind = serde_json::from_slice(bytes).map_or("value", |value| word(&value));
                    let name = self.name;
                    format!("json: cannot unmarshal {kind} into Go value of type {name}")
                }
                _ => "invalid character looking for beginning of value".to_string(),
            })
        })?;
        self.check(self.name, fields.0)
    }

    /// Decodes the objects of a list within a body, which belong to this schema.
    pub(crate) fn rows(&self, outer: &Self, body: Body, list: &str) -> Result<Vec<Body>, Answer> {
        let mut body = body;
        let Some(Value::Array(rows)) = body.0.remove(list) else {
            return Ok(Vec::new());
        };
        let place = format!("{}.{list}", outer.name);
        rows.into_iter()
            .map(|row| match row {
                Value::Object(fields) => self.check(&place, fields.into_iter().collect()),
                other => Err(mismatch(&place, &other, self.name)),
            })
            .collect()
    }

    fn check(&self, place: &str, fields: Vec<(String, Value)>) -> Result<Body, Answer> {
        let mut body = Body::default();
        for (name, value) in fields {
            let Some((_, kind)) = self.fields.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            if value.is_null() {
                continue;
            }
            if !kind.fits(&value) {
                return Err(mismatch(&format!("{place}.{name}"), &value, kind.word()));
            }
            body.0.insert(name, value);
        }
        Ok(body)
    }
}

impl Body {
    /// A text, empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// A flag, not set when absent.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A whole number.
    pub(crate) fn whole(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// A text that says something.
    pub(crate) fn some_text(&self, name: &str) -> Option<String> {
        Some(self.text(name).to_string()).filter(|text| !text.is_empty())
    }
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn mismatch(place: &str, value: &Value, wanted: &str) -> Answer {
    let kind = word(value);
    Answer::undecodable(&format!(
        "json: cannot unmarshal {kind} into Go struct field {place} of type {wanted}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Schema = Schema {
        name: "Row",
        fields: &[("id", Kind::Text), ("number", Kind::Whole)],
    };
    const LIST: Schema = Schema {
        name: "List",
        fields: &[("rows", Kind::List), ("on", Kind::Flag)],
    };

    fn refusal(result: Result<Vec<Body>, Answer>) -> String {
        result
            .err()
            .map(|answer| {
                assert_eq!(answer.status, 400);
                answer.body
            })
            .unwrap_or_default()
    }

    fn rows(text: &str) -> Result<Vec<Body>, Answer> {
        let body = LIST.decode(text.as_bytes())?;
        ROW.rows(&LIST, body, "rows")
    }

    #[test]
    fn a_row_of_a_wrong_type_is_named_with_its_list() {
        let good = rows(r#"{"rows":[{"id":"a","number":7,"else":[]},{"id":null}]}"#).expect("rows");
        assert_eq!(
            (good[0].text("id"), good[0].whole("number")),
            ("a", Some(7))
        );
        assert_eq!((good[1].text("id"), good[1].whole("number")), ("", None));
        for (text, words) in [
            (
                r#"{"rows":[{"id":1}]}"#,
                "number into Go struct field List.rows.id of type string",
            ),
            (
                r#"{"rows":["a"]}"#,
                "string into Go struct field List.rows of type Row",
            ),
            (
                r#"{"rows":{}}"#,
                "object into Go struct field List.rows of type []struct",
            ),
            (
                r#"{"on":1}"#,
                "number into Go struct field List.on of type bool",
            ),
            (
                r#"{"rows":[{"number":1.5}]}"#,
                "List.rows.number of type int64",
            ),
            ("[]", "array into Go value of type List"),
            ("7", "number into Go value of type List"),
            ("", r#""details":"EOF""#),
            (r#"{"rows":"#, "unexpected EOF"),
        ] {
            let refused = refusal(rows(text));
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
