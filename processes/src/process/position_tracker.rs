//! x
use crate::runtime::*;
///x
pub fn run(_: &Context) -> Result<serde_json::Value, Failure> {
    unreachable!()
}
