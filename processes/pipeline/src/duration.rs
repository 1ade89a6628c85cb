//! Times on command lines.

use std::time::Duration;

/// Parses `30s`, `5m`, `1h30m`; a bare number is seconds.
///
/// # Errors
///
/// When it is no time, or none above zero: what would be one, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{text}s")
    } else {
        text.to_owned()
    };
    let parsed: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "expected a time such as 30s, 5m or 1h30m".to_owned())?;
    Duration::try_from(parsed)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a time above zero".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_or_are_seconds() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "0s", "-5s", "soon", "5 parsecs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
