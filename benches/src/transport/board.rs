//! Our board, between two processes: one row that shows the latest message; the reader spins.
//!
//! The writer never waits and never finds it full. A message that is written over before the reader has
//! looked is gone, by design: who asks what the price is now does not want the one before. So it takes
//! no part where every message counts, and at fixed rates what was overtaken is counted as lost.

use super::{End, Receiver, Sender, Transport};
use crate::{
    Failure,
    carrier::Remote,
    entry::{Entry, Part},
    link::Link,
    payload::Carried,
};
use ipc::{BoardOptions, BoardReader, BoardWriter, create_board};

/// In the tables.
pub const ENTRIES: &[Entry] = &[Entry::new(
    "our board",
    &[Part::Hop, Part::Rate, Part::Wake],
    &Remote::<Board>::NEW,
)];

/// As few as a board has.
const ROWS: u32 = 4;
/// The one that is used.
const ROW: u32 = 0;

/// A board of which one row is used.
pub struct Board;

impl Transport for Board {
    const FIRST: End = End::Sender;
    type Sender<T: Carried> = BoardWriter<T>;
    type Receiver<T: Carried> = Latest<T>;

    fn sender<T: Carried>(link: &Link) -> Result<BoardWriter<T>, Failure> {
        let path = link.file("board");
        create_board::<T>(
            &path,
            BoardOptions {
                rows: ROWS,
                ..BoardOptions::default()
            },
        )?;
        Ok(BoardWriter::attach(&path)?)
    }

    fn receiver<T: Carried>(link: &Link) -> Result<Latest<T>, Failure> {
        Ok(Latest {
            board: BoardReader::open(&link.file("board"))?,
            version: 0,
        })
    }
}

impl<T: Carried> Sender<T> for BoardWriter<T> {
    #[inline(always)]
    fn send(&mut self, message: &T) -> Result<bool, Failure> {
        self.write(ROW, message)?;
        Ok(true)
    }
}

/// A reader that knows which version of the row it has seen.
pub struct Latest<T: Carried> {
    board: BoardReader<T>,
    version: u64,
}

impl<T: Carried> Receiver<T> for Latest<T> {
    #[inline(always)]
    fn receive(&mut self) -> Option<T> {
        // A row that is just being written is read at the next look.
        let row = self.board.read(ROW).ok().flatten()?;
        if row.version == self.version {
            return None;
        }
        self.version = row.version;
        Some(row.value)
    }
}
