//! The rings and boards of a pipeline: laid out before its processes start, removed after they end.

use crate::{
    pipeline::{LinkKind, Pipeline},
    runtime::Failure,
};
use ipc::{Kind, Message, RingOptions, create_board, create_ring, remove_abandoned};
use layouts::{Fill, GameState, Order, OrderAck, PriceUpdate, Signal};
use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

/// Creates the ring directory and everything in it; what a killed run left behind is replaced.
///
/// Returns how many leftovers were removed.
///
/// # Errors
///
/// When a live process still holds a ring, or the file system has no room.
pub(super) fn lay_out(pipeline: &Pipeline) -> Result<usize, Failure> {
    let directory = pipeline.ring_dir();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .map_err(|error| {
            Failure::io(
                format!("create ring directory `{}`", directory.display()),
                error,
            )
        })?;
    let leftovers = remove_leftovers(&directory)?;
    for link in &pipeline.links {
        let kind = match link.kind {
            LinkKind::Lossless => Kind::Lossless,
            LinkKind::LatestWins => Kind::LatestWins,
        };
        create_link(
            &link.message,
            &pipeline.ring_path(&link.name),
            RingOptions {
                kind,
                capacity: link.depth,
                ..RingOptions::default()
            },
        )?;
    }
    for board in &pipeline.boards {
        create_board::<PriceUpdate>(&pipeline.board_path(&board.name), board.slots, 0o600)?;
    }
    Ok(leftovers)
}

/// Removes the ring directory with everything in it, and its parent when it was the last.
pub(super) fn remove(pipeline: &Pipeline) {
    let directory = pipeline.ring_dir();
    if let Err(error) = fs::remove_dir_all(&directory) {
        eprintln!("warning: cannot remove `{}`: {error}", directory.display());
    }
    // Other pipelines may have theirs there.
    let _ = fs::remove_dir(&pipeline.rings);
}

fn create_link(message: &str, path: &Path, options: RingOptions) -> Result<(), Failure> {
    let created = match message {
        PriceUpdate::NAME => create_ring::<PriceUpdate>(path, options),
        GameState::NAME => create_ring::<GameState>(path, options),
        Signal::NAME => create_ring::<Signal>(path, options),
        Order::NAME => create_ring::<Order>(path, options),
        OrderAck::NAME => create_ring::<OrderAck>(path, options),
        Fill::NAME => create_ring::<Fill>(path, options),
        other => {
            return Err(Failure::Configuration(format!(
                "no message is called `{other}`"
            )));
        }
    };
    created?;
    Ok(())
}

fn remove_leftovers(directory: &Path) -> Result<usize, Failure> {
    let read = |error| Failure::io(format!("read `{}`", directory.display()), error);
    let mut removed = 0;
    for entry in fs::read_dir(directory).map_err(read)? {
        removed += usize::from(remove_abandoned(&entry.map_err(read)?.path())?);
    }
    Ok(removed)
}
