//! The wiring of each process: which rings, which stage, which I/O thread.

pub mod complaints;
pub mod kalshi_monitor;
pub mod market_discovery;
pub mod orchestrator;
