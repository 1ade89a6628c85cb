//! The launcher's word on whether to trade and within which limits, as a process hears it.

use super::{Context, Failure};
use ipc::BoardReader;
use layouts::{Control as Word, Mode, control::ROW};

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
