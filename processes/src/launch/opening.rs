//! What the account at a real venue looks like before the first order of a launch, and whether our books agree with it.
//!
//! | found | what follows |
//! |---|---|
//! | an order that rests | ours never do: nothing is started |
//! | no books yet, and a position | somebody else's: nothing is started |
//! | no books yet | they begin here: the moment and the balance are written down, what lies before is none of ours |
//! | books that differ from the venue's in any line | nothing is started, the lines are told |
//! | a balance that differs and nothing else | likewise, unless it is said that money was paid in or out |

use super::books::Auditor;
use crate::{
    cold::{
        database::{self, Database, Opening},
        reconcile::ReconcileError,
    },
    runtime::Failure,
    venue::error::VenueError,
};
use layouts::units::format_decimal;
use pipeline::Pipeline;

/// The account, looked at.
#[derive(Debug)]
pub(super) struct Account {
    /// The venue's word.
    pub(super) balance_micros: i64,
    /// Where our books begin.
    pub(super) opening: Opening,
    /// Whether that is to be written down: it is new, or the balance was accepted.
    pub(super) is_new: bool,
    /// Markets in which something is held.
    pub(super) positions: usize,
    /// What does not agree, in words.
    pub(super) differences: Vec<String>,
}

impl Account {
    /// Looks at the account and at our books. Nothing is written.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read.
    pub(super) fn examine(
        pipeline: &Pipeline,
        auditor: &Auditor,
        accept_balance: bool,
    ) -> Result<Self, Failure> {
        let resting = auditor.ask(|rest| async move { rest.resting_orders().await })?;
        let mut differences: Vec<String> = resting
            .iter()
            .map(|order| {
                format!(
                    "order {} of {} rests at the venue; ours never do\n    fix: cancel it there",
                    order.order_id, order.ticker
                )
            })
            .collect();
        let balance = auditor.ask(|rest| async move { rest.balance().await })?;
        let path = database::path(pipeline);
        let known = if path.exists() {
            let database = Database::open(&path).map_err(Failure::other)?;
            database.opening().map_err(Failure::other)?
        } else {
            None
        };
        let mut account = Self {
            balance_micros: balance.balance_micros,
            opening: auditor.opening(),
            is_new: known.is_none(),
            positions: 0,
            differences: Vec::new(),
        };
        if known.is_some() {
            let outcome = auditor.reconcile(&path).map_err(failure)?;
            let held = outcome.positions.iter();
            account.positions = held
                .filter(|held| held.position.position_centi != 0)
                .count();
            let only_the_balance =
                outcome.differences.len() == 1 && outcome.balance_gap_micros != 0;
            if accept_balance && only_the_balance {
                account.opening.cash_micros += outcome.balance_gap_micros;
                account.is_new = true;
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
            let held = held.iter().filter(|held| held.position_centi != 0);
            differences.extend(held.map(|held| {
                format!(
                    "position of {}: the venue's {}, and we have no books of it\n    fix: close it there, or trade from a subaccount that holds nothing",
                    held.ticker,
                    format_decimal(held.position_centi, 2)
                )
            }));
        }
        account.differences = differences;
        Ok(account)
    }

    /// Writes down where our books begin, if that is new.
    ///
    /// # Errors
    ///
    /// When the database cannot be written.
    pub(super) fn write_down(&self, pipeline: &Pipeline) -> Result<(), Failure> {
        if !self.is_new {
            return Ok(());
        }
        Database::open(&database::path(pipeline))
            .and_then(|mut database| database.open_account(self.opening))
            .map_err(Failure::other)
    }
}

fn failure(error: ReconcileError) -> Failure {
    match error {
        ReconcileError::Venue(error @ VenueError::Refused { status: 401, .. }) => Failure::other(
            format!("{error}\n  fix: check venue.key_id, venue.key_file and this host's clock"),
        ),
        other => Failure::other(other),
    }
}
