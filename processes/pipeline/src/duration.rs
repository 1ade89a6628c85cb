//! Times on command lines.

use std::time::Duration;

/// Longest time: ten years. Beyond some 292 of them clocks cannot tell when it is over.
const LONGEST: Duration = Duration::from_secs(10 * 8_760 * 3_600);

/// Parses `30s`, `5m`, `1h30m`; a bare number is seconds.
///
/// # Errors
///
/// When it is no time, none above zero, or none that anybody lives to see: what would be one, in words.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{text}s")
    } else {
        text.to_owned()
    };
    let parsed: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "expected a time such as 30s, 5m or 1h30m".to_owned())?;
    let duration = Duration::try_from(parsed)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or("expected a time above zero")?;
    if duration > LONGEST {
        return Err("expected a time of at most ten years, 87600h".into());
    }
    Ok(duration)
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
        assert_eq!(duration("87600h"), Ok(LONGEST));
        for bad in ["87600h1s", "9223372036854775807s"] {
            assert!(duration(bad).unwrap_err().contains("ten years"), "{bad}");
        }
    }
}
