//! The order book of one market: price-time priority, in YES prices. A NO bid at `p` is a YES ask
//! at `1 - p`, so one book with two sides holds everything that the venue's two bid lists show.

use layouts::Side;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Number of an order within one exchange.
pub(crate) type OrderNumber = u64;
/// Number of an account within one exchange.
pub(crate) type AccountNumber = u32;

/// What happens when an order would trade with one of its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SelfTrade {
    /// The incoming order stops there and its rest is cancelled.
    TakerAtCross,
    /// The resting order is cancelled and matching goes on.
    Maker,
}

impl SelfTrade {
    /// The venue's word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TakerAtCross => "taker_at_cross",
            Self::Maker => "maker",
        }
    }
}

/// An order as it meets the book.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    pub(crate) account: AccountNumber,
    pub(crate) side: Side,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
    pub(crate) self_trade: SelfTrade,
}

/// One execution against a resting order, at the resting order's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) maker: OrderNumber,
    pub(crate) maker_account: AccountNumber,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
    /// What the resting order has left; zero when it is done.
    pub(crate) maker_left_centi: u32,
}

/// What became of an incoming order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) matches: Vec<Match>,
    /// Own resting orders that [`SelfTrade::Maker`] cancelled.
    pub(crate) cancelled: Vec<Removed>,
    /// Contracts not traded.
    pub(crate) left_centi: u32,
    /// [`SelfTrade::TakerAtCross`] stopped the order: the rest is cancelled, never rests.
    pub(crate) stopped: bool,
}

/// A resting order that left the book without trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) order: OrderNumber,
    pub(crate) side: Side,
    pub(crate) price_e4: u16,
    pub(crate) count_centi: u32,
}

#[derive(Debug, Clone, Copy)]
struct Resting {
    order: OrderNumber,
    account: AccountNumber,
    count_centi: u32,
}

type Ladder = BTreeMap<u16, VecDeque<Resting>>;

/// The book of one market. Empty levels are never kept.
#[derive(Debug, Default)]
pub(crate) struct Book {
    bids: Ladder,
    asks: Ladder,
    places: HashMap<OrderNumber, (Side, u16)>,
}

impl Book {
    /// Best price of a side and the contracts there.
    pub(crate) fn best(&self, side: Side) -> Option<(u16, i64)> {
        let level = match side {
            Side::Bid => self.bids.last_key_value(),
            Side::Ask => self.asks.first_key_value(),
        };
        level.map(|(price, queue)| (*price, total(queue)))
    }

    /// Levels of a side with their contracts, by rising price.
    pub(crate) fn levels(&self, side: Side) -> impl DoubleEndedIterator<Item = (u16, i64)> + '_ {
        self.ladder(side)
            .iter()
            .map(|(price, queue)| (*price, total(queue)))
    }

    /// What the account has resting at a side: order, price, contracts, in no useful order.
    pub(crate) fn resting_of(
        &self,
        account: AccountNumber,
        side: Side,
    ) -> impl Iterator<Item = (OrderNumber, u16, u32)> + '_ {
        self.ladder(side).iter().flat_map(move |(price, queue)| {
            queue
                .iter()
                .filter(move |resting| resting.account == account)
                .map(move |resting| (resting.order, *price, resting.count_centi))
        })
    }

    /// Whether an order of this side and price would meet a resting one.
    pub(crate) fn crosses(&self, side: Side, price_e4: u16) -> bool {
        self.best(opposite(side))
            .is_some_and(|(best, _)| reaches(side, price_e4, best))
    }

    /// Contracts that the order would trade, and in how many executions, were it to come in now.
    pub(crate) fn preview(&self, incoming: &Incoming) -> (u32, u32) {
        let mut left = incoming.count_centi;
        let mut executions = 0;
        for (_, queue) in self.reachable(incoming) {
            for resting in queue {
                if resting.account == incoming.account {
                    match incoming.self_trade {
                        SelfTrade::TakerAtCross => {
                            return (incoming.count_centi - left, executions);
                        }
                        SelfTrade::Maker => continue,
                    }
                }
                left -= left.min(resting.count_centi);
                executions += 1;
                if left == 0 {
                    return (incoming.count_centi, executions);
                }
            }
        }
        (incoming.count_centi - left, executions)
    }

    /// Trades the order against the book as far as its limit reaches.
    pub(crate) fn take(&mut self, incoming: &Incoming) -> Taken {
        let mut taken = Taken {
            left_centi: incoming.count_centi,
            ..Taken::default()
        };
        let other = opposite(incoming.side);
        while taken.left_centi > 0 && !taken.stopped {
            let Some((price, _)) = self.best(other) else {
                break;
            };
            if !reaches(incoming.side, incoming.price_e4, price) {
                break;
            }
            self.take_level(incoming, price, &mut taken);
        }
        taken
    }

    fn take_level(&mut self, incoming: &Incoming, price_e4: u16, taken: &mut Taken) {
        let other = opposite(incoming.side);
        let Some(queue) = self.ladder_mut(other).get_mut(&price_e4) else {
            return;
        };
        let mut done = Vec::new();
        while taken.left_centi > 0 {
            let Some(front) = queue.front_mut() else {
                break;
            };
            if front.account == incoming.account {
                if incoming.self_trade == SelfTrade::TakerAtCross {
                    taken.stopped = true;
                    break;
                }
                let removed = Removed {
                    order: front.order,
                    side: other,
                    price_e4,
                    count_centi: front.count_centi,
                };
                taken.cancelled.push(removed);
                done.push(front.order);
                queue.pop_front();
                continue;
            }
            let count_centi = taken.left_centi.min(front.count_centi);
            taken.left_centi -= count_centi;
            front.count_centi -= count_centi;
            taken.matches.push(Match {
                maker: front.order,
                maker_account: front.account,
                price_e4,
                count_centi,
                maker_left_centi: front.count_centi,
            });
            if front.count_centi == 0 {
                done.push(front.order);
                queue.pop_front();
            }
        }
        if queue.is_empty() {
            self.ladder_mut(other).remove(&price_e4);
        }
        for order in done {
            self.places.remove(&order);
        }
    }

    /// Puts an order at the end of its level's queue.
    pub(crate) fn rest(
        &mut self,
        order: OrderNumber,
        account: AccountNumber,
        side: Side,
        price_e4: u16,
        count_centi: u32,
    ) {
        self.ladder_mut(side)
            .entry(price_e4)
            .or_default()
            .push_back(Resting {
                order,
                account,
                count_centi,
            });
        self.places.insert(order, (side, price_e4));
    }

    /// Takes an order out of the book; `None` when it does not rest there.
    pub(crate) fn cancel(&mut self, order: OrderNumber) -> Option<Removed> {
        let (side, price_e4) = self.places.remove(&order)?;
        let ladder = self.ladder_mut(side);
        let queue = ladder.get_mut(&price_e4)?;
        let at = queue.iter().position(|resting| resting.order == order)?;
        let count_centi = queue.remove(at)?.count_centi;
        if queue.is_empty() {
            ladder.remove(&price_e4);
        }
        Some(Removed {
            order,
            side,
            price_e4,
            count_centi,
        })
    }

    /// Makes a resting order smaller, at the place that it has; `false` when it does not rest.
    pub(crate) fn shrink(&mut self, order: OrderNumber, left_centi: u32) -> bool {
        let Some((side, price_e4)) = self.places.get(&order).copied() else {
            return false;
        };
        let queue = self.ladder_mut(side).get_mut(&price_e4);
        let found = queue
            .into_iter()
            .flatten()
            .find(|resting| resting.order == order)
            .filter(|resting| left_centi > 0 && left_centi <= resting.count_centi);
        match found {
            Some(resting) => resting.count_centi = left_centi,
            None => return false,
        }
        true
    }

    /// Contracts that trade before a resting order does: those at better prices, and earlier ones at
    /// its own. `None` when it does not rest.
    pub(crate) fn ahead_of(&self, order: OrderNumber) -> Option<i64> {
        let (side, price_e4) = self.places.get(&order)?;
        let better = |price: u16| match side {
            Side::Bid => price > *price_e4,
            Side::Ask => price < *price_e4,
        };
        let ladder = self.ladder(*side);
        let before: i64 = ladder
            .iter()
            .filter(|(price, _)| better(**price))
            .map(|(_, queue)| total(queue))
            .sum();
        let earlier = ladder
            .get(price_e4)?
            .iter()
            .take_while(|resting| resting.order != order);
        Some(
            before
                + earlier
                    .map(|resting| i64::from(resting.count_centi))
                    .sum::<i64>(),
        )
    }

    /// Numbers of all resting orders, rising.
    pub(crate) fn orders(&self) -> Vec<OrderNumber> {
        let mut orders: Vec<_> = self.places.keys().copied().collect();
        orders.sort_unstable();
        orders
    }

    /// Levels that the order's limit reaches, best first.
    fn reachable<'a>(
        &'a self,
        incoming: &Incoming,
    ) -> Box<dyn Iterator<Item = (&'a u16, &'a VecDeque<Resting>)> + 'a> {
        let (side, limit) = (incoming.side, incoming.price_e4);
        match side {
            Side::Bid => Box::new(
                self.asks
                    .iter()
                    .take_while(move |(price, _)| reaches(side, limit, **price)),
            ),
            Side::Ask => Box::new(
                self.bids
                    .iter()
                    .rev()
                    .take_while(move |(price, _)| reaches(side, limit, **price)),
            ),
        }
    }

    fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

/// The side that an order of `side` trades with.
pub(crate) const fn opposite(side: Side) -> Side {
    match side {
        Side::Bid => Side::Ask,
        Side::Ask => Side::Bid,
    }
}

fn reaches(side: Side, limit: u16, price: u16) -> bool {
    match side {
        Side::Bid => price <= limit,
        Side::Ask => price >= limit,
    }
}

fn total(queue: &VecDeque<Resting>) -> i64 {
    queue
        .iter()
        .map(|resting| i64::from(resting.count_centi))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: AccountNumber = 0;
    const THEM: AccountNumber = 1;

    fn incoming(side: Side, price_e4: u16, count_centi: u32) -> Incoming {
        Incoming {
            account: US,
            side,
            price_e4,
            count_centi,
            self_trade: SelfTrade::TakerAtCross,
        }
    }

    #[test]
    fn better_prices_trade_first_and_earlier_orders_first_within_a_price() {
        let mut book = Book::default();
        book.rest(1, THEM, Side::Ask, 5_300, 100);
        book.rest(2, THEM, Side::Ask, 5_200, 100);
        book.rest(3, THEM, Side::Ask, 5_200, 100);
        let taken = book.take(&incoming(Side::Bid, 9_900, 250));
        let order: Vec<_> = taken
            .matches
            .iter()
            .map(|one| (one.maker, one.price_e4, one.count_centi))
            .collect();
        assert_eq!(order, [(2, 5_200, 100), (3, 5_200, 100), (1, 5_300, 50)]);
        assert_eq!(taken.left_centi, 0);
        assert_eq!(book.best(Side::Ask), Some((5_300, 50)));
    }

    #[test]
    fn a_limit_is_never_passed() {
        let mut book = Book::default();
        book.rest(1, THEM, Side::Bid, 4_000, 100);
        book.rest(2, THEM, Side::Bid, 3_900, 100);
        let taken = book.take(&incoming(Side::Ask, 4_000, 150));
        assert_eq!((taken.matches.len(), taken.left_centi), (1, 50));
        assert_eq!(book.best(Side::Bid), Some((3_900, 100)));
    }

    #[test]
    fn own_orders_stop_the_taker_or_give_way() {
        let mut book = Book::default();
        book.rest(1, THEM, Side::Ask, 5_000, 100);
        book.rest(2, US, Side::Ask, 5_100, 100);
        book.rest(3, THEM, Side::Ask, 5_200, 100);
        let bid = incoming(Side::Bid, 9_900, 300);
        assert_eq!(book.preview(&bid), (100, 1));
        assert_eq!(
            book.preview(&Incoming {
                self_trade: SelfTrade::Maker,
                ..bid
            }),
            (200, 2)
        );
        let stopped = book.take(&bid);
        assert!(stopped.stopped && stopped.matches.len() == 1 && stopped.left_centi == 200);
        assert_eq!(book.best(Side::Ask), Some((5_100, 100)));
        let passed = book.take(&Incoming {
            self_trade: SelfTrade::Maker,
            ..bid
        });
        assert!(!passed.stopped);
        assert_eq!(
            passed.cancelled,
            [Removed {
                order: 2,
                side: Side::Ask,
                price_e4: 5_100,
                count_centi: 100
            }]
        );
        assert_eq!(passed.left_centi, 200);
        assert_eq!(book.best(Side::Ask), None);
    }

    #[test]
    fn an_order_that_shrinks_keeps_its_place() {
        let mut book = Book::default();
        book.rest(1, THEM, Side::Bid, 4_100, 300);
        book.rest(2, US, Side::Bid, 4_000, 200);
        book.rest(3, THEM, Side::Bid, 4_000, 100);
        assert_eq!(
            [1, 2, 3, 4].map(|order| book.ahead_of(order)),
            [Some(0), Some(300), Some(500), None]
        );
        assert!(book.shrink(2, 50));
        assert_eq!((book.ahead_of(2), book.ahead_of(3)), (Some(300), Some(350)));
        for (order, left) in [(2, 51), (2, 0), (9, 10)] {
            assert!(!book.shrink(order, left), "{order} to {left}");
        }
        book.rest(4, US, Side::Ask, 5_000, 10);
        book.rest(5, US, Side::Ask, 4_900, 20);
        assert_eq!(book.ahead_of(4), Some(20));
    }

    #[test]
    fn a_cancelled_order_leaves_once() {
        let mut book = Book::default();
        book.rest(7, US, Side::Bid, 4_000, 100);
        assert_eq!(book.cancel(7).map(|removed| removed.count_centi), Some(100));
        assert_eq!(book.cancel(7), None);
        assert_eq!(book.best(Side::Bid), None);
        assert!(book.orders().is_empty());
    }
}
