//! Which ids were taken before, told by one number a source.
//!
//! Sources of ids are rings, read in order, and ids grow with the ring position: see
//! [`layouts::signal::signal_id`]. So the greatest id of a source recognises every repetition for
//! ever, without a table of ids. Signals and the orders made of them share their ids.

/// 8 bits of shard and 1 bit of input: the top of an id.
const SOURCES: usize = 1 << 9;
const SOURCE_SHIFT: u32 = 55;

/// The greatest id taken of each source.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Plus one.
    next: Box<[u64; SOURCES]>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            next: Box::new([0; SOURCES]),
        }
    }
}

impl Sources {
    /// Takes an id; whether it is above all taken of its source.
    pub fn take(&mut self, id: u64) -> bool {
        let source = usize::try_from(id >> SOURCE_SHIFT).unwrap_or(0);
        let within = (id & ((1 << SOURCE_SHIFT) - 1)) + 1;
        match self.next.get_mut(source) {
            Some(next) if within > *next => {
                *next = within;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layouts::{SignalKind, signal::signal_id};

    #[test]
    fn an_id_is_new_once_and_sources_do_not_meet() {
        let mut sources = Sources::default();
        for (shard, from_games) in [(0, false), (0, true), (255, false), (255, true)] {
            let id =
                |sequence, leg| signal_id(shard, from_games, sequence, SignalKind::Arbitrage, leg);
            assert!(sources.take(id(0, 0)) && sources.take(id(0, 1)) && sources.take(id(7, 0)));
            for old in [id(0, 0), id(0, 1), id(3, 0), id(7, 0)] {
                assert!(!sources.take(old), "{shard} {from_games}");
            }
            assert!(sources.take(id(7, 1)));
        }
    }
}
