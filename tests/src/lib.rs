//! Test vocabulary across processes: where the programs are, how a pipeline is started and judged.

pub mod mutants;
pub mod namespaces;
pub mod programs;
pub mod recorded;
pub mod scratch;
pub mod stage;
