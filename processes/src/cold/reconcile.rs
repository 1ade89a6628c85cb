//! Compares our database with the venue's own account of us, to the last micro-dollar.
//!
//! Compared: every fill by trade id, every position, the fees of every market, what every decided
//! market paid, and the balance, which must be the money at the start, plus all flows of our fills
//! and settlements, less a dollar for every contract sold short (the venue's collateral).
//!
//! The venue may decide a market after our last look; its settlements are booked first, then judged
//! by what *our* fills say they should have paid, but for what is lost or won by rounding to cents. A venue that decides another one between two of
//! our requests would look different from itself, so a difference is looked at again.
//!
//! The venue is asked from the opening on. What was booked before has agreed with it at a live start (`agreed`): the venue
//! need not list it any more, but what it does list is compared all the same.

use super::collateral_return::{advice, returned_micros};
use super::database::{BookedFill, Database, DatabaseError, Opening};
use super::market_numbers::markets;
use super::settlement::{settled_unix_s, settlement};
use crate::venue::error::VenueError;
use crate::venue::kalshi_rest::KalshiRest;
use crate::venue::kalshi_wire::{FillRecord, PositionRecord, SettlementRecord};
use layouts::units::format_decimal;
use layouts::{E4_PER_DOLLAR, Fill};
use serde::Serialize;
use stages::attribution::Attribution;
use stages::positions::{Position, PositionBook};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

/// Looks at the venue before a difference is believed.
const LOOKS: u32 = 4;
/// Wait between them: longer than the lag of the venue's reads.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Why no comparison was possible.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Our side.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The venue's side.
    #[error(transparent)]
    Venue(#[from] VenueError),
}

/// What a comparison may do to the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Book settlements and names of markets that they lack: nobody else has them open.
    Write,
    /// Nothing.
    Read,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Whether nothing differs.
    pub equal: bool,
    /// What differs, in words, exactly.
    pub differences: Vec<String>,
    /// What the venue has more of our money than our books.
    pub balance_gap_micros: i64,
    /// Whether that may be collateral that the venue has returned early and will not return again.
    #[serde(skip)]
    pub is_returned_collateral: bool,
    /// Our money by our own books, collateral of shorts taken out, as the venue states a balance.
    pub cash_micros: i64,
    /// Every market with a fill, by ticker.
    pub positions: Vec<MarketPosition>,
    /// Gained or lost after fees; open positions at cost.
    pub pnl_micros: i64,
    /// Fees paid.
    pub fees_micros: i64,
    /// What it came of.
    pub attribution: Attribution,
    /// Fills booked.
    pub fills: usize,
    /// Settlements that the venue has amended since they were booked first, in words: no difference, but somebody should
    /// know.
    pub amended: Vec<String>,
}

/// One market in the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarketPosition {
    /// The venue's name.
    pub ticker: String,
    /// What we hold and what it cost.
    #[serde(flatten)]
    pub position: Position,
}

/// What the venue says of us.
#[derive(Debug, Clone)]
struct Account {
    fills: Vec<FillRecord>,
    positions: Vec<PositionRecord>,
    settlements: Vec<SettlementRecord>,
    balance_micros: i64,
}

/// What we say of us.
#[derive(Debug, Clone)]
struct Ledger {
    fills: Vec<BookedFill>,
    book: PositionBook,
    tickers: BTreeMap<u32, String>,
    /// Markets whose settlement has agreed before.
    agreed: HashSet<u32>,
    /// Market and value before the amendment, the oldest first.
    superseded: Vec<(u32, u16)>,
    /// By market, of before our books began.
    opening_fees: BTreeMap<String, i64>,
    starting_cash_micros: i64,
}

/// Compares the database with the venue.
///
/// # Errors
///
/// When one of them cannot be read; a difference is no error.
pub async fn reconcile(
    database: &Path,
    rest: &KalshiRest,
    opening: Opening,
    access: Access,
) -> Result<Reconciliation, ReconcileError> {
    let mut look = 1;
    loop {
        let account = Account {
            // All of them: an old one may be amended.
            settlements: rest.settlements(opening.began_unix_s).await?,
            fills: rest.fills_since(opening.unix_s).await?,
            positions: rest.positions().await?,
            balance_micros: rest.balance().await?.balance_micros,
        };
        let ledger = ledger(database, &account, opening.cash_micros, access)?;
        let outcome = judge(&ledger, &account);
        if outcome.equal || look == LOOKS {
            return Ok(outcome);
        }
        look += 1;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Our side, with the venue's settlements booked, and the names of markets that nobody could learn from Redis in time.
fn ledger(
    path: &Path,
    account: &Account,
    starting_cash_micros: i64,
    access: Access,
) -> Result<Ledger, DatabaseError> {
    let mut database = match access {
        Access::Write => Database::open(path)?,
        Access::Read => Database::open_read_only(path)?,
    };
    let mut book = database.load()?;
    let tickers = markets(path)?;
    if access == Access::Write {
        let booked: BTreeMap<u32, String> = database.markets()?.into_iter().collect();
        for (market, ticker) in tickers
            .iter()
            .filter(|(market, _)| !booked.contains_key(market))
        {
            database.name_market(*market, ticker)?;
        }
    }
    for (market, ticker) in &tickers {
        let of_market = account
            .settlements
            .iter()
            .find(|settled| settled.ticker == *ticker);
        let Some((record, settlement)) =
            of_market.and_then(|record| Some((record, settlement(record)?)))
        else {
            continue;
        };
        book.settle(*market, settlement);
        if access == Access::Write {
            database.settle(*market, settlement, settled_unix_s(record))?;
        }
    }
    Ok(Ledger {
        fills: database.booked()?,
        book,
        tickers,
        agreed: database.settlements_agreed()?,
        superseded: database.superseded()?,
        opening_fees: database.opening_fees()?,
        starting_cash_micros,
    })
}

fn judge(ledger: &Ledger, account: &Account) -> Reconciliation {
    let mut differences = Vec::new();
    compare_fills(ledger, account, &mut differences);
    compare_positions(ledger, account, &mut differences);
    compare_settlements(ledger, account, &mut differences);
    let total = ledger.book.total();
    let collateral = ledger.book.collateral_micros();
    let cash_micros = ledger.starting_cash_micros + total.cash_micros - collateral;
    let mut is_returned_collateral = false;
    let balance_gap_micros = account.balance_micros - cash_micros;
    if balance_gap_micros != 0 {
        let held = ledger.book.markets().filter_map(|(market, position)| {
            let ticker = ledger.tickers.get(&market)?;
            Some((ticker.as_str(), position.position_centi))
        });
        let advice = advice(balance_gap_micros, returned_micros(held));
        is_returned_collateral = !advice.is_empty();
        differences.push(format!(
            "balance: ours {} ({} at the start {} of flows less {} of collateral), the venue's {}{}",
            dollars(cash_micros),
            dollars(ledger.starting_cash_micros),
            Signed(total.cash_micros),
            dollars(collateral),
            dollars(account.balance_micros),
            advice
        ));
    }
    let positions = ledger
        .book
        .markets()
        .map(|(market, position)| MarketPosition {
            ticker: ledger.ticker(market),
            position: *position,
        });
    Reconciliation {
        equal: differences.is_empty(),
        differences,
        balance_gap_micros,
        is_returned_collateral,
        cash_micros,
        positions: positions.collect(),
        pnl_micros: total.pnl_micros(),
        fees_micros: total.fees_micros,
        attribution: Attribution::of(
            ledger
                .fills
                .iter()
                .map(|booked| (booked.launch.as_str(), &booked.fill)),
            |market| ledger.book.market(market).and_then(|held| held.settled_e4),
        ),
        fills: ledger.fills.len(),
        amended: ledger.amended(),
    }
}

impl Ledger {
    fn ticker(&self, market: u32) -> String {
        self.tickers
            .get(&market)
            .cloned()
            .unwrap_or_else(|| format!("market {market}"))
    }

    fn amended(&self) -> Vec<String> {
        let words = self.superseded.iter().map(|(market, before)| {
            let now = self.book.market(*market).and_then(|held| held.settled_e4);
            format!(
                "settlement of {}: the venue said {} and has amended it, now {}",
                self.ticker(*market),
                format_decimal(i64::from(*before), 4),
                format_decimal(now.map_or(0, i64::from), 4)
            )
        });
        words.collect()
    }

    fn by_ticker(&self) -> BTreeMap<String, Position> {
        self.book
            .markets()
            .map(|(market, position)| (self.ticker(market), *position))
            .collect()
    }
}

fn compare_fills(ledger: &Ledger, account: &Account, differences: &mut Vec<String>) {
    let ours: BTreeMap<[u8; 16], &BookedFill> = ledger
        .fills
        .iter()
        .map(|booked| (booked.fill.trade, booked))
        .collect();
    let theirs: BTreeMap<[u8; 16], &FillRecord> = account
        .fills
        .iter()
        .map(|fill| (fill.trade_id, fill))
        .collect();
    let trades: BTreeSet<[u8; 16]> = ours.keys().chain(theirs.keys()).copied().collect();
    for trade in trades {
        let id = uuid::Uuid::from_bytes(trade);
        match (ours.get(&trade), theirs.get(&trade)) {
            (Some(our), None) if our.agreed => {}
            (Some(our), None) => differences.push(format!(
                "fill {id}: ours ({}), the venue has none",
                our_words(&ledger.ticker(our.fill.market), &our.fill)
            )),
            (None, Some(their)) => {
                differences.push(format!(
                    "fill {id}: the venue's ({}), we have none",
                    their_words(their)
                ));
            }
            (Some(our), Some(their)) => {
                let (our, their) = (
                    our_words(&ledger.ticker(our.fill.market), &our.fill),
                    their_words(their),
                );
                if our != their {
                    differences.push(format!("fill {id}: ours ({our}), the venue's ({their})"));
                }
            }
            (None, None) => {}
        }
    }
}

fn compare_positions(ledger: &Ledger, account: &Account, differences: &mut Vec<String>) {
    let ours = ledger.by_ticker();
    let theirs: BTreeMap<&str, &PositionRecord> = account
        .positions
        .iter()
        .map(|position| (position.ticker.as_str(), position))
        .collect();
    let fees = fees_charged(ledger, account);
    let tickers: BTreeSet<&str> = ours
        .keys()
        .map(String::as_str)
        .chain(theirs.keys().copied())
        .collect();
    for ticker in tickers {
        let our = ours.get(ticker).copied().unwrap_or_default();
        let their = theirs.get(ticker);
        let held = their.map_or(0, |position| position.position_centi);
        if our.position_centi != held {
            differences.push(format!(
                "position of {ticker}: ours {}, the venue's {}",
                format_decimal(our.position_centi, 2),
                format_decimal(held, 2)
            ));
        }
        // A venue that no longer lists a decided market still lists its fills.
        let before = ledger.opening_fees.get(ticker).copied().unwrap_or_default();
        let paid = their.map_or(0, |position| position.fees_paid_micros) - before;
        let charged = fees.get(ticker).copied().unwrap_or_default();
        // What lies before the opening of an older version is not known; where we never traded it is nothing to us.
        let is_traded = our.fees_micros != 0 || fees.contains_key(ticker);
        let is_comparable = their.is_some() && is_traded;
        if our.fees_micros != charged || (is_comparable && our.fees_micros != paid) {
            differences.push(format!(
                "fees of {ticker}: ours {}, the venue's {} in its fills and {} in its positions",
                dollars(our.fees_micros),
                dollars(charged),
                dollars(paid)
            ));
        }
    }
}

/// By the venue's fills, and by those of ours that have agreed with it and that it need not list any more.
fn fees_charged(ledger: &Ledger, account: &Account) -> BTreeMap<String, i64> {
    let theirs = account.fills.iter();
    let listed: HashSet<[u8; 16]> = theirs.clone().map(|fill| fill.trade_id).collect();
    let unlisted = ledger
        .fills
        .iter()
        .filter(|booked| booked.agreed && !listed.contains(&booked.fill.trade))
        .map(|booked| {
            let fill = &booked.fill;
            (ledger.ticker(fill.market), i64::from(fill.fee_micros))
        });
    let mut fees = BTreeMap::<String, i64>::new();
    for (ticker, fee) in theirs
        .map(|fill| (fill.ticker.clone(), fill.fee_micros))
        .chain(unlisted)
    {
        *fees.entry(ticker).or_default() += fee;
    }
    fees
}

fn compare_settlements(ledger: &Ledger, account: &Account, differences: &mut Vec<String>) {
    let theirs: BTreeMap<&str, &SettlementRecord> = account
        .settlements
        .iter()
        .map(|settled| (settled.ticker.as_str(), settled))
        .collect();
    let held = held_by_ticker(ledger);
    let ours = ledger.by_ticker();
    for (ticker, record) in &theirs {
        let position = held.get(*ticker).copied().unwrap_or_default();
        let theirs = i64::from(record.yes_count_centi) - i64::from(record.no_count_centi);
        if position != theirs {
            differences.push(format!(
                "settlement of {ticker}: we held {}, the venue settled {}",
                format_decimal(position, 2),
                format_decimal(theirs, 2)
            ));
        }
        let settled = ours.get(*ticker).and_then(|position| position.settled_e4);
        let Some(value) = settled else { continue };
        let told = settlement(record);
        if let Some(told) = told.filter(|told| told.value_e4 != value) {
            differences.push(format!(
                "settlement of {ticker}: ours at {}, the venue's at {}",
                format_decimal(i64::from(value), 4),
                format_decimal(i64::from(told.value_e4), 4)
            ));
        }
        let rounded = told.map_or(0, |told| told.remainder_micros);
        let paid = payout_micros(position, value) + rounded;
        if paid != record.revenue_micros {
            differences.push(format!(
                "settlement of {ticker}: by our books it pays {}, the venue paid {}",
                dollars(paid),
                dollars(record.revenue_micros)
            ));
        }
    }
    for (market, position) in ledger.book.markets() {
        let ticker = ledger.ticker(market);
        if position.settled_e4.is_some()
            && held.get(&ticker).is_some_and(|held| *held != 0)
            && !theirs.contains_key(ticker.as_str())
            && !ledger.agreed.contains(&market)
        {
            differences.push(format!(
                "settlement of {ticker}: booked by us, the venue has none"
            ));
        }
    }
}

/// What we held when it was decided: the sum of all fills.
fn held_by_ticker(ledger: &Ledger) -> BTreeMap<String, i64> {
    let fills = ledger.fills.iter().map(|booked| &booked.fill);
    fills.fold(BTreeMap::new(), |mut held, fill| {
        let change = fill.side().map_or(0, |side| side.sign()) * i64::from(fill.count_centi);
        *held.entry(ledger.ticker(fill.market)).or_default() += change;
        held
    })
}

/// What the venue pays out: the value of YES held, or of NO, which a short is.
fn payout_micros(position_centi: i64, value_e4: u16) -> i64 {
    let value = i64::from(value_e4);
    let of_no = i64::from(E4_PER_DOLLAR) - value;
    position_centi.max(0) * value + (-position_centi).max(0) * of_no
}

fn our_words(ticker: &str, fill: &Fill) -> String {
    let side = fill.side().map_or("?", |side| side.as_str());
    words(
        ticker,
        side,
        fill.count_centi,
        fill.price_e4,
        i64::from(fill.fee_micros),
    )
}

fn their_words(fill: &FillRecord) -> String {
    words(
        &fill.ticker,
        fill.side.as_str(),
        fill.count_centi,
        fill.price_e4,
        fill.fee_micros,
    )
}

fn words(ticker: &str, side: &str, count_centi: u32, price_e4: u16, fee_micros: i64) -> String {
    format!(
        "{side} {} {ticker} @ {} fee {}",
        format_decimal(i64::from(count_centi), 2),
        format_decimal(i64::from(price_e4), 4),
        format_decimal(fee_micros, 6)
    )
}

pub(super) fn dollars(micros: i64) -> String {
    format!("${}", format_decimal(micros, 6))
}

/// Dollars with their sign always shown.
struct Signed(i64);

impl std::fmt::Display for Signed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "+" };
        write!(formatter, "{sign} ${}", format_decimal(self.0.abs(), 6))
    }
}

#[cfg(test)]
mod tests;
