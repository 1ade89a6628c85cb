//! The experiments: one question each.

use crate::{cores::Cores, payload::Size};
use std::path::Path;

pub mod end_to_end;
pub mod round_trip;
pub mod stamp;
pub mod stream;
pub mod wake;

/// Where the experiments take place.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The two cores.
    pub cores: Cores,
    /// Where the rings' files go.
    pub directory: &'a Path,
}

/// A stream: what a message is, and how many fit.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Size of the messages.
    pub size: Size,
    /// Slots of the ring.
    pub slots: u32,
}
