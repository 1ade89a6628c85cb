//! The order groups as far as we know them, and what is to be done about them.

use super::Word;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Groups {
    pub(super) by_shard: BTreeMap<u32, Group>,
    /// Those of predecessors, triggered or about to be, with their shards: they end with us.
    pub(super) old: Vec<(u32, String)>,
    /// Why the venue makes none on its first shard.
    #[serde(skip)]
    pub(super) refusal: Option<String>,
    /// Nothing that a predecessor has sent can be taken any more.
    #[serde(skip)]
    pub(super) fenced: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) contracts: u32,
    /// The beginning of the launcher's mode in which it was shut, by us at a halt or else by the venue; `None` while
    /// orders pass. Reset in a trading mode that began at another time.
    pub(super) shut_since: Option<u64>,
    /// We have begun to shut it, and the venue has not said that it did: it may be shut or not.
    #[serde(skip)]
    pub(super) pulling: bool,
    /// The venue has said that it knows no such group.
    #[serde(skip)]
    pub(super) doubted: bool,
    /// A predecessor's: it is not reset, but replaced.
    #[serde(skip)]
    pub(super) inherited: bool,
}

impl Group {
    pub(super) fn open(id: String, contracts: u32) -> Self {
        Self {
            id,
            contracts,
            shut_since: None,
            pulling: false,
            doubted: false,
            inherited: false,
        }
    }
}

/// What is to be done at the venue next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Pull,
    Open,
    Limit,
    Reset,
}

impl Groups {
    /// What the word asks for on a shard and the venue does not have yet; halts come first.
    pub(super) fn next(&self, shard: u32, word: Word) -> Option<Task> {
        let Some(group) = self.by_shard.get(&shard) else {
            return Some(Task::Open);
        };
        let at_this = group.shut_since == Some(word.since_unix_us);
        let is_past = group.shut_since.is_some() && !at_this;
        if word.halted && !at_this {
            Some(Task::Pull)
        } else if group.doubted || group.contracts != word.burst_contracts {
            Some(Task::Limit)
        } else if !word.halted && (group.pulling || is_past) {
            Some(Task::Reset)
        } else {
            None
        }
    }
}
