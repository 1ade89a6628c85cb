//! What the venue lists: series, events, markets, and the life of a market.

use layouts::units::E4_PER_DOLLAR;

/// A family of events, one for each league.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) ticker: &'static str,
    pub(crate) title: &'static str,
    /// What its events charge unless they say otherwise.
    pub(crate) fees: Fees,
    /// The venue's shard.
    pub(crate) exchange_index: u32,
    /// Key of the team in `custom_strike`.
    pub(crate) strike_key: &'static str,
    /// How the rules describe the game.
    pub(crate) game_word: &'static str,
}

/// Taker rate of the venue's fee formula, 1/10,000.
const TAKER_RATE_E4: u16 = 700;
/// Maker rate on series with maker fees, 1/10,000.
const MAKER_RATE_E4: u16 = 175;
/// Price step of `linear_cent`.
pub(crate) const TICK_E4: u16 = 100;

/// What a trade is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fees {
    /// Whether makers pay too.
    pub(crate) of_makers: bool,
    /// The multiplier in tenths: the venue states a decimal number.
    pub(crate) multiplier_tenths: u16,
}

impl Fees {
    /// The venue's word for its formula.
    pub(crate) const fn kind(self) -> &'static str {
        if self.of_makers {
            "quadratic_with_maker_fees"
        } else {
            "quadratic"
        }
    }

    /// What a taker pays for one execution.
    pub(crate) fn taker_micros(self, price_e4: u16, count_centi: u32) -> i64 {
        self.micros(TAKER_RATE_E4, price_e4, count_centi)
    }

    /// What a maker pays for one execution.
    pub(crate) fn maker_micros(self, price_e4: u16, count_centi: u32) -> i64 {
        let rate_e4 = if self.of_makers { MAKER_RATE_E4 } else { 0 };
        self.micros(rate_e4, price_e4, count_centi)
    }

    /// Multiplier x rate x count x price x (1 - price), rounded up to $0.0001 once, at the end.
    fn micros(self, rate_e4: u16, price_e4: u16, count_centi: u32) -> i64 {
        let price = u128::from(price_e4.min(E4_PER_DOLLAR));
        let product = u128::from(self.multiplier_tenths)
            * u128::from(rate_e4)
            * u128::from(count_centi)
            * price
            * (u128::from(E4_PER_DOLLAR) - price);
        // Tenths x 1e-4 x 1e-2 x 1e-4 x 1e-4: 1e-15 dollars, of which 1e11 make $0.0001.
        i64::try_from(product.div_ceil(100_000_000_000) * 100).unwrap_or(i64::MAX)
    }
}

/// One game at the venue. It has exactly two markets, one a team.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) ticker: String,
    pub(crate) series: Series,
    pub(crate) title: String,
    pub(crate) sub_title: String,
    pub(crate) start_us: i64,
    pub(crate) listed_us: i64,
    /// Id of the game itself, a UUID.
    pub(crate) milestone_id: String,
    pub(crate) fees: Fees,
    /// Numbers of its markets: the home team's, the away team's.
    pub(crate) markets: [usize; 2],
}

/// Where a market is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Active,
    /// Paused: nothing trades, and nothing is cancelled.
    Inactive,
    Closed,
    Determined {
        value_e4: u16,
        at_us: i64,
    },
    Finalized {
        value_e4: u16,
        at_us: i64,
    },
}

impl Life {
    /// The venue's word in a market object.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Closed => "closed",
            Self::Determined { .. } => "determined",
            Self::Finalized { .. } => "finalized",
        }
    }

    /// Whether the `status` filter of a list takes in a market at this point of its life.
    pub(crate) fn matches(self, filter: &str) -> bool {
        match filter {
            "open" => self == Self::Active,
            "paused" => self == Self::Inactive,
            "closed" => matches!(self, Self::Closed | Self::Determined { .. }),
            "settled" => matches!(self, Self::Finalized { .. }),
            _ => false,
        }
    }

    /// What a YES contract pays, once that is known.
    pub(crate) const fn value_e4(self) -> Option<u16> {
        match self {
            Self::Determined { value_e4, .. } | Self::Finalized { value_e4, .. } => Some(value_e4),
            Self::Active | Self::Inactive | Self::Closed => None,
        }
    }

    /// `yes`, `no`, `scalar` for anything between, nothing while unknown.
    pub(crate) const fn result(self) -> &'static str {
        match self.value_e4() {
            None => "",
            Some(0) => "no",
            Some(E4_PER_DOLLAR) => "yes",
            Some(_) => "scalar",
        }
    }
}

/// What a new event consists of.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) ticker: String,
    pub(crate) series: Series,
    /// Fees of its own, where they are not those of the series.
    pub(crate) fees: Option<Fees>,
    pub(crate) start_us: i64,
    /// Home, away: the code of the market's suffix and the place that names the team.
    pub(crate) teams: [(String, String); 2],
}

/// One market.
#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) ticker: String,
    /// The venue's id, a UUID.
    pub(crate) id: String,
    pub(crate) event: usize,
    pub(crate) series: Series,
    pub(crate) fees: Fees,
    /// Place of the team, both `yes_sub_title` and `no_sub_title`.
    pub(crate) team: String,
    pub(crate) team_id: String,
    pub(crate) life: Life,
    pub(crate) opened_us: i64,
    pub(crate) updated_us: i64,
    pub(crate) last_price_e4: u16,
    pub(crate) last_count_centi: u32,
    pub(crate) volume_centi: i64,
    pub(crate) dollar_volume_micros: i64,
    /// Long contracts of all accounts together.
    pub(crate) open_interest_centi: i64,
    pub(crate) book: super::book::Book,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_words_are_not_the_status_words() {
        assert!(Life::Active.matches("open") && !Life::Active.matches("active"));
        let over = Life::Finalized {
            value_e4: 5_000,
            at_us: 1,
        };
        assert!(over.matches("settled") && !over.matches("finalized") && !over.matches("open"));
        assert_eq!(over.result(), "scalar");
        assert_eq!(Life::Closed.result(), "");
        assert!(Life::Inactive.matches("paused") && !Life::Inactive.matches("open"));
    }
}
