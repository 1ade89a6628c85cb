//! Who is calling: the signature check of every signed request and of the WebSocket upgrade.

use super::answer::Answer;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
};

/// How far a request's time stamp may lie from ours. The venue was seen to take 5 s and to refuse 30 s;
/// where between them it begins to refuse is not known, so nobody may count on more than 5 s. The
/// signed time is that of the client, and the call takes its way: `SLACK_MS` keeps 5 s a good answer.
const SKEW_MS: i64 = 5_000 + SLACK_MS;
/// The way of a call, at the most.
const SLACK_MS: i64 = 500;

/// The one key that the simulator trusts.
#[derive(Debug)]
pub(crate) struct Verifier {
    key_id: String,
    key: PublicKey,
}

#[derive(Debug)]
enum PublicKey {
    Ed25519(Vec<u8>),
    RsaPss(Vec<u8>),
}

/// Why a key file is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// Not a PEM file.
    #[error("the key is not PEM: {0}")]
    Pem(#[from] pem::PemError),
    /// Neither kind of key that the venue takes.
    #[error("the key is neither Ed25519 nor RSA of at least 2048 bits, PKCS#8")]
    Kind,
}

/// The headers that a signed request has, all three.
const HEADERS: [&str; 3] = [
    "KALSHI-ACCESS-KEY",
    "KALSHI-ACCESS-TIMESTAMP",
    "KALSHI-ACCESS-SIGNATURE",
];

/// Whether a request claims to be signed, if badly.
pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
    HEADERS.iter().any(|name| headers.contains_key(*name))
}

impl Verifier {
    /// Trusts the public half of a PKCS#8 PEM private key, Ed25519 or RSA.
    pub(crate) fn from_private_pem(key_id: &str, text: &str) -> Result<Self, KeyError> {
        let document = pem::parse(text)?;
        let contents = document.contents();
        let key = if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(contents) {
            PublicKey::Ed25519(pair.public_key().as_ref().to_vec())
        } else {
            let pair = RsaKeyPair::from_pkcs8(contents)
                .or_else(|_| RsaKeyPair::from_der(contents))
                .map_err(|_| KeyError::Kind)?;
            PublicKey::RsaPss(pair.public_key().as_ref().to_vec())
        };
        Ok(Self {
            key_id: key_id.to_string(),
            key,
        })
    }

    /// Checks the three headers of a request. `path` is the whole path without the query.
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        method: &str,
        path: &str,
        now_ms: i64,
    ) -> Result<(), Answer> {
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .filter(|value| !value.is_empty())
        };
        let [Some(key_id), Some(stamp), Some(signature)] = HEADERS.map(header) else {
            return Err(Answer::fault(
                401,
                "signature_is_missing_from_headers",
                "signature is missing from headers",
                None,
            ));
        };
        if key_id != self.key_id {
            return Err(Answer::fault(
                401,
                "authentication_error",
                "authentication_error",
                Some("NOT_FOUND"),
            ));
        }
        let fresh = stamp
            .parse::<i64>()
            .is_ok_and(|stamp| stamp.abs_diff(now_ms) <= SKEW_MS.unsigned_abs());
        if !fresh {
            return Err(Answer::fault(
                401,
                "header_timestamp_expired",
                "header timestamp expired",
                None,
            ));
        }
        let signed = format!("{stamp}{method}{path}");
        let valid = STANDARD
            .decode(signature)
            .is_ok_and(|bytes| self.verifies(signed.as_bytes(), &bytes));
        if valid {
            Ok(())
        } else {
            Err(Answer::fault(
                401,
                "authentication_error",
                "authentication_error",
                Some("INCORRECT_API_KEY_SIGNATURE"),
            ))
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            PublicKey::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            PublicKey::RsaPss(key) => {
                UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key).verify(message, signature)
            }
        }
        .is_ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use axum::http::HeaderValue;

    /// A fresh Ed25519 key: the pair that signs and the PEM text that the simulator reads.
    pub(crate) fn fresh_key() -> (Ed25519KeyPair, String) {
        let document =
            Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("key");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("pair");
        (
            pair,
            pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref())),
        )
    }

    pub(crate) fn signed_headers(
        pair: &Ed25519KeyPair,
        key_id: &str,
        stamp_ms: i64,
        method: &str,
        path: &str,
    ) -> HeaderMap {
        let signature = STANDARD.encode(pair.sign(format!("{stamp_ms}{method}{path}").as_bytes()));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("kalshi-access-key", key_id.to_string()),
            ("kalshi-access-timestamp", stamp_ms.to_string()),
            ("kalshi-access-signature", signature),
        ] {
            headers.insert(name, HeaderValue::from_str(&value).expect("header"));
        }
        headers
    }

    const PATH: &str = "/trade-api/v2/portfolio/balance";

    fn refusal(result: Result<(), Answer>) -> String {
        result
            .err()
            .map(|answer| {
                assert_eq!(answer.status, 401);
                answer.body
            })
            .unwrap_or_default()
    }

    #[test]
    fn the_four_refusals_are_the_venues_own_words() {
        let (pair, pem) = fresh_key();
        let verifier = Verifier::from_private_pem("us", &pem).expect("verifier");
        let now = 1_781_159_348_000;
        let good = signed_headers(&pair, "us", now, "GET", PATH);
        assert!(verifier.check(&good, "GET", PATH, now).is_ok());
        for skew in [-5_000, 5_000] {
            assert!(verifier.check(&good, "GET", PATH, now + skew).is_ok());
        }
        let wrong = r#"{"error":{"code":"authentication_error","message":"authentication_error","details":"INCORRECT_API_KEY_SIGNATURE"}}"#;
        assert_eq!(refusal(verifier.check(&good, "POST", PATH, now)), wrong);
        assert_eq!(
            refusal(verifier.check(&good, "GET", "/trade-api/v2/portfolio/fills", now)),
            wrong
        );
        let unknown = signed_headers(&pair, "them", now, "GET", PATH);
        assert_eq!(
            refusal(verifier.check(&unknown, "GET", PATH, now)),
            r#"{"error":{"code":"authentication_error","message":"authentication_error","details":"NOT_FOUND"}}"#
        );
        let mut missing = good.clone();
        missing.remove("kalshi-access-signature");
        assert_eq!(
            refusal(verifier.check(&missing, "GET", PATH, now)),
            r#"{"error":{"code":"signature_is_missing_from_headers","message":"signature is missing from headers"}}"#
        );
        for skew in [-30_000, -6_000, 6_000, 30_000, 300_000] {
            assert_eq!(
                refusal(verifier.check(&good, "GET", PATH, now + skew)),
                r#"{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}"#
            );
        }
    }

    #[test]
    fn nonsense_is_refused_without_a_panic() {
        let (_, pem) = fresh_key();
        let verifier = Verifier::from_private_pem("us", &pem).expect("verifier");
        let mut headers = HeaderMap::new();
        headers.insert("kalshi-access-key", HeaderValue::from_static("us"));
        headers.insert("kalshi-access-signature", HeaderValue::from_static("***"));
        for stamp in ["", "-9223372036854775808", "now", "99999999999999999999999"] {
            headers.insert(
                "kalshi-access-timestamp",
                HeaderValue::from_str(stamp).expect("header"),
            );
            assert!(verifier.check(&headers, "GET", PATH, 0).is_err());
        }
        assert!(Verifier::from_private_pem("us", "not a key").is_err());
    }
}
