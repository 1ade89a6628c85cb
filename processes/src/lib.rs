//! Who runs: the stages, the venue and feed clients, the simulator, the cold path and the launcher.

pub mod cold;
pub mod discovery;
pub mod launch;
pub mod process;
pub mod runtime;
pub mod sim;
pub mod venue;
