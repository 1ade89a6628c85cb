//! Whether the account stands as our books say while it is traded with: positions, what was settled of them, orders
//! that rest, cash.
//!
//! The venue's reads lag behind its trades and our books behind its answers, so one look that differs says nothing. An
//! amount that stays the same through many looks ([`Doubts`]) is neither: somebody else trades with the account,
//! money came or went, or a fill was lost. Fills one by one are compared at the end (`reconcile`).

use super::collateral_return::{advice, returned_micros};
use super::database::{Database, Opening};
use super::market_numbers::markets;
use super::reconcile::{ReconcileError, dollars};
use super::settlement::settlement;
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::kalshi_wire::{OrderState, PositionRecord, SettlementRecord};
use layouts::units::format_decimal;
use stages::positions::PositionBook;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// How far back the venue's settlements are read, seconds: all that are older were booked long ago.
const SETTLED_WITHIN_S: i64 = 24 * 60 * 60;
/// Times that the same difference must be seen, with nothing else in between that would say it is over.
pub const LOOKS: u32 = 10;

/// Something in which our books and the venue's differ at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What: all that was held in a market, whether it is settled or not; an order; the balance.
    pub subject: String,
    /// What the venue has more than we: 1/100 contract, or micro-dollars.
    pub amount: i64,
    /// Both sides, in words.
    pub words: String,
}

impl Gap {
    fn key(&self) -> (&str, i64) {
        (&self.subject, self.amount)
    }
}

/// Looks once at the venue, and then at our books, which are only read. None where there are no books yet.
///
/// # Errors
///
/// When one of them cannot be read.
pub async fn look(
    database: &Path,
    rest: &KalshiRest,
    opening: Opening,
) -> Result<Vec<Gap>, ReconcileError> {
    let since = jiff::Timestamp::now().as_second() - SETTLED_WITHIN_S;
    let settlements = rest.settlements(since.max(opening.unix_s)).await?;
    let resting = rest.resting_orders().await?;
    let positions = rest.positions().await?;
    let balance_micros = rest.balance().await?.balance_micros;
    if !database.exists() {
        return Ok(Vec::new());
    }
    let tickers = markets(database)?;
    let database = Database::open_read_only(database)?;
    if !database.is_laid_out()? {
        return Ok(Vec::new());
    }
    let mut book = PositionBook::default();
    for fill in database.fills()? {
        book.fill(&fill);
    }
    let mut gaps = resting_orders(&resting);
    gaps.extend(settlements_apart(&book, &tickers, &settlements));
    let numbers: HashMap<&str, u32> = tickers
        .iter()
        .map(|(market, ticker)| (ticker.as_str(), *market))
        .collect();
    let theirs = settlements.iter().filter_map(|record| {
        let market = numbers.get(record.ticker.as_str())?;
        Some((*market, settlement(record)?))
    });
    for (market, settlement) in database.settlements()?.into_iter().chain(theirs) {
        // One that differs from our own was amended.
        book.settle(market, settlement);
    }
    gaps.extend(positions_apart(&book, &tickers, &positions));
    let cash_micros = opening.cash_micros + book.total().cash_micros - book.collateral_micros();
    if cash_micros != balance_micros {
        let amount = balance_micros - cash_micros;
        let held = held_by_ticker(&book, &tickers);
        gaps.push(Gap {
            subject: "balance".into(),
            amount,
            words: format!(
                "balance: ours {}, the venue's {}{}",
                dollars(cash_micros),
                dollars(balance_micros),
                advice(amount, returned_micros(held.into_iter()))
            ),
        });
    }
    Ok(gaps)
}

/// Orders that rest: ours are filled or cancelled at once.
#[must_use]
pub fn resting_orders(orders: &[OrderState]) -> Vec<Gap> {
    let gap = |order: &OrderState| Gap {
        subject: format!("order {}", order.order_id),
        amount: order.remaining_centi.into(),
        words: format!(
            "order {} of {} rests at the venue; ours never do\n    fix: cancel it there",
            order.order_id, order.ticker
        ),
    };
    orders.iter().map(gap).collect()
}

/// What was settled of decided markets, against what we held of them; `book` has no settlements yet.
fn settlements_apart(
    book: &PositionBook,
    tickers: &BTreeMap<u32, String>,
    theirs: &[SettlementRecord],
) -> Vec<Gap> {
    let ours = held_by_ticker(book, tickers);
    let apart = theirs.iter().map(|record| {
        let ours = ours.get(record.ticker.as_str()).copied();
        let theirs = i64::from(record.yes_count_centi) - i64::from(record.no_count_centi);
        (record.ticker.as_str(), ours.unwrap_or_default(), theirs)
    });
    apart
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(ticker, ours, theirs)| Gap {
            subject: held_in(ticker),
            amount: theirs - ours,
            words: format!(
                "settlement of {ticker}: we held {}, the venue settled {}",
                format_decimal(ours, 2),
                format_decimal(theirs, 2)
            ),
        })
        .collect()
}

/// A trade that is not ours stays the same difference when its market is settled.
fn held_in(ticker: &str) -> String {
    format!("what was held in {ticker}")
}

fn held_by_ticker<'a>(
    book: &PositionBook,
    tickers: &'a BTreeMap<u32, String>,
) -> BTreeMap<&'a str, i64> {
    let positions = tickers
        .iter()
        .filter_map(|(market, ticker)| Some((ticker.as_str(), book.market(*market)?)));
    positions
        .map(|(ticker, position)| (ticker, position.position_centi))
        .collect()
}

fn positions_apart(
    book: &PositionBook,
    tickers: &BTreeMap<u32, String>,
    theirs: &[PositionRecord],
) -> Vec<Gap> {
    let ours = held_by_ticker(book, tickers);
    let theirs: BTreeMap<&str, i64> = theirs
        .iter()
        .map(|record| (record.ticker.as_str(), record.position_centi))
        .collect();
    let held: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
    let of = |side: &BTreeMap<&str, i64>, ticker| side.get(ticker).copied().unwrap_or_default();
    held.into_iter()
        .map(|ticker| (ticker, of(&ours, ticker), of(&theirs, ticker)))
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(ticker, ours, theirs)| Gap {
            subject: held_in(ticker),
            amount: theirs - ours,
            words: format!(
                "position of {ticker}: ours {}, the venue's {}",
                format_decimal(ours, 2),
                format_decimal(theirs, 2)
            ),
        })
        .collect()
}

/// Differences that may be over at the next look, and how often each amount was seen.
#[derive(Debug, Default)]
pub struct Doubts(BTreeMap<String, BTreeMap<i64, u32>>);

impl Doubts {
    /// Takes what a look found. Returns the words of what is beyond doubt: an amount that was seen [`LOOKS`] times since
    /// its subject last agreed. Other amounts in between are trades on their way. With it is told what was seen once less:
    /// a trade may come between two reads of one look, and the balance alone names no market.
    pub fn weigh(&mut self, gaps: &[Gap]) -> Vec<String> {
        let differing: BTreeSet<&str> = gaps.iter().map(|gap| gap.subject.as_str()).collect();
        self.0
            .retain(|subject, _| differing.contains(subject.as_str()));
        let distinct: BTreeSet<(&str, i64)> = gaps.iter().map(Gap::key).collect();
        for (subject, amount) in distinct {
            let amounts = self.0.entry(subject.to_owned()).or_default();
            let seen = amounts.entry(amount).or_default();
            *seen = seen.saturating_add(1);
        }
        let is_certain = gaps.iter().any(|gap| self.seen(gap) >= LOOKS);
        gaps.iter()
            .filter(|gap| is_certain && self.seen(gap) >= LOOKS - 1)
            .map(|gap| gap.words.clone())
            .collect()
    }

    fn seen(&self, gap: &Gap) -> u32 {
        let amounts = self.0.get(&gap.subject);
        let seen = amounts.and_then(|amounts| amounts.get(&gap.amount));
        seen.copied().unwrap_or_default()
    }

    /// Whether there is something to look at again soon.
    #[must_use]
    pub fn are_there(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use layouts::{Fill, Side};

    fn gap(subject: &str, amount: i64) -> Gap {
        Gap {
            subject: subject.into(),
            amount,
            words: format!("{subject} by {amount}"),
        }
    }

    #[test]
    fn limit_books_trips() {
        let mut doubts = Doubts::default();
        for _ in 1..LOOKS {
            assert_eq!(doubts.weigh(&[gap("a", 100)]), Vec::<String>::new());
        }
        assert_eq!(doubts.weigh(&[gap("a", 100)]), ["a by 100"]);
        // Until it is over.
        assert_eq!(doubts.weigh(&[gap("a", 100)]), ["a by 100"]);
    }

    #[test]
    fn limit_books_lets_pass() {
        let mut doubts = Doubts::default();
        for _ in 0..3 {
            for _ in 1..LOOKS {
                assert_eq!(doubts.weigh(&[gap("a", 100)]), Vec::<String>::new());
            }
            assert!(doubts.are_there());
            assert_eq!(doubts.weigh(&[]), Vec::<String>::new());
            assert!(!doubts.are_there());
        }
    }

    #[test]
    fn trades_on_their_way_hide_no_difference_for_long_and_are_none() {
        let mut doubts = Doubts::default();
        for look in 1..i64::from(LOOKS) {
            assert_eq!(
                doubts.weigh(&[gap("a", 100), gap("b", look)]),
                Vec::<String>::new()
            );
            assert_eq!(
                doubts.weigh(&[gap("a", 100 + look), gap("b", -look)]),
                Vec::<String>::new()
            );
        }
        assert_eq!(doubts.weigh(&[gap("a", 100), gap("b", 0x77)]), ["a by 100"]);
    }

    #[test]
    fn what_began_one_look_later_is_told_with_what_is_certain() {
        let mut doubts = Doubts::default();
        doubts.weigh(&[gap("balance", 100)]);
        for _ in 2..LOOKS {
            let both = [gap("balance", 100), gap("a", 7)];
            assert_eq!(doubts.weigh(&both), Vec::<String>::new());
        }
        let told = doubts.weigh(&[gap("balance", 100), gap("a", 7), gap("b", 1)]);
        assert_eq!(told, ["balance by 100", "a by 7"]);
    }

    #[test]
    fn what_one_look_tells_twice_counts_once() {
        let mut doubts = Doubts::default();
        for _ in 1..LOOKS {
            let twice = [gap("a", 100), gap("a", 100)];
            assert_eq!(doubts.weigh(&twice), Vec::<String>::new());
        }
    }

    /// Or the balance, in which nothing changes at the settlement of what was sold at its value, is all that is told.
    #[test]
    fn a_settlement_between_two_looks_begins_no_new_count() {
        let tickers = BTreeMap::from([(1, "A".to_owned())]);
        let book = PositionBook::default();
        let by_hand = PositionRecord {
            ticker: "A".into(),
            position_centi: -100,
            fees_paid_micros: 0,
        };
        let mut doubts = Doubts::default();
        for _ in 1..LOOKS {
            let gaps = positions_apart(&book, &tickers, std::slice::from_ref(&by_hand));
            assert_eq!(doubts.weigh(&gaps), Vec::<String>::new());
        }
        let gaps = settlements_apart(&book, &tickers, &[settled("A", 0, 100)]);
        assert_eq!(
            doubts.weigh(&gaps),
            ["settlement of A: we held 0.00, the venue settled -1.00"]
        );
    }

    fn settled(ticker: &str, yes_count_centi: u32, no_count_centi: u32) -> SettlementRecord {
        SettlementRecord {
            ticker: ticker.into(),
            market_result: "yes".into(),
            yes_count_centi,
            no_count_centi,
            revenue_micros: 0,
            value_e4: Some(10_000),
            settled_time: String::new(),
        }
    }

    #[test]
    fn positions_and_settlements_are_compared_both_ways() {
        let fill = |trade: u8, market, count_centi| Fill {
            trade: [trade; 16],
            market,
            count_centi,
            price_e4: 5_000,
            side: Side::Ask as u8,
            ..Fill::zeroed()
        };
        let mut book = PositionBook::default();
        for (trade, market, count_centi) in [(1, 1, 250), (2, 2, 100), (3, 3, 700)] {
            book.fill(&fill(trade, market, count_centi));
        }
        let tickers = [(1, "A"), (2, "B"), (3, "C"), (4, "D")];
        let tickers = tickers.map(|(market, ticker)| (market, ticker.to_owned()));
        let tickers = BTreeMap::from(tickers);
        let records = [settled("C", 0, 700), settled("B", 0, 200)];
        let found = settlements_apart(&book, &tickers, &records);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].words,
            "settlement of B: we held -1.00, the venue settled -2.00"
        );
        assert_eq!(found[0].amount, -100);
        book.settle(3, 10_000);
        let theirs =
            [("A", -250), ("D", 100), ("E", 50)].map(|(ticker, position_centi)| PositionRecord {
                ticker: ticker.into(),
                position_centi,
                fees_paid_micros: 0,
            });
        let found = positions_apart(&book, &tickers, &theirs);
        let found: Vec<(&str, i64)> = found
            .iter()
            .map(|gap| (gap.words.as_str(), gap.amount))
            .collect();
        assert_eq!(
            found,
            [
                ("position of B: ours -1.00, the venue's 0.00", 100),
                ("position of D: ours 0.00, the venue's 1.00", 100),
                ("position of E: ours 0.00, the venue's 0.50", 50),
            ]
        );
    }
}
