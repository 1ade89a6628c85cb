//! The wiring of each process: which rings, which stage, which I/O thread.
