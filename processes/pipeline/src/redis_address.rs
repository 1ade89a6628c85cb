//! The address of a Redis server, as it may be shown: without what only its owner is to know.

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// The address without user and password, wherever it is printed, logged or told. What is no address is treated alike: a
/// typing mistake must not print a password.
#[must_use]
pub fn shown(address: &str) -> String {
    // A `?` before the last `@` belongs to a password.
    let (address, query) = match address.rsplit_once('?') {
        Some((address, query)) if !query.contains('@') => (address, Some(query)),
        _ => (address, None),
    };
    // A password may hold any sign, so everything before the last `@` is taken for one.
    let (scheme, rest) = match address.split_once("//") {
        Some((scheme, rest)) => (format!("{scheme}//"), rest),
        None => (String::new(), address),
    };
    let place = rest.rsplit_once('@').map(|(_, place)| place);
    let mut shown = place.map_or_else(
        || format!("{scheme}{rest}"),
        |place| format!("{scheme}{HIDDEN}@{place}"),
    );
    if let Some(query) = query {
        // As in unix:///PATH?user=NAME&pass=WORD&db=1.
        let parts = query.split('&').map(|part| match part.split_once('=') {
            Some((name @ ("db" | "protocol"), value)) => format!("{name}={value}"),
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        });
        shown = format!("{shown}?{}", parts.collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_shows_its_password() {
        for (address, expected) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("redis+unix:///run/r.sock", "redis+unix:///run/r.sock"),
            ("", ""),
            ("redis://:s3cr3t@host:1/2", "redis://***@host:1/2"),
            ("rediss://me:s3cr3t@host", "rediss://***@host"),
            ("redis://:s3@cr3t@host", "redis://***@host"),
            ("redis://:s3/cr3t//x@host", "redis://***@host"),
            ("unix:///r?db=1&pass=s3cr3t", "unix:///r?db=1&pass=***"),
            ("redis://:s3?cr3t@host?db=1", "redis://***@host?db=1"),
            ("me:s3cr3t@host", "***@host"),
        ] {
            assert_eq!(shown(address), expected);
        }
    }
}
