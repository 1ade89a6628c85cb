//! Who takes part: each transport's file says under which names, in which experiments, and what it
//! needs.

#[cfg(feature = "aeron")]
use crate::transport::aeron;
use crate::{
    carrier::Carrier,
    row::{Between, Waiting},
    transport::{
        board, crossbeam, grpc, iceoryx2, jetstream, nats, ours, ours_batches, ours_waiting, pipe,
        redis_pub_sub, redis_streams, ringfire, rtrb, shared_memory, tcp, unix_seqpacket,
        unix_stream, zeromq,
    },
};

/// The experiments that a transport may take part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Round trips.
    Hop,
    /// Streams, at one depth and size.
    Stream,
    /// Streams, at every depth and size.
    Sweep,
    /// Streams, for what a time stamp costs.
    Stamps,
    /// Messages at fixed rates.
    Rate,
    /// Messages after idle gaps.
    Wake,
    /// The stages of the pipeline.
    Chain,
}

/// What must run for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing else.
    Nothing,
    /// `redis-server`.
    Redis,
    /// `nats-server`.
    Nats,
    /// The Aeron media driver.
    Aeron,
}

/// A contender.
pub struct Entry {
    /// As in the tables, without the encoding.
    pub name: &'static str,
    /// `fixed` or `json`, where something is encoded.
    pub encoding: Option<&'static str>,
    /// What stands between its ends.
    pub between: Between,
    /// How its receiver waits.
    pub waiting: Waiting,
    /// What must run for it.
    pub needs: Needs,
    /// Where it takes part.
    pub parts: &'static [Part],
    /// What it is.
    pub carrier: &'static dyn Carrier,
}

impl Entry {
    /// Two processes, a spinning reader, no server, no encoding.
    #[must_use]
    pub const fn new(
        name: &'static str,
        parts: &'static [Part],
        carrier: &'static dyn Carrier,
    ) -> Self {
        Self {
            name,
            encoding: None,
            between: Between::Processes,
            waiting: Waiting::Spins,
            needs: Needs::Nothing,
            parts,
            carrier,
        }
    }

    /// With fixed layout.
    #[must_use]
    pub const fn fixed(mut self) -> Self {
        self.encoding = Some("fixed");
        self
    }

    /// With JSON.
    #[must_use]
    pub const fn json(mut self) -> Self {
        self.encoding = Some("json");
        self
    }

    /// Its reader waits so.
    #[must_use]
    pub const fn waits(mut self, waiting: Waiting) -> Self {
        self.waiting = waiting;
        self
    }

    /// Its ends are two threads.
    #[must_use]
    pub const fn threads(mut self) -> Self {
        self.between = Between::Threads;
        self
    }

    /// A server carries every message.
    #[must_use]
    pub const fn through(mut self, server: Needs) -> Self {
        self.between = Between::Server;
        self.needs = server;
        self
    }

    /// A server must run beside it, but carries no message.
    #[must_use]
    pub const fn beside(mut self, server: Needs) -> Self {
        self.needs = server;
        self
    }

    /// What tells it from all others.
    #[must_use]
    pub fn id(&self) -> String {
        id(self.name, self.encoding)
    }
}

/// A contender's name with its encoding: what tells it from all others.
#[must_use]
pub fn id(name: &str, encoding: Option<&str>) -> String {
    match encoding {
        Some(encoding) => format!("{name}, {encoding}"),
        None => name.to_owned(),
    }
}

/// Who may have been left out when this program was built.
pub struct Optional {
    /// As in the tables.
    pub name: &'static str,
    /// Where it would take part.
    pub parts: &'static [Part],
    /// How to have it.
    pub without: &'static str,
}

/// It is compiled from C, with tools that not everybody has.
pub const AERON: Optional = Optional {
    name: "Aeron IPC",
    parts: &[Part::Hop, Part::Stream, Part::Rate, Part::Chain],
    without: "not built: needs CMake 3.30 and libclang; ARBEES_BENCH_FEATURES=aeron scripts/bench ...",
};

/// Who was left out.
pub const LEFT_OUT: &[Optional] = if cfg!(feature = "aeron") {
    &[]
} else {
    &[AERON]
};

/// All of them, file by file.
const FILES: &[&[Entry]] = &[
    ours::ENTRIES,
    ours_waiting::ENTRIES,
    ours_batches::ENTRIES,
    rtrb::ENTRIES,
    ringfire::ENTRIES,
    board::ENTRIES,
    crossbeam::ENTRIES,
    shared_memory::ENTRIES,
    unix_stream::ENTRIES,
    unix_seqpacket::ENTRIES,
    pipe::ENTRIES,
    tcp::ENTRIES,
    redis_pub_sub::ENTRIES,
    redis_streams::ENTRIES,
    nats::ENTRIES,
    jetstream::ENTRIES,
    iceoryx2::ENTRIES,
    zeromq::ENTRIES,
    grpc::ENTRIES,
    #[cfg(feature = "aeron")]
    aeron::ENTRIES,
];

/// All contenders.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    FILES.iter().copied().flatten()
}

/// The one with that [`Entry::id`].
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.id() == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_contenders_have_one_name() {
        let mut seen = HashSet::new();
        for entry in all() {
            assert!(seen.insert(entry.id()), "{}", entry.id());
        }
    }
}
