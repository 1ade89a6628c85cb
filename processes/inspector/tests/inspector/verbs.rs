//! What each verb says, and how it ends.
