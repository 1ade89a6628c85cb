//! Starts, watches and stops a pipeline, and tells how it went.
