//! Looking leaves no trace: nothing is mapped writable, and no byte changes.
