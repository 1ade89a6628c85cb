//! Figures in few characters: three digits and a unit.

/// A count or rate: `412`, `1.94k`, `12.3M`; `-` for nothing.
pub(super) fn number(value: f64) -> String {
    let mut value = value;
    if value <= 0.0 || !value.is_finite() {
        return "-".into();
    }
    for unit in ["", "k", "M", "G", "T"] {
        if value < 999.5 || unit == "T" {
            return format!("{}{unit}", digits(value, unit.is_empty()));
        }
        value /= 1000.0;
    }
    unreachable!("the last unit takes all")
}

/// A time span: `812ns`, `4.21us`, `12.3ms`, `1.20s`, `2m05`, `3h12`, `4d07`.
pub(super) fn span(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".into();
    }
    let mut value = seconds * 1e9;
    for unit in ["ns", "us", "ms"] {
        if value < 999.5 {
            return format!("{}{unit}", digits(value, unit == "ns"));
        }
        value /= 1000.0;
    }
    if seconds < 99.5 {
        return format!("{}s", digits(seconds, false));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive; as much as fits is a long time"
    )]
    let whole = seconds.round() as u64;
    match whole {
        0..3600 => format!("{}m{:02}", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}", whole / 86_400, whole / 3600 % 24),
    }
}

/// A span in nanoseconds.
pub(super) fn span_ns(ns: u64) -> String {
    span(crate::sample::seconds(ns))
}

/// Three digits; of whole things no decimals from ten on.
fn digits(value: f64, whole: bool) -> String {
    match value {
        _ if whole && (value >= 9.95 || value.fract() == 0.0) => format!("{value:.0}"),
        ..9.995 if !whole => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A bar of `width` characters, filled to a part, in eighths of a character.
pub(super) fn bar(part: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let part = part.clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of a screen's width"
    )]
    let eighths = (part * width as f64 * 8.0).ceil() as usize;
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(EIGHTHS[eighths % 8]);
    }
    text
}

/// The last `width` values as columns, the greatest of them the highest. Nothing is a blank, not a low column.
pub(super) fn sparkline(values: &[f64], width: usize) -> String {
    // The full block would touch the line above.
    const LEVELS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];
    let shown = &values[values.len().saturating_sub(width)..];
    let most = shown.iter().copied().fold(0.0, f64::max);
    let columns = shown.iter().map(|value| {
        if *value <= 0.0 || most <= 0.0 {
            return ' ';
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 7"
        )]
        let level = (value / most * 7.0).ceil() as usize;
        LEVELS[level.clamp(1, LEVELS.len()) - 1]
    });
    format!("{:>width$}", columns.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let numbers = [0.0, 3.25, 12.0, 412.4, 999.4, 1000.0, 1_940_000.0, 5e15];
        let shown = numbers.map(number);
        assert_eq!(
            shown,
            ["-", "3.2", "12", "412", "999", "1.00k", "1.94M", "5000T"]
        );
        let spans = [
            0.0, 8.12e-7, 4.21e-6, 0.0123, 1.2, 125.0, 11_520.0, 370_800.0,
        ];
        let shown = spans.map(span);
        assert_eq!(
            shown,
            [
                "0ns", "812ns", "4.21us", "12.3ms", "1.20s", "2m05", "3h12", "4d07"
            ]
        );
        assert_eq!([span(f64::NAN), span(-1.0)], ["-", "-"]);
        assert_eq!(
            [span(0.999_96), span(9.996), span(99.6)],
            ["1.00s", "10.0s", "1m40"]
        );
    }

    #[test]
    fn bars_and_sparklines_fill_their_width_and_no_more() {
        assert_eq!(
            [bar(0.0, 4), bar(0.5, 4), bar(1.0, 4), bar(7.0, 4)],
            ["", "██", "████", "████"]
        );
        assert_eq!(bar(1e-9, 4), "▏", "something is never shown as nothing");
        assert_eq!(sparkline(&[0.0, 1.0, 8.0], 5), "   ▁▇");
        assert_eq!(sparkline(&[9.0, 1.0, 8.0], 2), "▁▇");
        assert_eq!(sparkline(&[], 3), "   ");
    }
}
