//! The units of money and size, and the conversions between them and the venue's decimal strings.
//!
//! | suffix | unit | why |
//! |---|---|---|
//! | `_e4` | 1/10,000 dollar | the venue quotes prices with up to four decimals |
//! | `_centi` | 1/100 contract | the venue's minimum increment of a quantity |
//! | `_micros` | 1/1,000,000 dollar | price x count is exact in it, and fees carry six decimals |

use bytemuck::CheckedBitPattern;

/// 1/10,000 dollars in a dollar; also the payout of one contract in `_e4`.
pub const E4_PER_DOLLAR: u16 = 10_000;
/// 1/100 contracts in a contract.
pub const CENTICONTRACTS_PER_CONTRACT: u32 = 100;
/// Micro-dollars in a dollar.
pub const MICROS_PER_DOLLAR: i64 = 1_000_000;

/// Side of an order in the venue's own words: `bid` buys YES, `ask` sells YES (buys NO).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, CheckedBitPattern, bytemuck::NoUninit)]
#[repr(u8)]
pub enum Side {
    /// Buy YES.
    Bid = 0,
    /// Sell YES, which is buying NO at one dollar less the price.
    Ask = 1,
}

impl Side {
    /// The side that a message byte states, or `None` where it states none.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        checked(byte)
    }

    /// `bid` or `ask`, as the venue writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bid => "bid",
            Self::Ask => "ask",
        }
    }

    /// +1 for a bid, -1 for an ask: the sign of the change of a position in YES contracts.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Bid => 1,
            Self::Ask => -1,
        }
    }
}

/// A checked `u8` enum out of a message byte.
pub(crate) fn checked<E: CheckedBitPattern<Bits = u8>>(byte: u8) -> Option<E> {
    bytemuck::checked::try_cast::<u8, E>(byte).ok()
}

/// Parses a non-negative or signed decimal string into an integer of `decimals` decimals.
///
/// Exact: no floating point. Further decimals are accepted only when they are zero. `None` for
/// anything that is not a plain decimal number or does not fit.
#[must_use]
pub fn parse_decimal(text: &str, decimals: u32) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty()
        || !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let kept = fraction.len().min(decimals as usize);
    if fraction[kept..].bytes().any(|byte| byte != b'0') {
        return None;
    }
    let mut value: i64 = whole.parse().ok()?;
    for place in 0..decimals as usize {
        let digit = fraction
            .as_bytes()
            .get(place)
            .map_or(0, |byte| i64::from(byte - b'0'));
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { -value } else { value })
}

/// Writes an integer of `decimals` decimals as the venue writes it: `format_decimal(5200, 4)` is `0.5200`.
#[must_use]
pub fn format_decimal(value: i64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    if decimals == 0 {
        return format!("{sign}{magnitude}");
    }
    format!(
        "{sign}{}.{:0width$}",
        magnitude / scale,
        magnitude % scale,
        width = decimals as usize
    )
}

/// Parses a price in dollars to 1/10,000 dollar; `None` outside 0..=1 dollar or off the unit.
#[must_use]
pub fn parse_price_e4(dollars: &str) -> Option<u16> {
    let value = parse_decimal(dollars, 4)?;
    u16::try_from(value)
        .ok()
        .filter(|price| *price <= E4_PER_DOLLAR)
}

/// Parses a quantity in contracts to 1/100 contract.
#[must_use]
pub fn parse_centi(contracts: &str) -> Option<i64> {
    parse_decimal(contracts, 2)
}

/// Cost of `count_centi` contracts at `price_e4`, exact, in micro-dollars.
#[must_use]
pub fn cost_micros(price_e4: u16, count_centi: u32) -> i64 {
    i64::from(price_e4) * i64::from(count_centi)
}

/// The taker's trade fee in micro-dollars, for a rate in 1/10,000 (700 is the venue's 0.07 with
/// multiplier one): `ceil_to_$0.0001(rate x C x P x (1 - P))`, the formula of the venue's fee schedule.
#[must_use]
pub fn fee_micros(rate_e4: u16, price_e4: u16, count_centi: u32) -> i64 {
    let price = u128::from(price_e4.min(E4_PER_DOLLAR));
    let product =
        u128::from(rate_e4) * u128::from(count_centi) * price * (u128::from(E4_PER_DOLLAR) - price);
    // rate (1e-4) x count (1e-2) x price (1e-4) x (1 - price) (1e-4): 1e-14 dollars; 1e10 of them make $0.0001.
    let e4_dollars = product.div_ceil(10_000_000_000);
    i64::try_from(e4_dollars * 100).unwrap_or(i64::MAX)
}

/// The most that [`fee_micros`] of all fills together can be, however an order is split: the venue rounds the
/// fee of each fill up, no fill is less than 1/100 contract, and `ceil(x + y) <= ceil(x) + ceil(y)`. At $0.50
/// that is $0.0200 a contract and not $0.0175; it never exceeds one fill's fee by a whole cent a contract.
#[must_use]
pub fn worst_fee_micros(rate_e4: u16, price_e4: u16, count_centi: u32) -> i64 {
    fee_micros(rate_e4, price_e4, 1) * i64::from(count_centi)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fees_agree_with_recorded_fills() {
        assert_eq!(fee_micros(700, 5_200, 100), 17_500);
        assert_eq!(fee_micros(700, 1_700, 552), 54_600);
        assert_eq!(fee_micros(700, 9_900, 100), 700);
        assert_eq!(fee_micros(350, 5_000, 100), 8_800);
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(parse_price_e4("0.4200"), Some(4_200));
        assert_eq!(parse_price_e4("0.42"), Some(4_200));
        assert_eq!(parse_price_e4("1.0000"), Some(10_000));
        assert_eq!(parse_price_e4("0.420000"), Some(4_200));
        for bad in [
            "", ".", "0.42001", "1.0001", "-0.1", "1e-2", "0.4 ", "٣.0", "+1",
        ] {
            assert_eq!(parse_price_e4(bad), None, "{bad:?}");
        }
        assert_eq!(parse_centi("1406474.86"), Some(140_647_486));
        assert_eq!(parse_centi("-1.98"), Some(-198));
        assert_eq!(parse_decimal("99999999999999999999", 2), None);
    }

    #[test]
    fn the_worst_fee_is_that_of_the_smallest_fills() {
        assert_eq!(worst_fee_micros(700, 5_000, 100), 20_000);
        assert_eq!(worst_fee_micros(700, 9_900, 100), 10_000);
        assert_eq!(worst_fee_micros(0, 5_000, 100), 0);
    }

    proptest! {
        #[test]
        fn no_split_of_an_order_costs_more_than_the_worst_fee(
            rate in 0_u16..2_000, price in 1_u16..E4_PER_DOLLAR, fills in prop::collection::vec(1_u32..400, 1..20),
        ) {
            let fees: i64 = fills.iter().map(|count| fee_micros(rate, price, *count)).sum();
            let count: u32 = fills.iter().sum();
            let worst = worst_fee_micros(rate, price, count);
            prop_assert!(fees <= worst);
            prop_assert!(worst < fee_micros(rate, price, count) + i64::from(count) * 100);
        }

        #[test]
        fn format_and_parse_agree(value in -1_000_000_000_000_i64..1_000_000_000_000, decimals in 0_u32..7) {
            prop_assert_eq!(parse_decimal(&format_decimal(value, decimals), decimals), Some(value));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,24}", decimals in 0_u32..7) {
            let _ = parse_decimal(&text, decimals);
        }

        #[test]
        fn a_fee_is_symmetric_and_a_whole_number_of_hundredth_cents(price in 0_u16..=10_000, count in 0_u32..1_000_000) {
            let fee = fee_micros(700, price, count);
            prop_assert_eq!(fee, fee_micros(700, E4_PER_DOLLAR - price, count));
            prop_assert_eq!(fee % 100, 0);
        }
    }
}
