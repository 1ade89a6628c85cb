//! Lists of the venue, page by page.

use super::super::error::VenueError;
use super::super::kalshi_wire::null_is_empty;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A list as far as it can be read.
///
/// The venue lists things of its own that are nothing to us; one that it writes in a new way must
/// not hide the others. Of what is ours each record counts: there `whole` makes the first
/// unreadable record an error, because books that leave a fill out would only seem to agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What could be read.
    pub items: Vec<T>,
    /// Records that could not be read.
    pub unreadable: usize,
    /// Why the first of them could not.
    pub reason: String,
}

impl<T> Listing<T> {
    pub(super) fn whole(self, path: &str) -> Result<Vec<T>, VenueError> {
        match self.unreadable {
            0 => Ok(self.items),
            count => Err(VenueError::Malformed {
                request: format!("GET {path}"),
                reason: format!("{count} records cannot be read: {}", self.reason),
            }),
        }
    }
}

impl<T: DeserializeOwned> Listing<T> {
    /// Reads the records of one page.
    pub(super) fn extend(&mut self, records: Vec<Value>) {
        for record in records {
            match serde_json::from_value(record) {
                Ok(item) => self.items.push(item),
                Err(error) => {
                    if self.unreadable == 0 {
                        self.reason = error.to_string();
                    }
                    self.unreadable += 1;
                }
            }
        }
    }
}

/// One page of a list, its records still unread.
#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) cursor: String,
    #[serde(flatten)]
    lists: Map<String, Value>,
}

impl Page {
    /// A list that is absent or null is empty.
    pub(super) fn take(&mut self, list: &str) -> Option<Vec<Value>> {
        match self.lists.remove(list) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(records)) => Some(records),
            Some(_) => None,
        }
    }
}
