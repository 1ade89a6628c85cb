//! `launch positions`: what a pipeline holds, what it cost, and what came of it, from its database alone.

use super::{
    arguments::{Exit, PositionsArguments},
    profit::Profit,
    report::dollars,
};
use crate::{
    cold::database::{self, Database},
    runtime::Failure,
};
use layouts::units::format_decimal;
use pipeline::Pipeline;
use serde::Serialize;
use stages::{attribution::Attribution, positions::Position};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, ErrorKind, Write as _},
};

/// What is shown. Money is in dollars with six decimals, as text: it is exact.
#[derive(Serialize)]
struct Statement {
    pipeline: String,
    markets: Vec<Row>,
    total: Row,
    profit: Profit,
}

/// One market, or all.
#[derive(Serialize)]
struct Row {
    ticker: String,
    /// YES contracts; negative for NO.
    contracts: String,
    /// What the open position cost, without fees; negative for a short.
    cost: String,
    /// Gained or lost on what was closed or settled, without fees.
    realised: String,
    fees: String,
    /// Realised less fees.
    pnl: String,
    /// What a contract pays, where that is decided.
    settled: Option<String>,
}

/// Prints the statement.
///
/// # Errors
///
/// When there is no database, or it cannot be read.
pub(super) fn show(pipeline: &Pipeline, arguments: &PositionsArguments) -> Result<Exit, Failure> {
    let statement = Statement::read(&as_launched(pipeline))?;
    let text = if arguments.json {
        format!("{:#}\n", serde_json::json!(statement))
    } else {
        statement.to_text()
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough, as in `launch positions | head`.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::io("write", error)),
        _ => Ok(Exit::Clean),
    }
}

/// The pipeline as it was launched last: a simulated venue's books have the name of the launch.
fn as_launched(pipeline: &Pipeline) -> Pipeline {
    let resolved = pipeline.run_dir.join("pipeline.toml");
    Pipeline::load(&resolved).unwrap_or_else(|_| pipeline.clone())
}

impl Statement {
    fn read(pipeline: &Pipeline) -> Result<Self, Failure> {
        let path = database::path(pipeline);
        if !path.exists() {
            return Err(Failure::other(format!(
                "there is no position database `{}`\n  fix: name the pipeline with --pipeline; one that has never run has booked nothing",
                path.display()
            )));
        }
        let database = Database::open_read_only(&path).map_err(Failure::other)?;
        let (fills, book) = (database.fills(), database.load());
        let (fills, book) = (
            fills.map_err(Failure::other)?,
            book.map_err(Failure::other)?,
        );
        let tickers: BTreeMap<u32, String> = database
            .markets()
            .map_err(Failure::other)?
            .into_iter()
            .collect();
        let traded: Vec<(&str, &Position)> = book
            .markets()
            .filter(|(market, _)| fills.iter().any(|fill| fill.market == *market))
            .map(|(market, position)| (tickers.get(&market).map_or("?", String::as_str), position))
            .collect();
        let decided = |market| book.market(market).and_then(|held| held.settled_e4);
        let found = Attribution::of(&fills, decided);
        Ok(Self {
            pipeline: pipeline.name.clone(),
            profit: Profit::of(&found, traded.iter().map(|(ticker, _)| *ticker)),
            markets: traded
                .iter()
                .map(|(ticker, position)| Row::of(ticker, position))
                .collect(),
            total: Row::of("all", &book.total()),
        })
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "{:<40} {:>10} {:>14} {:>14} {:>12} {:>14}  SETTLED\n",
            "MARKET", "CONTRACTS", "COST $", "REALISED $", "FEES $", "P&L $"
        );
        for row in self.markets.iter().chain([&self.total]) {
            let _ = writeln!(
                text,
                "{:<40} {:>10} {:>14} {:>14} {:>12} {:>14}  {}",
                row.ticker,
                row.contracts,
                row.cost,
                row.realised,
                row.fees,
                row.pnl,
                row.settled.as_deref().unwrap_or("-")
            );
        }
        let _ = write!(text, "\n{}", self.profit);
        text
    }
}

impl Row {
    fn of(ticker: &str, position: &Position) -> Self {
        Self {
            ticker: ticker.to_owned(),
            contracts: format_decimal(position.position_centi, 2),
            cost: dollars(position.open_cost_micros),
            realised: dollars(position.realised_micros),
            fees: dollars(position.fees_micros),
            pnl: dollars(position.pnl_micros()),
            settled: position
                .settled_e4
                .map(|value| format_decimal(i64::from(value), 4)),
        }
    }
}
