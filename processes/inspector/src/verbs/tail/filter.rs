//! Which messages are meant.

use crate::Failure;
use ipc::{Record, Schema, Value};

/// A field and the content that it must have.
pub(super) struct Filter {
    field: String,
    value: String,
}

impl Filter {
    /// Reads `field=value`.
    ///
    /// # Errors
    ///
    /// When the message has no such field, or it never has such content.
    pub(super) fn parse(text: &str, schema: &Schema) -> Result<Self, Failure> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::Other(format!(
                "--filter {text}: FIELD=VALUE is needed"
            )));
        };
        let field = schema.fields().iter().find(|field| field.name == name);
        let Some(field) = field else {
            let fields = schema.fields().iter().map(|field| field.name.as_str());
            return Err(Failure::Other(format!(
                "--filter {text}: a {} has no field `{name}`; it has {}",
                schema.name,
                fields.collect::<Vec<_>>().join(", ")
            )));
        };
        let number = field.kind.starts_with(['u', 'i', 'f']);
        let means = |entry: &str| {
            entry
                .split_once(' ')
                .is_some_and(|(_, meaning)| meaning == value)
        };
        if number && value.parse::<f64>().is_err() && !field.unit.split(", ").any(means) {
            return Err(Failure::Other(format!(
                "--filter {text}: `{name}` is a {} ({}), never `{value}`",
                field.kind, field.unit
            )));
        }
        Ok(Self {
            field: name.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Whether a message is meant.
    pub(super) fn holds(&self, record: &Record<'_>) -> bool {
        let mut fields = record.fields();
        let Some((field, value)) = fields.find(|(field, _)| field.name == self.field) else {
            return false;
        };
        let wanted = self.value.as_str();
        match &value {
            Value::Unsigned(number) => {
                wanted.parse() == Ok(*number) || field.meaning(*number) == Some(wanted)
            }
            Value::Signed(number) => wanted.parse() == Ok(*number),
            Value::Single(number) => wanted.parse() == Ok(*number),
            Value::Double(number) => wanted.parse() == Ok(*number),
            other => other.text() == Some(wanted) || other.to_string() == wanted,
        }
    }
}
