//! The screen, drawn from scenes that are made up.
