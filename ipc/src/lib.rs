//! stub
pub use bytemuck;
mod message;
pub use message::{Field, Message, difference, fingerprint, schema};
