//! `launch positions`: what a pipeline holds, what it cost, and what came of it, from its database; and what is open, at
//! the price that a holder could get now, from its price board while it runs.

use super::{
    arguments::{Exit, PositionsArguments},
    profit::Profit,
    report::dollars,
};
use crate::{
    cold::{
        database::{self, Database},
        market_numbers::markets,
    },
    runtime::Failure,
};
use ipc::{BoardReader, Message as _, Peer};
use layouts::{MarketStatus, PriceUpdate, units::format_decimal};
use pipeline::Pipeline;
use serde::Serialize;
use stages::{attribution::Attribution, positions::Position};
use std::{
    collections::HashSet,
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
    /// What a contract held could be closed at now: the best bid for YES, the best offer for NO. None where nothing is held,
    /// nobody offers, or the pipeline does not run.
    mark: Option<String>,
    /// What closing at that would gain or lose, without fees. None where something is held and has no such price; of all
    /// markets, where one has none.
    unrealised: Option<String>,
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
        let (fills, book) = (database.booked(), database.load());
        let (fills, book) = (
            fills.map_err(Failure::other)?,
            book.map_err(Failure::other)?,
        );
        let tickers = markets(&path).map_err(Failure::other)?;
        let prices = Prices::of(pipeline);
        let traded: HashSet<u32> = fills.iter().map(|booked| booked.fill.market).collect();
        let traded: Vec<(&str, &Position, Option<u16>)> = book
            .markets()
            .filter(|(market, _)| traded.contains(market))
            .map(|(market, position)| {
                let ticker = tickers.get(&market).map_or("?", String::as_str);
                let mark = prices
                    .as_ref()
                    .and_then(|prices| prices.mark(market, position));
                (ticker, position, mark)
            })
            .collect();
        let decided = |market| book.market(market).and_then(|held| held.settled_e4);
        let found = Attribution::of(
            fills
                .iter()
                .map(|booked| (booked.launch.as_str(), &booked.fill)),
            decided,
        );
        let unrealised = traded
            .iter()
            .map(|(_, position, mark)| unrealised_micros(position, *mark))
            .sum();
        Ok(Self {
            pipeline: pipeline.name.clone(),
            profit: Profit::of(&found, traded.iter().map(|(ticker, ..)| *ticker)),
            markets: traded
                .iter()
                .map(|(ticker, position, mark)| {
                    Row::of(ticker, position, *mark, unrealised_micros(position, *mark))
                })
                .collect(),
            total: Row::of("all", &book.total(), None, unrealised),
        })
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "{:<40} {:>10} {:>14} {:>14} {:>12} {:>14} {:>7} {:>14}  SETTLED\n",
            "MARKET",
            "CONTRACTS",
            "COST $",
            "REALISED $",
            "FEES $",
            "P&L $",
            "MARK $",
            "UNREALISED $"
        );
        for row in self.markets.iter().chain([&self.total]) {
            let _ = writeln!(
                text,
                "{:<40} {:>10} {:>14} {:>14} {:>12} {:>14} {:>7} {:>14}  {}",
                row.ticker,
                row.contracts,
                row.cost,
                row.realised,
                row.fees,
                row.pnl,
                row.mark.as_deref().unwrap_or("-"),
                row.unrealised.as_deref().unwrap_or("-"),
                row.settled.as_deref().unwrap_or("-")
            );
        }
        let _ = write!(text, "\n{}", self.profit);
        text
    }
}

impl Row {
    fn of(ticker: &str, position: &Position, mark: Option<u16>, unrealised: Option<i64>) -> Self {
        let price = |price_e4: u16| format_decimal(i64::from(price_e4), 4);
        Self {
            ticker: ticker.to_owned(),
            contracts: format_decimal(position.position_centi, 2),
            cost: dollars(position.open_cost_micros),
            realised: dollars(position.realised_micros),
            fees: dollars(position.fees_micros),
            pnl: dollars(position.pnl_micros()),
            mark: mark.map(price),
            unrealised: unrealised.map(dollars),
            settled: position.settled_e4.map(price),
        }
    }
}

/// What is open of a position would gain or lose; none where that cannot be said.
fn unrealised_micros(position: &Position, mark: Option<u16>) -> Option<i64> {
    match mark {
        _ if position.position_centi == 0 => Some(0),
        mark => mark.map(|price_e4| position.unrealised_micros(price_e4)),
    }
}

/// The price board of a pipeline that runs.
struct Prices(BoardReader<PriceUpdate>);

impl Prices {
    /// None where nobody keeps it up to date: its prices are those of the past.
    fn of(pipeline: &Pipeline) -> Option<Self> {
        let mut boards = pipeline.boards.iter();
        let board = boards.find(|board| board.message == PriceUpdate::NAME)?;
        let board = BoardReader::open(&pipeline.board_path(&board.name)).ok()?;
        (board.writer() == Peer::Attached).then_some(Self(board))
    }

    fn mark(&self, market: u32, position: &Position) -> Option<u16> {
        mark(&self.0.read(market).ok()??.value, position)
    }
}

/// What a holder could close at: a contract of YES goes to the best bid, one that was sold is bought back at the best
/// offer.
fn mark(price: &PriceUpdate, position: &Position) -> Option<u16> {
    (price.status() == Some(MarketStatus::Active)).then_some(())?;
    let (count, price_e4) = match position.position_centi.signum() {
        1 => (price.bid_count_centi, price.bid_price_e4),
        -1 => (price.ask_count_centi, price.ask_price_e4),
        _ => return None,
    };
    (count > 0).then_some(price_e4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable as _;
    use layouts::{Fill, Side};
    use stages::positions::PositionBook;

    fn held(side: Side) -> Position {
        let mut book = PositionBook::default();
        book.fill(&Fill {
            market: 7,
            count_centi: 200,
            price_e4: 4_000,
            side: side as u8,
            ..Fill::zeroed()
        });
        book.total()
    }

    fn price() -> PriceUpdate {
        PriceUpdate {
            market: 7,
            bid_count_centi: 100,
            ask_count_centi: 300,
            bid_price_e4: 4_400,
            ask_price_e4: 4_600,
            status: MarketStatus::Active as u8,
            ..PriceUpdate::zeroed()
        }
    }

    #[test]
    fn yes_is_marked_at_the_bid_and_no_at_the_offer() {
        let (long, short) = (held(Side::Bid), held(Side::Ask));
        let row = |position: &Position, price: &PriceUpdate| {
            let mark = mark(price, position);
            let row = Row::of("T", position, mark, unrealised_micros(position, mark));
            (row.mark, row.unrealised)
        };
        let some = |mark: &str, gain: &str| (Some(mark.to_owned()), Some(gain.to_owned()));
        assert_eq!(row(&long, &price()), some("0.4400", "0.080000"));
        assert_eq!(row(&short, &price()), some("0.4600", "-0.120000"));
        let flat = Position::default();
        assert_eq!(row(&flat, &price()), (None, Some("0.000000".to_owned())));
        // Nobody to close with, or a price that may be false.
        let no_bid = PriceUpdate {
            bid_count_centi: 0,
            ..price()
        };
        assert_eq!(row(&long, &no_bid), (None, None));
        assert_eq!(row(&short, &no_bid).0, Some("0.4600".to_owned()));
        for status in [MarketStatus::Suspect, MarketStatus::Closed] {
            let status = status as u8;
            let price = PriceUpdate { status, ..price() };
            assert_eq!(row(&long, &price), (None, None));
        }
    }

    #[test]
    fn the_sum_is_only_told_where_every_part_of_it_is_known() {
        let (long, flat) = (held(Side::Bid), Position::default());
        let sum = |marks: [Option<u16>; 2]| -> Option<i64> {
            let parts = [(long, marks[0]), (long, marks[1]), (flat, None)];
            let parts = parts.iter();
            parts
                .map(|(position, mark)| unrealised_micros(position, *mark))
                .sum()
        };
        assert_eq!(sum([Some(4_400), Some(3_900)]), Some(80_000 - 20_000));
        assert_eq!(sum([Some(4_400), None]), None);
    }
}
