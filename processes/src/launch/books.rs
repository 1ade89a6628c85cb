//! Whether our books agree with the venue's, and whether a simulated venue's games are over.

use super::{
    profit::Profit,
    report::{Position, dollars},
};
use crate::{
    cold::{
        database::{self, Database, Opening},
        reconcile::{Access, ReconcileError, Reconciliation, reconcile},
    },
    runtime::Failure,
    venue::{error::VenueError, kalshi_rest::KalshiRest, signing::Signer, tls::Trust},
};
use layouts::{MICROS_PER_DOLLAR, units::format_decimal};
use pipeline::Pipeline;
use std::{path::Path, time::Duration};

/// Longest wait for the simulator's word on its games.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);

/// The result of the comparison.
pub(super) struct Books {
    pub(super) cash: Option<String>,
    pub(super) positions: Vec<Position>,
    pub(super) pnl: Option<String>,
    pub(super) profit: Option<Profit>,
    /// Settlements that the venue has amended, in words.
    pub(super) amended: Vec<String>,
    /// Empty when everything agrees.
    pub(super) differences: Vec<String>,
}

/// The launcher's view of the venue.
pub(super) struct Auditor {
    runtime: tokio::runtime::Runtime,
    rest: KalshiRest,
    status_url: Option<String>,
    client: reqwest::Client,
    opening: Opening,
}

impl Auditor {
    /// Prepares the comparison before the first order: what the account holds now is the start.
    ///
    /// # Errors
    ///
    /// When the key is unusable, or a real venue does not tell the balance.
    pub(super) fn prepare(pipeline: &Pipeline) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::io("create a runtime", error))?;
        let signer = Signer::load(&pipeline.venue.key_id, &pipeline.venue.key_file)
            .map_err(Failure::other)?;
        let trust = Trust::load(&pipeline.ca_file).map_err(Failure::other)?;
        let rest = KalshiRest::new(&pipeline.venue.rest, signer, &trust).map_err(Failure::other)?;
        let client = trust
            .http(&pipeline.venue.rest)
            .map_err(Failure::other)?
            .timeout(STATUS_PATIENCE)
            .build()
            .map_err(Failure::other)?;
        let opening = match &pipeline.simulator {
            Some(simulator) => Opening {
                began_unix_s: 0,
                unix_s: 0,
                cash_micros: i64::from(simulator.balance_dollars) * MICROS_PER_DOLLAR,
            },
            None => runtime.block_on(opening(pipeline, &rest))?,
        };
        let root = pipeline.venue.rest.strip_suffix("/trade-api/v2");
        let status_url = root
            .filter(|_| pipeline.simulator.is_some())
            .map(|root| format!("{root}/simulator/status"));
        Ok(Self {
            runtime,
            rest,
            status_url,
            client,
            opening,
        })
    }

    /// Compares fills, positions, fees, settlements and cash.
    pub(super) fn compare(&self, pipeline: &Pipeline, access: Access) -> Books {
        let path = database::path(pipeline);
        if !path.exists() {
            let difference = format!(
                "there is no database `{}`: the position tracker booked nothing",
                path.display()
            );
            return Books::unknown(difference);
        }
        match self.reconcile(&path, access) {
            Ok(outcome) => Books::of(&outcome),
            Err(error) => Books::unknown(format!("could not be compared: {error}")),
        }
    }

    /// Where our books of the account begin.
    pub(super) fn opening(&self) -> Opening {
        self.opening
    }

    /// Compares a database with the venue.
    pub(super) fn reconcile(
        &self,
        database: &Path,
        access: Access,
    ) -> Result<Reconciliation, ReconcileError> {
        let comparison = reconcile(database, &self.rest, self.opening, access);
        self.runtime.block_on(comparison)
    }

    /// Asks the venue something.
    pub(super) fn ask<T, F: Future<Output = Result<T, VenueError>>>(
        &self,
        question: impl FnOnce(KalshiRest) -> F,
    ) -> Result<T, Failure> {
        let answer = self.runtime.block_on(question(self.rest.clone()));
        answer.map_err(Failure::other)
    }

    /// Whether every game of a simulated venue is settled. A venue that does not answer has not said so.
    pub(super) fn games_are_over(&self) -> bool {
        let Some(url) = &self.status_url else {
            return false;
        };
        let ask = async {
            self.client
                .get(url)
                .send()
                .await?
                .json::<serde_json::Value>()
                .await
        };
        let answer = self.runtime.block_on(ask).unwrap_or_default();
        answer
            .get("done")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(false)
    }
}

impl Books {
    /// Where nothing could be compared, and why.
    pub(super) fn unknown(why: String) -> Self {
        Self {
            cash: None,
            positions: Vec::new(),
            pnl: None,
            profit: None,
            amended: Vec::new(),
            differences: vec![why],
        }
    }

    fn of(outcome: &Reconciliation) -> Self {
        let traded = outcome.positions.iter().map(|held| held.ticker.as_str());
        let open = outcome
            .positions
            .iter()
            .filter(|held| held.position.position_centi != 0);
        Self {
            cash: Some(dollars(outcome.cash_micros)),
            positions: open
                .map(|held| Position {
                    ticker: held.ticker.clone(),
                    contracts: format_decimal(held.position.position_centi, 2),
                })
                .collect(),
            pnl: Some(dollars(outcome.pnl_micros)),
            profit: Some(Profit::of(&outcome.attribution, traded)),
            amended: outcome.amended.clone(),
            differences: outcome.differences.clone(),
        }
    }
}

/// How a real account was opened, as our books have it; as it is now, where there are none yet.
async fn opening(pipeline: &Pipeline, rest: &KalshiRest) -> Result<Opening, Failure> {
    let path = database::path(pipeline);
    if path.exists() {
        let database = Database::open_read_only(&path).map_err(Failure::other)?;
        if let Some(opening) = database.opening().map_err(Failure::other)? {
            return Ok(opening);
        }
    }
    let balance = rest.balance().await.map_err(Failure::other)?;
    let now_unix_s = jiff::Timestamp::now().as_second();
    Ok(Opening {
        began_unix_s: now_unix_s,
        unix_s: now_unix_s,
        cash_micros: balance.balance_micros,
    })
}
