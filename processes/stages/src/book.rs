//! The order book of one market: bids only, for YES and for NO, each in its own dollars; a bid for
//! NO at `p` is an offer of YES at `1 - p`.

use layouts::{E4_PER_DOLLAR, PriceUpdate};

/// Levels of one side that a book holds without allocating: a whole-cent market has 99.
const LEVELS: usize = 128;

/// A level: price in its own side's dollars, and contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(
    /// Price, 1/10,000 dollar.
    pub u16,
    /// Contracts, 1/100.
    pub i64,
);

/// Which contract a level bids for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// YES.
    Yes,
    /// NO.
    No,
}

/// Bids of one side, best last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ladder(Vec<Level>);

/// The book contradicts the frame: it is not the venue's book any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfStep;

impl Ladder {
    fn replace(&mut self, levels: &[Level]) -> Result<(), OutOfStep> {
        self.0.clear();
        self.0.extend(levels.iter().filter(|level| level.1 != 0));
        self.0.sort_unstable_by_key(|level| level.0);
        let twice = self
            .0
            .windows(2)
            .any(|pair| matches!(pair, [low, high] if low.0 == high.0));
        if twice || self.0.iter().any(|level| level.1 < 0) {
            Err(OutOfStep)
        } else {
            Ok(())
        }
    }

    fn change(&mut self, price_e4: u16, delta_centi: i64) -> Result<(), OutOfStep> {
        match self.0.binary_search_by_key(&price_e4, |level| level.0) {
            Ok(place) => {
                let level = self.0.get_mut(place).ok_or(OutOfStep)?;
                level.1 = level.1.checked_add(delta_centi).ok_or(OutOfStep)?;
                match level.1 {
                    ..0 => return Err(OutOfStep),
                    0 => drop(self.0.remove(place)),
                    1.. => {}
                }
            }
            Err(_) if delta_centi < 0 => return Err(OutOfStep),
            Err(_) if delta_centi == 0 => {}
            Err(place) => self.0.insert(place, Level(price_e4, delta_centi)),
        }
        Ok(())
    }

    fn best(&self) -> (u16, u32) {
        self.0.last().map_or((0, 0), |level| {
            (level.0, u32::try_from(level.1).unwrap_or(u32::MAX))
        })
    }
}

/// The book of one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    yes: Ladder,
    no: Ladder,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            yes: Ladder(Vec::with_capacity(LEVELS)),
            no: Ladder(Vec::with_capacity(LEVELS)),
        }
    }
}

impl Book {
    /// Takes the whole book anew.
    ///
    /// # Errors
    ///
    /// When a side names a price twice, or less than nothing at one: then the book is not that of the venue any more.
    pub fn replace(&mut self, yes: &[Level], no: &[Level]) -> Result<(), OutOfStep> {
        self.yes.replace(yes)?;
        self.no.replace(no)
    }

    /// Changes one level by a signed count. Never allocates in a market of up to 128 levels a side.
    ///
    /// # Errors
    ///
    /// When it would leave less than nothing at a price: then the book is not that of the venue any more.
    pub fn change(
        &mut self,
        outcome: Outcome,
        price_e4: u16,
        delta_centi: i64,
    ) -> Result<(), OutOfStep> {
        match outcome {
            Outcome::Yes => self.yes.change(price_e4, delta_centi),
            Outcome::No => self.no.change(price_e4, delta_centi),
        }
    }

    /// Levels of one side, ascending, in the side's own dollars.
    #[must_use]
    pub fn levels(&self, outcome: Outcome) -> &[Level] {
        match outcome {
            Outcome::Yes => &self.yes.0,
            Outcome::No => &self.no.0,
        }
    }

    /// Writes best bid and offer of YES into an update; an empty side is zero and zero.
    pub(crate) fn write_top(&self, update: &mut PriceUpdate) {
        (update.bid_price_e4, update.bid_count_centi) = self.yes.best();
        let (no_price, count) = self.no.best();
        update.ask_price_e4 = if count == 0 {
            0
        } else {
            E4_PER_DOLLAR.saturating_sub(no_price)
        };
        update.ask_count_centi = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;

    #[test]
    fn a_bid_for_no_is_an_offer_of_yes() {
        let mut book = Book::default();
        book.replace(
            &[Level(4_200, 1_300), Level(4_100, 5)],
            &[Level(5_500, 700)],
        )
        .expect("in step");
        let mut update = PriceUpdate::zeroed();
        book.write_top(&mut update);
        assert_eq!(
            (update.bid_price_e4, update.bid_count_centi),
            (4_200, 1_300)
        );
        assert_eq!((update.ask_price_e4, update.ask_count_centi), (4_500, 700));
        book.change(Outcome::No, 5_500, -700).expect("in step");
        book.write_top(&mut update);
        assert_eq!((update.ask_price_e4, update.ask_count_centi), (0, 0));
    }

    #[test]
    fn what_contradicts_the_book_is_told() {
        let mut book = Book::default();
        book.replace(&[Level(4_200, 100)], &[]).expect("in step");
        assert_eq!(
            book.change(Outcome::Yes, 4_200, -101),
            Err(OutOfStep),
            "below zero"
        );
        assert_eq!(
            book.change(Outcome::No, 4_200, -1),
            Err(OutOfStep),
            "from a level that is not there"
        );
        assert_eq!(
            book.replace(&[Level(1, 1), Level(1, 2)], &[]),
            Err(OutOfStep),
            "one level twice"
        );
        assert_eq!(
            book.replace(&[], &[Level(1, -1)]),
            Err(OutOfStep),
            "negative"
        );
        assert_eq!(book.replace(&[Level(1, i64::MAX)], &[]), Ok(()));
        assert_eq!(
            book.change(Outcome::Yes, 1, 1),
            Err(OutOfStep),
            "beyond what can be counted"
        );
    }

    #[test]
    fn a_delta_does_not_allocate() {
        let mut book = Book::default();
        let capacity = (book.yes.0.capacity(), book.no.0.capacity());
        for price in 1..100 {
            for outcome in [Outcome::Yes, Outcome::No] {
                book.change(outcome, price * 100, 50).expect("in step");
            }
        }
        assert_eq!(capacity, (book.yes.0.capacity(), book.no.0.capacity()));
    }
}
