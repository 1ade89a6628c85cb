//! Fits the win-probability models to recorded games, and says how well they do on days that they
//! have not seen, beside the feed's own probability and the market's mid.
//!
//! Models, formulas, sources and results: `README.md` of this crate. What is judged is the code that
//! trades, [`stages::win_probability`], and no copy of it.
//!
//! | module | what |
//! |---|---|
//! | `reader` | the recorded data sets, one file each |
//! | `game` | what they have in common |
//! | `split` | which days train and which are held out |
//! | `margin_rating` | ratings made of the results of earlier days |
//! | `train` | the numbers that the training days decide |
//! | `minimum` | where a function is least |
//! | `evaluate` | predictions for held-out days, of the models and of others |
//! | `score` | log loss, Brier score, reliability, each with its interval |
//! | `report` | the table, the page, the file |
//! | `models` | the parameter files |

pub mod evaluate;
pub mod game;
pub mod margin_rating;
pub mod minimum;
pub mod models;
pub mod reader;
pub mod report;
pub mod run;
pub mod score;
pub mod split;
pub mod train;
