//! `shm-inspect` on the rings of real processes: what it says, how it ends, and that it leaves no trace.

mod actor;
mod metrics;
mod misplaced;
mod no_trace;
mod processes;
mod scene;
mod verbs;
mod verdicts;
