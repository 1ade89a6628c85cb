//! Whether our books agree with the venue's, and whether a simulated venue's games are over.

use super::{
    profit::Profit,
    report::{Position, dollars},
};
use crate::{
    cold::{
        database::{self, Database},
        reconcile::{Reconciliation, reconcile},
    },
    runtime::Failure,
    venue::{kalshi_rest::KalshiRest, signing::Signer, tls::Trust},
};
use layouts::{MICROS_PER_DOLLAR, units::format_decimal};
use pipeline::Pipeline;
use std::time::Duration;

/// Longest wait for the simulator's word on its games.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);

/// The result of the comparison.
pub(super) struct Books {
    pub(super) cash: Option<String>,
    pub(super) positions: Vec<Position>,
    pub(super) pnl: Option<String>,
    pub(super) profit: Option<Profit>,
    /// Empty when everything agrees.
    pub(super) differences: Vec<String>,
}

/// The launcher's view of the venue.
pub(super) struct Auditor {
    runtime: tokio::runtime::Runtime,
    rest: KalshiRest,
    status_url: Option<String>,
    client: reqwest::Client,
    starting_cash_micros: i64,
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
        let starting_cash_micros = match &pipeline.simulator {
            Some(simulator) => i64::from(simulator.balance_dollars) * MICROS_PER_DOLLAR,
            None => runtime.block_on(cash_before_our_fills(pipeline, &rest))?,
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
            starting_cash_micros,
        })
    }

    /// Compares fills, positions, fees, settlements and cash.
    pub(super) fn compare(&self, pipeline: &Pipeline) -> Books {
        let path = database::path(pipeline);
        if !path.exists() {
            let difference = format!(
                "there is no database `{}`: the position tracker booked nothing",
                path.display()
            );
            return Books {
                cash: None,
                positions: Vec::new(),
                pnl: None,
                profit: None,
                differences: vec![difference],
            };
        }
        match self
            .runtime
            .block_on(reconcile(&path, &self.rest, self.starting_cash_micros))
        {
            Ok(outcome) => Books::of(&outcome),
            Err(error) => Books {
                cash: None,
                positions: Vec::new(),
                pnl: None,
                profit: None,
                differences: vec![format!("could not be compared: {error}")],
            },
        }
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
            differences: outcome.differences.clone(),
        }
    }
}

/// The balance of a real account, less what the fills in our database have done to it.
async fn cash_before_our_fills(pipeline: &Pipeline, rest: &KalshiRest) -> Result<i64, Failure> {
    let balance = rest.balance().await.map_err(Failure::other)?.balance_micros;
    let path = database::path(pipeline);
    if !path.exists() {
        return Ok(balance);
    }
    let book = Database::open_read_only(&path)
        .and_then(|database| database.load())
        .map_err(Failure::other)?;
    Ok(balance + book.collateral_micros() - book.total().cash_micros)
}
