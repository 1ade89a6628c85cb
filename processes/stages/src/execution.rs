//! The stage of `execution_service`: what to do next with one order, given what the venue said.
//!
//! ```text
//!            .----------- 429, while not expired ----------.
//!            v                                             |
//! start --> Post -- placed, nothing traded --> Finish      |
//!            |  \-- placed, traded ----------> Collect --> Finish
//!            |  \-- refused -----------------> Finish (LookUp if an earlier answer is missing)
//!            |  \-- exists, or rests --------> LookUp -- found --> Collect or Finish
//!            |  \-- not sent: Post again while not expired
//!            '----- no answer, or an unclear one: Post again with the same id; LookUp once expired
//! ```
//!
//! The client order id is unique for ever at the venue, so a repeated Post cannot trade twice. But a
//! Post whose predecessor never arrived *is* the order, so an expired order is never posted again,
//! only looked up. The venue's reads lag its writes by some 0.4 s: one miss is not yet an absence.
//! An order that a predecessor may have sent before it died starts with LookUp for the same reason.
//!
//! A Post that nobody has answered may lie in the network and arrive later than any read: its socket is closed, but what
//! the kernel had taken is sent all the same. So its absence is believed only when the venue would refuse it for the age
//! of its signature. Nothing waits for that but the order itself, and whoever tells its fate before ends it. What a dead
//! predecessor has posted may be fenced: then the venue refuses it already, and the lag of the reads is all that counts.
//!
//! Nothing here waits or reads a clock: steps say how long to wait first, and `now` is passed in.

use layouts::units::cost_micros;
use layouts::{Fill, Order, OrderAck, OrderStatus, RejectReason, Side};
use std::collections::BTreeMap;
use std::time::Duration;

mod in_flight;
pub use in_flight::InFlight;

/// Wait before a Post is repeated after a 429; doubles up to the greatest.
const FIRST_RETRY: Duration = Duration::from_millis(25);
const GREATEST_RETRY: Duration = Duration::from_millis(200);
/// Posts of one order, however far its expiry.
const MOST_POSTS: u32 = 20;
/// Wait between two look-ups.
const LOOK_UP_EVERY: Duration = Duration::from_millis(250);
/// Look-ups that must miss before the order is held not to be at the venue: 2 s, five times the lag.
const MISSES_TO_BELIEVE: u32 = 8;
/// Wait between two look-ups once so many have missed: what remains is to wait for the end of [`ACCEPTED_FOR_NS`].
const LATE_LOOK_UP_EVERY: Duration = Duration::from_secs(1);
/// How long after its expiry the venue may take a request that was written before: it was observed to refuse
/// signatures 30 s old, and none is younger than its writing; beyond that some seconds for clocks that differ (the
/// launcher halts at 2 s) and for reads that lag. From then on one miss suffices.
const ACCEPTED_FOR_NS: u64 = 35_000_000_000;
/// Time of looking up, beyond that, before the order's fate is declared unknown.
const LOOK_UP_FOR_NS: u64 = 15_000_000_000;
/// And the number of look-ups, should the clock stand still.
const MOST_LOOK_UPS: u32 = 100;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Wait, ask [`Placement::may_post`], then send the order.
    Post {
        /// How long to wait first.
        after: Duration,
    },
    /// Wait, then ask the venue for the order by our id.
    LookUp {
        /// How long to wait first.
        after: Duration,
    },
    /// Gather fills until they add up.
    Collect {
        /// Contracts that the venue says have traded.
        filled_centi: u32,
    },
    /// Nothing more; the order ends like this, with no fills.
    Finish {
        /// What became of it.
        status: OrderStatus,
        /// Why, if refused.
        reason: RejectReason,
    },
}

/// The venue's answer to a Post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Taken; so much of it traded at once.
    Placed {
        /// Contracts traded.
        filled_centi: u32,
    },
    /// Our id is known there already.
    AlreadyExists,
    /// Taken, and part of it rests, which its terms forbid.
    Working,
    /// Too many requests.
    RateLimited,
    /// None: it may have arrived, or may arrive yet.
    Missing,
    /// None that can be understood, to a request that has arrived: it may have been taken.
    Unclear,
    /// It was not sent: there was no connection, or too late.
    NotSent,
    /// Refused for good.
    Refused(RejectReason),
}

/// The venue's answer to a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is there and done.
    Done {
        /// Contracts traded.
        filled_centi: u32,
    },
    /// It is there and, as this read shows it, not done yet.
    Working,
    /// It is not there, as far as this read shows.
    Absent,
    /// The read failed.
    Missing,
}

/// One order on its way.
#[derive(Debug, Clone)]
pub struct Placement {
    expires_mono_ns: u64,
    /// A Post went out whose answer is missing, or is unclear.
    maybe_there: bool,
    /// One of them may still be on its way.
    unanswered: bool,
    /// The venue has said that it has the order: no number of misses makes it absent.
    surely_there: bool,
    refusal: Option<RejectReason>,
    posts: u32,
    look_ups: u32,
    /// When the first look-up had its answer.
    looking_since: Option<u64>,
    misses: u32,
}

impl Placement {
    /// An order to be placed before `expires_mono_ns`.
    #[must_use]
    pub fn new(expires_mono_ns: u64) -> Self {
        Self {
            expires_mono_ns,
            maybe_there: false,
            unanswered: false,
            surely_there: false,
            refusal: None,
            posts: 0,
            look_ups: 0,
            looking_since: None,
            misses: 0,
        }
    }

    /// As [`Placement::new`], of an order that a process which died may have posted: its fate is
    /// looked up first, whether or not it has expired. `fenced`: what it may have posted cannot be taken any more.
    #[must_use]
    pub fn resumed(expires_mono_ns: u64, fenced: bool) -> Self {
        Self {
            maybe_there: true,
            unanswered: !fenced,
            ..Self::new(expires_mono_ns)
        }
    }

    /// What to do first.
    #[must_use]
    pub fn first_step(&self) -> Step {
        let after = Duration::ZERO;
        if self.maybe_there {
            Step::LookUp { after }
        } else {
            Step::Post { after }
        }
    }

    /// Whether the order may go on the wire now. If not, the step to take instead.
    ///
    /// # Errors
    ///
    /// That step.
    pub fn may_post(&mut self, now_mono_ns: u64) -> Result<(), Step> {
        if now_mono_ns <= self.expires_mono_ns && self.posts < MOST_POSTS {
            self.posts += 1;
            return Ok(());
        }
        Err(self.give_up_posting())
    }

    /// Posts sent so far.
    #[must_use]
    pub fn posts(&self) -> u32 {
        self.posts
    }

    /// After a Post.
    pub fn on_answer(&mut self, answer: Answer) -> Step {
        match answer {
            Answer::Placed { filled_centi } => collect(filled_centi),
            Answer::AlreadyExists | Answer::Working => {
                (self.maybe_there, self.surely_there) = (true, true);
                Step::LookUp {
                    after: Duration::ZERO,
                }
            }
            Answer::RateLimited => {
                self.refusal = Some(RejectReason::RateLimited);
                Step::Post {
                    after: self.retry_after(),
                }
            }
            Answer::Missing | Answer::Unclear => {
                self.maybe_there = true;
                self.unanswered |= answer == Answer::Missing;
                Step::Post {
                    after: self.retry_after(),
                }
            }
            Answer::NotSent => Step::Post {
                after: self.retry_after(),
            },
            Answer::Refused(reason) => {
                self.refusal = Some(reason);
                self.give_up_posting()
            }
        }
    }

    /// After a look-up.
    pub fn on_found(&mut self, found: Found, now_mono_ns: u64) -> Step {
        self.look_ups += 1;
        let since = *self.looking_since.get_or_insert(now_mono_ns);
        match found {
            Found::Done { filled_centi } => return collect(filled_centi),
            Found::Absent => self.misses += 1,
            // It was seen: misses are the lag.
            Found::Working => self.surely_there = true,
            Found::Missing => {}
        }
        let accepted_until = self.expires_mono_ns.saturating_add(ACCEPTED_FOR_NS);
        let too_old = now_mono_ns >= accepted_until;
        let believable = too_old || !self.unanswered;
        let enough = if too_old { 1 } else { MISSES_TO_BELIEVE };
        // A read that failed proves nothing, however many before it missed.
        if found == Found::Absent && self.misses >= enough && !self.surely_there {
            self.maybe_there &= !believable;
            let final_refusal = self
                .refusal
                .is_some_and(|reason| reason != RejectReason::RateLimited);
            if !final_refusal && now_mono_ns <= self.expires_mono_ns {
                // With the same id: should the first arrive yet, one of the two is refused as known.
                self.misses = 0;
                return Step::Post {
                    after: Duration::ZERO,
                };
            }
            if believable {
                return self.give_up_posting();
            }
        }
        let since = if self.unanswered && !self.surely_there {
            since.max(accepted_until)
        } else {
            since
        };
        let too_long = now_mono_ns.saturating_sub(since) >= LOOK_UP_FOR_NS;
        if too_long || self.look_ups >= MOST_LOOK_UPS {
            return Step::Finish {
                status: OrderStatus::Unknown,
                reason: RejectReason::None,
            };
        }
        Step::LookUp {
            after: if self.look_ups > 2 * MISSES_TO_BELIEVE {
                LATE_LOOK_UP_EVERY
            } else {
                LOOK_UP_EVERY
            },
        }
    }

    fn give_up_posting(&self) -> Step {
        if self.maybe_there {
            return Step::LookUp {
                after: Duration::ZERO,
            };
        }
        match self.refusal {
            Some(reason) => Step::Finish {
                status: OrderStatus::Rejected,
                reason,
            },
            None => Step::Finish {
                status: OrderStatus::Expired,
                reason: RejectReason::None,
            },
        }
    }

    fn retry_after(&self) -> Duration {
        FIRST_RETRY
            .saturating_mul(1 << self.posts.saturating_sub(1).min(8))
            .min(GREATEST_RETRY)
    }
}

fn collect(filled_centi: u32) -> Step {
    match filled_centi {
        0 => Step::Finish {
            status: OrderStatus::Unfilled,
            reason: RejectReason::None,
        },
        filled_centi => Step::Collect { filled_centi },
    }
}

/// One trade of an order, from whichever channel told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// The venue's trade id.
    pub trade: [u8; 16],
    /// Contracts.
    pub count_centi: u32,
    /// Price of YES.
    pub price_e4: u16,
    /// Fee.
    pub fee_micros: u32,
    /// Our side.
    pub side: Side,
    /// Whether we took liquidity.
    pub is_taker: bool,
}

/// The trades of one order, each once, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trades {
    trades: BTreeMap<[u8; 16], Trade>,
}

impl Trades {
    /// Adds a trade; again is as good as once.
    pub fn add(&mut self, trade: Trade) {
        self.trades.entry(trade.trade).or_insert(trade);
    }

    /// Contracts in all.
    #[must_use]
    pub fn count_centi(&self) -> u64 {
        self.trades
            .values()
            .map(|trade| u64::from(trade.count_centi))
            .sum()
    }

    /// The trades as the messages that tell of them.
    #[must_use]
    pub fn fills(&self, order: &Order) -> Vec<Fill> {
        let fill = |trade: &Trade| Fill {
            ingress_mono_ns: order.ingress_mono_ns,
            order: order.order,
            trade: trade.trade,
            market: order.market,
            count_centi: trade.count_centi,
            fee_micros: trade.fee_micros,
            price_e4: trade.price_e4,
            side: trade.side as u8,
            is_taker: u8::from(trade.is_taker),
        };
        self.trades.values().map(fill).collect()
    }

    /// The final word on an order that traded. `complete`: the trades add up to what the venue said.
    #[must_use]
    pub fn ack(&self, order: &Order, complete: bool, now_mono_ns: u64) -> OrderAck {
        let filled_centi = u32::try_from(self.count_centi()).unwrap_or(u32::MAX);
        let status = match (complete, filled_centi >= order.count_centi) {
            (false, _) => OrderStatus::Unknown,
            (true, true) => OrderStatus::Filled,
            (true, false) => OrderStatus::PartlyFilled,
        };
        let cost =
            |trade: &Trade| trade.side.sign() * cost_micros(trade.price_e4, trade.count_centi);
        let fees: u64 = self
            .trades
            .values()
            .map(|trade| u64::from(trade.fee_micros))
            .sum();
        OrderAck {
            cost_micros: self.trades.values().map(cost).sum(),
            filled_centi,
            fee_micros: u32::try_from(fees).unwrap_or(u32::MAX),
            ..ack(order, status, RejectReason::None, now_mono_ns)
        }
    }
}

/// The final word on an order that did not trade.
#[must_use]
pub fn ack(order: &Order, status: OrderStatus, reason: RejectReason, now_mono_ns: u64) -> OrderAck {
    OrderAck {
        ingress_mono_ns: order.ingress_mono_ns,
        acked_mono_ns: now_mono_ns,
        order: order.order,
        cost_micros: 0,
        market: order.market,
        filled_centi: 0,
        fee_micros: 0,
        status: status as u8,
        reason: reason as u8,
        side: order.side,
        padding: [0],
    }
}

/// The client order id of an order: unique for ever, and the same whenever it is derived again.
#[must_use]
pub fn client_order_id(run_id: &str, order: u64) -> String {
    format!("arb-{run_id}-{order:016x}")
}

/// The run id and the order that a client order id of ours was derived from; `None` for one of somebody else.
#[must_use]
pub fn of_client_order_id(id: &str) -> Option<(&str, u64)> {
    let (run_id, order) = id.strip_prefix("arb-")?.rsplit_once('-')?;
    let order = u64::from_str_radix(order, 16).ok()?;
    (id == client_order_id(run_id, order)).then_some((run_id, order))
}

#[cfg(test)]
mod tests;
