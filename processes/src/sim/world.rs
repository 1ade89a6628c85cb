//! What goes on outside while we trade: the games and the other traders.

use super::exchange::Exchange;
use super::game::Game;

/// A source of games and quotes.
pub(crate) trait World: Send {
    /// Lets the world go on until so many seconds after the start of the run.
    fn advance(&mut self, elapsed: f64, exchange: &mut Exchange, now_us: i64);
    /// How the games stand.
    fn games(&self) -> Vec<Game>;
    /// How many games have been paid out.
    fn settled(&self) -> usize;
}
