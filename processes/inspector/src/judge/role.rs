//! Who holds the roles of a segment, and how those who do not have gone.

use super::Party;
use crate::sample::{Reading, Sample};
use ipc::{Holder, Kind, Role};

/// How a role stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Held.
    Attached,
    /// Empty, after a goodbye.
    Left,
    /// Empty, without one.
    Dead,
    /// Nobody has ever held it.
    Never,
}

/// A role with its holder, or its last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) role: Role,
    pub(super) state: State,
    pub(super) party: Option<Party>,
}

impl Standing {
    /// Of one role of a segment.
    pub(super) fn of(reading: &Reading, role: Role) -> Self {
        let (held, holder) = match role {
            Role::Producer => (reading.counters.producer_attached, &reading.producer),
            Role::Consumer => (reading.counters.consumer_attached, &reading.consumer),
        };
        let state = match holder {
            _ if held => State::Attached,
            None => State::Never,
            Some(holder) if holder.left => State::Left,
            Some(_) => State::Dead,
        };
        let party = holder.as_ref().map(|Holder { pid, name, .. }| Party {
            name: name.clone(),
            pid: *pid,
        });
        Self { role, state, party }
    }

    /// Its holder as a sentence calls it: `game_shard.0 (pid 17)`.
    pub(super) fn who(&self, fallback: &str) -> String {
        match &self.party {
            Some(Party { name, pid }) => format!("{name} (pid {pid})"),
            None => fallback.to_owned(),
        }
    }
}

/// The roles of a sample: two of a ring, one of a board, none of what cannot be read.
pub(super) fn standings(sample: &Sample) -> Vec<Standing> {
    let Ok(reading) = &sample.reading else {
        return Vec::new();
    };
    let mut roles = vec![Standing::of(reading, Role::Producer)];
    if reading.kind != Kind::Board {
        roles.push(Standing::of(reading, Role::Consumer));
    }
    roles
}
