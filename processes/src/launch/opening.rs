//! What the account at a real venue looks like before the first order of a launch, and whether our books agree with it.
//!
//! | found | what follows |
//! |---|---|
//! | an order that rests | ours never do: nothing is started |
//! | no books yet, and a position | somebody else's: nothing is started |
//! | no books yet | they begin here: the moment and the balance are written down, what lies before is none of ours |
//! | a fill of an order of ours that the books lack | whoever was to book it was killed: it is booked now |
//! | books that differ from the venue's in any line | nothing is started, the lines are told |
//! | a balance that differs and nothing else | likewise, unless it is said that money was paid in or out |
//! | books that agree in every line | from now on only what comes is compared line by line: the venue forgets |
//!
//! Whoever looks holds the run directory's lock: nobody else has the books open.

use super::books::Auditor;
use crate::{
    cold::{
        database::{self, Database, DatabaseError, Opening},
        market_numbers::Numbers,
        reconcile::{Access, ReconcileError},
        standing::resting_orders,
    },
    runtime::Failure,
    venue::{
        error::VenueError,
        kalshi_wire::{FillRecord, OrderState},
    },
};
use layouts::{Fill, units::format_decimal};
use pipeline::Pipeline;
use stages::execution::of_client_order_id;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

/// An order of a run that was killed just now may still be on its way, and the venue's reads lag behind its writes by
/// some 0.4 s. Nothing tells when both are over, so they are given five times that.
const SETTLE: Duration = Duration::from_secs(2);

/// How far before a look the venue is asked again, seconds: its clock may not be ours. What is read twice is compared twice.
const READ_AGAIN_S: i64 = 60 * 60;

/// The account, looked at.
#[derive(Debug)]
pub(super) struct Account {
    /// The venue's word.
    pub(super) balance_micros: i64,
    /// Where our books begin.
    pub(super) opening: Opening,
    /// What of it is to be written down.
    pub(super) write: Write,
    /// What the venue had charged in each market, by ticker, when our books began.
    pub(super) fees: BTreeMap<String, i64>,
    /// Markets in which something is held.
    pub(super) positions: usize,
    /// Fills of ours that were booked only now.
    pub(super) adopted: usize,
    /// What does not agree, in words.
    pub(super) differences: Vec<String>,
}

/// What a look at the account leaves to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// The opening as it was found: books begin here.
    Opening,
    /// That the books agree with the venue, which needs to be asked from this moment on only, Unix seconds.
    Agreement(i64),
}

impl Account {
    /// Looks at the account and at our books. Nothing is written but fills of ours that the books lack.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or a fill cannot be booked.
    pub(super) fn examine(
        pipeline: &Pipeline,
        auditor: &Auditor,
        accept_balance: bool,
    ) -> Result<Self, Failure> {
        let path = database::path(pipeline);
        let began_unix_s = jiff::Timestamp::now().as_second();
        let known = if path.exists() {
            let database = Database::open(&path).map_err(Failure::other)?;
            std::thread::sleep(SETTLE);
            database.opening().map_err(Failure::other)?
        } else {
            None
        };
        let resting = auditor.ask(|rest| async move { rest.resting_orders().await })?;
        let resting = resting_orders(&resting).into_iter();
        let mut differences: Vec<String> = resting.map(|order| order.words).collect();
        let balance = auditor.ask(|rest| async move { rest.balance().await })?;
        let mut account = Self {
            balance_micros: balance.balance_micros,
            opening: auditor.opening(),
            write: Write::Opening,
            fees: BTreeMap::new(),
            positions: 0,
            adopted: 0,
            differences: Vec::new(),
        };
        if known.is_some() {
            account.write = Write::Agreement(began_unix_s - READ_AGAIN_S);
            account.adopted = adopt(pipeline, auditor)?;
            let outcome = auditor.reconcile(&path, Access::Write).map_err(failure)?;
            let held = outcome.positions.iter();
            account.positions = held
                .filter(|held| held.position.position_centi != 0)
                .count();
            let only_the_balance = outcome.differences.len() == 1
                && outcome.balance_gap_micros != 0
                && !outcome.is_returned_collateral;
            if accept_balance && only_the_balance {
                account.opening.cash_micros += outcome.balance_gap_micros;
            } else {
                differences.extend(outcome.differences);
                if only_the_balance {
                    differences.push(
                        "nothing else differs; if money was paid in or out, say so with --accept-balance".into(),
                    );
                }
            }
        } else {
            let held = auditor.ask(|rest| async move { rest.positions().await })?;
            let charged = held.iter().filter(|held| held.fees_paid_micros != 0);
            account.fees = charged
                .map(|held| (held.ticker.clone(), held.fees_paid_micros))
                .collect();
            let held = held.iter().filter(|held| held.position_centi != 0);
            differences.extend(held.map(|held| {
                format!(
                    "position of {}: the venue's {}, and we have no books of it\n    fix: close it there: the pipeline has the primary subaccount to itself, trade by hand in another",
                    held.ticker,
                    format_decimal(held.position_centi, 2)
                )
            }));
        }
        account.differences = differences;
        Ok(account)
    }

    /// Writes down that this launch begins, and where our books begin or to what they agree.
    ///
    /// # Errors
    ///
    /// When the database cannot be written.
    pub(super) fn write_down(&self, pipeline: &Pipeline) -> Result<(), Failure> {
        let write = || {
            let mut database = Database::open(&database::path(pipeline))?;
            // First: once there is an opening they are not asked for again.
            database.open_fees(&self.fees)?;
            // As it was but for the money, where books begin no more.
            database.open_account(self.opening)?;
            if let Write::Agreement(unix_s) = self.write {
                database.agree(unix_s)?;
            }
            database.begin_launch(&pipeline.run_id)
        };
        write().map_err(Failure::other)
    }
}

/// Books what the venue says was traded by orders of earlier launches and was not booked; how many fills that were.
fn adopt(pipeline: &Pipeline, auditor: &Auditor) -> Result<usize, Failure> {
    let since = auditor.opening().unix_s;
    let theirs = auditor.ask(|rest| async move { rest.fills_since(since).await })?;
    let path = database::path(pipeline);
    let mut database = Database::open(&path).map_err(Failure::other)?;
    let ours = database.fills().map_err(Failure::other)?;
    let booked: HashSet<[u8; 16]> = ours.iter().map(|fill| fill.trade).collect();
    let lacking = |fill: &&FillRecord| !booked.contains(&fill.trade_id);
    let lacking: Vec<&FillRecord> = theirs.iter().filter(lacking).collect();
    if lacking.is_empty() {
        return Ok(0);
    }
    let orders = auditor.ask(|rest| async move { rest.orders(None).await })?;
    let fills = (|| {
        let launches = database.launches()?;
        // A killed run may have traded in a market before its name was booked.
        let numbers = Numbers::within(&pipeline.run_dir).load_with(&path)?;
        let mut adopted = 0;
        for (launch, fill, ticker) in of_ours(&lacking, &orders, &launches, &numbers) {
            database.name_market(fill.market, ticker)?;
            adopted += database.book(launch, &[fill])?;
        }
        Ok::<_, DatabaseError>(adopted)
    })();
    fills.map_err(Failure::other)
}

/// The fills whose orders were made by one of these launches, in markets whose number is known, each with its launch and
/// its market's ticker.
fn of_ours<'a>(
    fills: &[&'a FillRecord],
    orders: &'a [OrderState],
    launches: &HashSet<String>,
    numbers: &HashMap<String, u32>,
) -> Vec<(&'a str, Fill, &'a str)> {
    let orders: HashMap<&str, &str> = orders
        .iter()
        .map(|order| (order.order_id.as_str(), order.client_order_id.as_str()))
        .collect();
    let fill = |record: &&'a FillRecord| {
        let id = orders.get(record.order_id.as_str())?;
        let (run_id, order) = of_client_order_id(id)?;
        launches.contains(run_id).then_some(())?;
        let fill = Fill {
            ingress_mono_ns: 0,
            order,
            trade: record.trade_id,
            market: *numbers.get(record.ticker.as_str())?,
            count_centi: record.count_centi,
            fee_micros: u32::try_from(record.fee_micros).ok()?,
            price_e4: record.price_e4,
            side: record.side as u8,
            is_taker: u8::from(record.is_taker),
        };
        Some((run_id, fill, record.ticker.as_str()))
    };
    fills.iter().filter_map(fill).collect()
}

fn failure(error: ReconcileError) -> Failure {
    match error {
        ReconcileError::Venue(error @ VenueError::Refused { status: 401, .. }) => Failure::other(
            format!("{error}\n  fix: check venue.key_id, venue.key_file and this host's clock"),
        ),
        other => Failure::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layouts::Side;
    use stages::execution::client_order_id;

    fn record(trade: u8, order: &str, ticker: &str) -> FillRecord {
        FillRecord {
            trade_id: [trade; 16],
            order_id: order.into(),
            ticker: ticker.into(),
            count_centi: 250,
            price_e4: 4_100,
            fee_micros: 1_700,
            side: Side::Ask,
            is_taker: true,
            created_time: String::new(),
        }
    }

    fn order(id: &str, client_order_id: String) -> OrderState {
        OrderState {
            order_id: id.into(),
            client_order_id,
            ticker: "A".into(),
            side: Side::Ask,
            status: "executed".into(),
            filled_centi: 250,
            remaining_centi: 0,
        }
    }

    #[test]
    fn only_fills_of_our_launches_in_markets_of_the_books_are_ours() {
        let orders = [
            order("mine", client_order_id("aa", 77)),
            order("another-launch", client_order_id("bb", 77)),
            order("by-hand", "2b8394e0".into()),
        ];
        let fills = [
            record(1, "mine", "A"),
            record(2, "another-launch", "A"),
            record(3, "by-hand", "A"),
            record(4, "unlisted", "A"),
            record(5, "mine", "B"),
        ];
        let fills: Vec<&FillRecord> = fills.iter().collect();
        let launches = HashSet::from(["aa".to_owned()]);
        let numbers = HashMap::from([("A".to_owned(), 7)]);
        let found = of_ours(&fills, &orders, &launches, &numbers);
        let mine = Fill {
            ingress_mono_ns: 0,
            order: 77,
            trade: [1; 16],
            market: 7,
            count_centi: 250,
            fee_micros: 1_700,
            price_e4: 4_100,
            side: Side::Ask as u8,
            is_taker: 1,
        };
        assert_eq!(found, [("aa", mine, "A")]);
    }
}
