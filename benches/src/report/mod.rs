//! What a run found out, for people: in the terminal, as a page, as pictures, and beside an earlier run.
//!
//! | module | what |
//! |---|---|
//! | `file` | the results as JSON: written, and read back |
//! | `section`, `columns`, `number` | what all of the following show: rows by experiment, columns that say something, units |
//! | `table` | the terminal |
//! | `html`, `answer` | one self-contained page |
//! | `plot` | the pictures, within the page and on their own |
//! | `against` | the ratios of this run beside those of an earlier one |

pub mod against;
mod answer;
mod columns;
pub mod file;
pub mod html;
#[cfg(test)]
pub(crate) mod invented;
mod number;
pub mod plot;
mod section;
pub mod table;
