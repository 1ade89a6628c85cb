//! Test vocabulary across processes.
