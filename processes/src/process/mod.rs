//! The wiring of each process: which rings, which stage, which I/O thread.

pub mod complaints;
pub mod discoveries;
pub mod execution_service;
pub mod game_shard;
pub mod kalshi_monitor;
pub mod market_discovery;
pub mod orchestrator;
pub mod position_tracker;
pub mod pulse;
pub mod signal_processor;
