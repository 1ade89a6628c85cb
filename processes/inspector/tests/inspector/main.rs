//! `shm-inspect` on the rings of real processes: what it says, how it ends, and that it leaves no trace.

#![forbid(unsafe_code)]

mod actor;
mod metrics;
mod misplaced;
mod no_trace;
mod processes;
mod scene;
mod verbs;
mod verdicts;
