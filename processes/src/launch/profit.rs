//! What profit and loss came of, for people and as JSON: arbitrage, lone legs of one, the model, fees.

use super::report::dollars;
use layouts::units::format_decimal;
use serde::Serialize;
use stages::attribution::{Attribution, Part};
use std::{collections::BTreeSet, fmt};

/// Of all games traded so far. Money is in dollars with six decimals, as text: it is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profit {
    /// Games in which anything was traded.
    pub games: usize,
    /// Both legs of an arbitrage, one against one; its contracts are pairs.
    pub arbitrage: ProfitPart,
    /// What one leg of an arbitrage filled beyond the other.
    pub lone_legs: ProfitPart,
    /// On the model's opinion.
    pub model: ProfitPart,
    /// All of it after fees, as far as it is certain.
    pub net: String,
}

/// Of one kind of order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProfitPart {
    /// Contracts whose result is certain.
    pub contracts: String,
    /// What they gained or lost, before fees.
    pub gain: String,
    /// Fees, of open contracts too.
    pub fees: String,
    /// Gain less fees.
    pub net: String,
    /// Contracts traded whose market is not decided.
    pub open_contracts: String,
}

impl Profit {
    /// From what orders brought and the tickers of all markets with a fill.
    pub(super) fn of<'a>(found: &Attribution, tickers: impl Iterator<Item = &'a str>) -> Self {
        // A market's ticker is that of its event, and the outcome.
        let events =
            tickers.map(|ticker| ticker.rsplit_once('-').map_or(ticker, |(event, _)| event));
        Self {
            games: events.collect::<BTreeSet<_>>().len(),
            arbitrage: ProfitPart::of(&found.arbitrage),
            lone_legs: ProfitPart::of(&found.lone_legs),
            model: ProfitPart::of(&found.model),
            net: dollars(found.net_micros()),
        }
    }
}

impl ProfitPart {
    fn of(part: &Part) -> Self {
        Self {
            contracts: format_decimal(part.decided_centi, 2),
            gain: dollars(part.gain_micros),
            fees: dollars(part.fees_micros),
            net: dollars(part.net_micros()),
            open_contracts: format_decimal(part.open_centi, 2),
        }
    }
}

/// A table, a line each.
impl fmt::Display for Profit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.games == 1 { "" } else { "s" };
        writeln!(
            out,
            "{:<18} {:>12} {:>14} {:>14} {:>14} {:>12}",
            format!("P&L OF {} GAME{}", self.games, plural.to_uppercase()),
            "CONTRACTS",
            "GAIN $",
            "FEES $",
            "NET $",
            "UNDECIDED"
        )?;
        for (name, part) in [
            ("arbitrage, pairs", &self.arbitrage),
            ("lone legs", &self.lone_legs),
            ("model", &self.model),
        ] {
            writeln!(
                out,
                "{name:<18} {:>12} {:>14} {:>14} {:>14} {:>12}",
                part.contracts, part.gain, part.fees, part.net, part.open_contracts
            )?;
        }
        Ok(())
    }
}
