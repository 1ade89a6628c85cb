//! Numbers as people read them: three significant digits and a unit.

/// In place of a number that there is not.
pub(super) const NONE: &str = "-";

/// Three significant digits; whole numbers above that.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A time: ns below 10 us, so that one machine's latencies share a unit; above that us, ms, s.
pub(super) fn time(ns: f64) -> String {
    let size = ns.abs();
    if !ns.is_finite() {
        NONE.to_owned()
    } else if size < 9_999.5 {
        format!("{} ns", significant(ns))
    } else if size < 999_500.0 {
        format!("{} µs", significant(ns / 1e3))
    } else if size < 999_500_000.0 {
        format!("{} ms", significant(ns / 1e6))
    } else {
        format!("{} s", significant(ns / 1e9))
    }
}

/// A time on an axis: `100 ns`, `5 ms`, without the digits that are zero.
pub(super) fn time_tick(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999_500.0 => (ns / 1e3, "µs"),
        ns if ns < 999_500_000.0 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", trimmed(significant(value)))
}

/// How many times: three digits, or up to four of a whole number.
pub(super) fn ratio(value: f64) -> String {
    if !value.is_finite() {
        NONE.to_owned()
    } else if value.abs() < 999.5 {
        significant(value)
    } else if value.abs() < 9_999.5 {
        grouped(&format!("{value:.0}"))
    } else {
        per_second(value).replace(' ', "")
    }
}

/// So many a second: `250 k`, `1.5 M`.
pub(super) fn per_second(value: f64) -> String {
    let (value, unit) = match value {
        value if !value.is_finite() => return NONE.to_owned(),
        value if value < 999.5 => (value, ""),
        value if value < 999_500.0 => (value / 1e3, " k"),
        value if value < 999_500_000.0 => (value / 1e6, " M"),
        value => (value / 1e9, " G"),
    };
    format!("{}{unit}", trimmed(significant(value)))
}

/// A whole number, in groups of three digits.
pub(super) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A value beside its bar, with as many decimals as tell the two apart.
pub(super) fn beside(value: f64, bar: f64) -> (String, String) {
    if !value.is_finite() {
        return (NONE.to_owned(), format!("{bar:.2}"));
    }
    let alike = |decimals: &usize| format!("{value:.decimals$}") == format!("{bar:.decimals$}");
    let decimals = (2..6)
        .find(|decimals| !alike(decimals))
        .filter(|_| value.to_bits() != bar.to_bits())
        .unwrap_or(2);
    (format!("{value:.decimals$}"), format!("{bar:.2}"))
}

fn trimmed(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_and_the_unit_that_fits() {
        let times = [
            (0.0, "0.00 ns"),
            (4.632, "4.63 ns"),
            (9.996, "10.0 ns"),
            (55.31, "55.3 ns"),
            (99.96, "100 ns"),
            (452.4, "452 ns"),
            (9_999.4, "9999 ns"),
            (9_999.6, "10.0 µs"),
            (12_345.0, "12.3 µs"),
            (999_499.0, "999 µs"),
            (999_501.0, "1.00 ms"),
            (100_310_000.0, "100 ms"),
            (2_500_000_000.0, "2.50 s"),
            (-35.21, "-35.2 ns"),
            (f64::NAN, "-"),
            (f64::INFINITY, "-"),
        ];
        for (ns, text) in times {
            assert_eq!(time(ns), text, "{ns}");
        }
    }

    #[test]
    fn axes_leave_zeros_out() {
        assert_eq!(time_tick(50.0), "50 ns");
        assert_eq!(time_tick(2_000.0), "2 µs");
        assert_eq!(time_tick(1_500_000.0), "1.5 ms");
        assert_eq!(time_tick(1e9), "1 s");
    }

    #[test]
    fn counts_rates_and_ratios() {
        assert_eq!(count(65_536), "65,536");
        assert_eq!(count(512), "512");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(per_second(1_500_000.0), "1.5 M");
        assert_eq!(per_second(10_000.0), "10 k");
        assert_eq!(per_second(100.0), "100");
        assert_eq!(ratio(1.0449), "1.04");
        assert_eq!(ratio(2_345.6), "2,346");
        assert_eq!(ratio(781_193.0), "781k");
        assert_eq!(ratio(f64::NAN), "-");
    }

    #[test]
    fn a_value_that_misses_its_bar_by_little_does_not_look_equal() {
        assert_eq!(beside(1.0504, 1.05), ("1.0504".into(), "1.05".into()));
        assert_eq!(beside(1.05, 1.05), ("1.05".into(), "1.05".into()));
        assert_eq!(beside(0.7, 0.8), ("0.70".into(), "0.80".into()));
        assert_eq!(beside(f64::NAN, 0.8), ("-".into(), "0.80".into()));
    }
}
