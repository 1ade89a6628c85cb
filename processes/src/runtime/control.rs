//! The launcher's word on whether to trade and within which limits, as a process hears it.

use super::{Context, Failure};
use ipc::BoardReader;
use layouts::{Control as Word, Mode, control::ROW};
use std::{fmt, path::Path, sync::Arc};

/// Reads the launcher's word from shared memory: a look is one line in cache, and needs no Redis.
pub struct Control {
    board: BoardReader<Word>,
    version: u64,
    mode: Mode,
}

impl Control {
    /// Opens the board of this pipeline.
    ///
    /// # Errors
    ///
    /// When it is missing: who cannot be halted must not trade.
    pub fn open(context: &Context) -> Result<Self, Failure> {
        Ok(Self {
            board: BoardReader::open(&context.pipeline.control_path())?,
            version: 0,
            mode: Mode::Safe,
        })
    }

    /// The word, if it is another than at the last look. One that is being written comes with the next look.
    #[inline]
    pub fn news(&mut self) -> Option<Word> {
        let row = self.board.read(ROW).ok()??;
        if row.version == self.version {
            return None;
        }
        self.version = row.version;
        self.mode = row.value.mode();
        Some(row.value)
    }

    /// Whether the word of the last look halts trading; nothing said is no leave to trade.
    #[inline]
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.mode == Mode::Safe
    }
}

/// The last look before an order is written: asks the board itself, from any thread. Whoever waits between
/// the decision to send and the wire, for a connection or for the hot thread that sleeps, hears a halt that
/// came meanwhile.
#[derive(Clone)]
pub struct Gate(Arc<BoardReader<Word>>);

impl Gate {
    /// The gate of the pipeline whose board this is.
    ///
    /// # Errors
    ///
    /// As [`Control::open`].
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self(Arc::new(BoardReader::open(path)?)))
    }

    /// Whether nothing may be sent. A word that cannot be read is no leave to trade.
    #[inline]
    #[must_use]
    pub fn is_shut(&self) -> bool {
        !matches!(self.0.read(ROW), Ok(Some(row)) if row.value.mode() == Mode::Trade)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shut = self.is_shut();
        formatter.debug_struct("Gate").field("shut", &shut).finish()
    }
}
