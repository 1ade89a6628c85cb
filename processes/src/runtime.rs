//! What every process of the pipeline shares: start, loop, hand-over between threads, stop.
