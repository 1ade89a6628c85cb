//! Limits so high that they are none: sums of money are 64 bits wide, and must not be anywhere near their end.

use crate::Pipeline;

/// Most contracts in one order. What it can lose times its contracts is the greatest product that is made of an
/// order: with the greatest fee that a message can hold it is a third of what 64 bits hold.
const MOST_ORDER_CONTRACTS: u32 = 100_000;
/// Most contracts of a market, and dollars in all. As a bankroll they are multiplied with the greatest edge.
const MOST: u32 = 100_000_000;

impl Pipeline {
    pub(super) fn bound_faults(&self, faults: &mut Vec<String>) {
        let limits = &self.limits;
        for (name, value, most) in [
            (
                "max_order_contracts",
                limits.max_order_contracts,
                MOST_ORDER_CONTRACTS,
            ),
            ("max_burst_contracts", limits.max_burst_contracts, MOST),
            ("max_market_contracts", limits.max_market_contracts, MOST),
            ("max_game_dollars", limits.max_game_dollars, MOST),
            ("max_sport_dollars", limits.max_sport_dollars, MOST),
            ("max_exposure_dollars", limits.max_exposure_dollars, MOST),
            ("max_day_loss_dollars", limits.max_day_loss_dollars, MOST),
        ] {
            if value > most {
                faults.push(format!(
                    "limits.{name} = {value}, at most {most}: sums of money have no room for more; lower it"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults_after;
    use super::*;

    fn faults(order: u32, others: u32) -> Vec<String> {
        let told = faults_after(|pipeline| {
            let limits = &mut pipeline.limits;
            limits.max_order_contracts = order;
            for limit in [
                &mut limits.max_burst_contracts,
                &mut limits.max_market_contracts,
                &mut limits.max_game_dollars,
                &mut limits.max_sport_dollars,
                &mut limits.max_exposure_dollars,
                &mut limits.max_day_loss_dollars,
            ] {
                *limit = others;
            }
        });
        let ours = told.lines().filter(|line| line.contains("sums of money"));
        ours.map(str::to_owned).collect()
    }

    #[test]
    fn a_limit_may_be_as_high_as_its_bound_and_no_higher() {
        assert_eq!(faults(MOST_ORDER_CONTRACTS, MOST), Vec::<String>::new());
        assert_eq!(
            faults(MOST_ORDER_CONTRACTS + 1, MOST),
            [
                "limits.max_order_contracts = 100001, at most 100000: sums of money have no room for more; lower it"
            ]
        );
        let all = faults(1, MOST + 1);
        assert_eq!(all.len(), 6, "{all:?}");
    }
}
