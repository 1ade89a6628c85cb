//! What the venue's words mean for an order.

use super::look_up::Unreadable;
use crate::venue::error::VenueError;
use crate::venue::kalshi_wire::{OrderResult, OrderState};
use layouts::{RejectReason, Side};
use stages::execution::{Answer, Found, Trade};

/// A trade as booked, and whether its fee is as told. No message of ours carries a fee below zero, or one beyond
/// measure: the trade is booked with the nearest that it can carry, and the books will differ by the rest.
pub(super) fn trade(
    trade: [u8; 16],
    count_centi: u32,
    price_e4: u16,
    fee_told_micros: i64,
    side: Side,
    is_taker: bool,
) -> (Trade, bool) {
    let told = u32::try_from(fee_told_micros);
    let nearest = if fee_told_micros < 0 { 0 } else { u32::MAX };
    let fee_micros = told.unwrap_or(nearest);
    if told.is_err() {
        let trade = uuid::Uuid::from_bytes(trade);
        tracing::error!(%trade, fee_told_micros, fee_micros, "a fee cannot be booked as the venue tells it");
    }
    let trade = Trade {
        trade,
        count_centi,
        price_e4,
        fee_micros,
        side,
        is_taker,
    };
    (trade, told.is_ok())
}

/// What became of a Post. Keeps the venue's id of the order, where it tells one.
pub(super) fn answer_of(
    result: Result<OrderResult, VenueError>,
    order_id: &mut Option<String>,
) -> Answer {
    let error = match result {
        Ok(result) => {
            *order_id = Some(result.order_id);
            return match result.remaining_centi {
                0 => Answer::Placed {
                    filled_centi: result.filled_centi,
                },
                _ => Answer::Working,
            };
        }
        Err(error) => error,
    };
    let code = error.code().unwrap_or_default();
    if error.is_rate_limit() {
        Answer::RateLimited
    } else if code.eq_ignore_ascii_case("order_already_exists") {
        Answer::AlreadyExists
    } else if error.may_arrive_late() {
        Answer::Missing
    } else if error.is_ambiguous() {
        Answer::Unclear
    } else if matches!(error, VenueError::NotSent { .. }) {
        tracing::debug!(%error, "not sent");
        Answer::NotSent
    } else {
        tracing::debug!(%error, "order refused");
        Answer::Refused(reason_of(&error))
    }
}

/// What a look-up has shown. Only the venue's own words for the end of an order are its end.
pub(super) fn found_of(
    result: Result<Option<OrderState>, Unreadable>,
    order_id: &mut Option<String>,
) -> Found {
    match result {
        Ok(Some(state)) => {
            *order_id = Some(state.order_id);
            if is_final(&state.status) {
                Found::Done {
                    filled_centi: state.filled_centi,
                }
            } else {
                Found::Working
            }
        }
        Ok(None) => Found::Absent,
        Err(Unreadable) => Found::Missing,
    }
}

/// Whether an order of this status never changes again.
pub(super) fn is_final(status: &str) -> bool {
    matches!(status, "canceled" | "executed")
}

/// Whether the venue knows no such order group, which is not the same as one that lets nothing pass.
pub(super) fn misses_a_group(error: &VenueError) -> bool {
    is_of_a_group(error, "not found")
}

/// Whether a refusal speaks of an order group, and says these words too.
fn is_of_a_group(error: &VenueError, words: &str) -> bool {
    let VenueError::Refused { code, details, .. } = error else {
        return false;
    };
    [code, details].into_iter().any(|text| {
        let text = text.to_ascii_lowercase().replace('_', " ");
        text.contains("order group") && text.contains(words)
    })
}

fn reason_of(error: &VenueError) -> RejectReason {
    let VenueError::Refused { status, code, .. } = error else {
        return RejectReason::Other;
    };
    // How a group refuses is documented by status only: whatever speaks of one is taken for it, for the
    // mistake would only halt us.
    if is_of_a_group(error, "") {
        return if misses_a_group(error) {
            RejectReason::Other
        } else {
            RejectReason::Braked
        };
    }
    match (*status, code.to_ascii_lowercase().as_str()) {
        (401 | 403, _) => RejectReason::Authentication,
        (_, "insufficient_balance" | "available_balance_too_low") => {
            RejectReason::InsufficientBalance
        }
        (_, "invalid_price") => RejectReason::InvalidPrice,
        (_, "market_inactive" | "trading_paused" | "exchange_paused") => {
            RejectReason::MarketInactive
        }
        (404, _) | (_, "market_not_found") => RejectReason::UnknownMarket,
        _ => RejectReason::Other,
    }
}

#[cfg(test)]
mod tests;
