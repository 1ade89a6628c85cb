//! Request signatures: who we are at the venue.
//!
//! Signed are `timestamp_ms`, the method and the path from the root without its query, joined
//! without separators; the body and the host are not. So one key serves the real venue and a
//! simulator, and a signature for the next moments can be made ahead of its request.

use super::error::VenueError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::{fcntl::OFlag, unistd::geteuid};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

/// Header with the key's id.
pub const KEY_HEADER: &str = "KALSHI-ACCESS-KEY";
/// Header with the time of signing, Unix milliseconds.
pub const TIMESTAMP_HEADER: &str = "KALSHI-ACCESS-TIMESTAMP";
/// Header with the signature, standard base64.
pub const SIGNATURE_HEADER: &str = "KALSHI-ACCESS-SIGNATURE";

/// Signs requests with one private key. Clones share the key.
#[derive(Clone)]
pub struct Signer {
    key_id: String,
    key: Arc<Key>,
}

enum Key {
    Ed25519(Ed25519KeyPair),
    Rsa {
        pair: RsaKeyPair,
        random: SystemRandom,
    },
}

/// The values of the three headers of one signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// For [`KEY_HEADER`].
    pub key_id: String,
    /// For [`TIMESTAMP_HEADER`].
    pub timestamp_ms: String,
    /// For [`SIGNATURE_HEADER`].
    pub signature: String,
}

impl Signature {
    /// Header names with their values.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, &str); 3] {
        [
            (KEY_HEADER, &self.key_id),
            (TIMESTAMP_HEADER, &self.timestamp_ms),
            (SIGNATURE_HEADER, &self.signature),
        ]
    }
}

impl Signer {
    /// Loads the private key from a PKCS#8 PEM file that only its owner may read.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or by others too, or is no key that the venue takes.
    pub fn load(key_id: &str, path: &Path) -> Result<Self, VenueError> {
        let unreadable = |error: std::io::Error| VenueError::KeyUnreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        // Judged is what was opened, whatever stands under that name a moment later; a pipe is not waited for.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        let mode = about.mode() & 0o777;
        let owner = about.uid();
        if !about.is_file() {
            return Err(unreadable(std::io::Error::other("it is no regular file")));
        }
        if mode & 0o077 != 0 {
            return Err(VenueError::KeyExposed {
                path: path.to_owned(),
                mode,
            });
        }
        if owner != 0 && owner != geteuid().as_raw() {
            return Err(VenueError::KeyOfAnother {
                path: path.to_owned(),
                owner,
            });
        }
        let text = std::io::read_to_string(file).map_err(unreadable)?;
        Self::from_pem(key_id, &text)
    }

    /// Takes the private key from PEM text.
    ///
    /// # Errors
    ///
    /// When it is no key that the venue takes; the text is in no error.
    pub fn from_pem(key_id: &str, text: &str) -> Result<Self, VenueError> {
        let invalid = |reason: String| VenueError::KeyInvalid { reason };
        // The parser's own error may quote its input, which is the secret.
        let document = pem::parse(text).map_err(|_| invalid("it is not PEM".into()))?;
        let rsa = |pair| Key::Rsa {
            pair,
            random: SystemRandom::new(),
        };
        let der = document.contents();
        let key = match document.tag() {
            "PRIVATE KEY" => match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                Ok(pair) => Key::Ed25519(pair),
                Err(_) => {
                    rsa(RsaKeyPair::from_pkcs8(der).map_err(|error| invalid(error.to_string()))?)
                }
            },
            // The venue's own web page hands out RSA keys in this older wrapping.
            "RSA PRIVATE KEY" => {
                rsa(RsaKeyPair::from_der(der).map_err(|error| invalid(error.to_string()))?)
            }
            other => return Err(invalid(format!("it is a `{other}`"))),
        };
        Ok(Self {
            key_id: key_id.to_owned(),
            key: Arc::new(key),
        })
    }

    /// The public key: 32 bytes for Ed25519, a DER `RSAPublicKey` for RSA.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match &*self.key {
            Key::Ed25519(pair) => pair.public_key().as_ref(),
            Key::Rsa { pair, .. } => pair.public_key().as_ref(),
        }
    }

    /// Signs `method` on `path` (from the root; a query is cut off) at a moment.
    ///
    /// # Errors
    ///
    /// When the library cannot sign with this key.
    pub fn sign(&self, method: &str, path: &str, unix_ms: u64) -> Result<Signature, VenueError> {
        let timestamp_ms = unix_ms.to_string();
        let path = path.split('?').next().unwrap_or(path);
        let message = format!("{timestamp_ms}{method}{path}");
        let signature = match &*self.key {
            Key::Ed25519(pair) => STANDARD.encode(pair.sign(message.as_bytes())),
            Key::Rsa { pair, random } => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PSS_SHA256, random, message.as_bytes(), &mut signature)
                    .map_err(|_| VenueError::KeyInvalid {
                        reason: "signing failed".into(),
                    })?;
                STANDARD.encode(signature)
            }
        };
        Ok(Signature {
            key_id: self.key_id.clone(),
            timestamp_ms,
            signature,
        })
    }

    /// Signs `method` on `path` now.
    ///
    /// # Errors
    ///
    /// As [`Signer::sign`].
    pub fn sign_now(&self, method: &str, path: &str) -> Result<Signature, VenueError> {
        let unix = jiff::Timestamp::now().as_millisecond();
        self.sign(method, path, u64::try_from(unix).unwrap_or(0))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A signer with a fresh Ed25519 key, for tests of what signs.
#[cfg(test)]
pub(crate) fn test_signer() -> Signer {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("generates");
    let text = pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref()));
    Signer::from_pem("test-key", &text).expect("a key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ED25519, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    fn ed25519_pem() -> String {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("generates");
        pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref()))
    }

    #[test]
    fn an_ed25519_signature_covers_time_method_and_path_without_query() {
        let signer = Signer::from_pem("id", &ed25519_pem()).expect("a key");
        let signed = signer
            .sign(
                "GET",
                "/trade-api/v2/portfolio/fills?limit=5",
                1_700_000_000_123,
            )
            .expect("signs");
        assert_eq!(signed.headers()[0], (KEY_HEADER, "id"));
        assert_eq!(signed.timestamp_ms, "1700000000123");
        let bytes = STANDARD.decode(&signed.signature).expect("base64");
        UnparsedPublicKey::new(&ED25519, signer.public_key())
            .verify(b"1700000000123GET/trade-api/v2/portfolio/fills", &bytes)
            .expect("verifies");
    }

    #[test]
    fn an_rsa_key_signs_with_pss_in_either_wrapping() {
        for (tool, tag) in [
            (
                &[
                    "genpkey",
                    "-algorithm",
                    "RSA",
                    "-pkeyopt",
                    "rsa_keygen_bits:2048",
                ][..],
                "BEGIN PRIVATE KEY",
            ),
            (
                &["genrsa", "-traditional", "2048"][..],
                "BEGIN RSA PRIVATE KEY",
            ),
        ] {
            let Ok(made) = Command::new("openssl").args(tool).output() else {
                eprintln!("skipped: openssl is not installed");
                return;
            };
            let text = String::from_utf8(made.stdout).expect("PEM");
            assert!(text.contains(tag), "{tag}");
            let signer = Signer::from_pem("id", &text).expect("a key");
            let signed = signer.sign("POST", "/x", 7).expect("signs");
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, signer.public_key())
                .verify(
                    b"7POST/x",
                    &STANDARD.decode(signed.signature).expect("base64"),
                )
                .expect("verifies");
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("key.pem");
        std::fs::write(&path, ed25519_pem()).expect("writes");
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
            match Signer::load("id", &path) {
                Ok(_) => assert!(good, "{mode:o}"),
                Err(error) => {
                    assert!(!good, "{mode:o}: {error}");
                    assert!(
                        error
                            .to_string()
                            .contains(&format!("chmod 600 {}", path.display())),
                        "{error}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_file_of_ours_is_no_key() {
        let folder = tempfile::tempdir().expect("tempdir");
        let path = folder.path().join("key.pem");
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&path, mode).expect("a pipe");
        let error = Signer::load("id", &path).expect_err("refused").to_string();
        assert!(error.contains("no regular file"), "{error}");
        std::fs::remove_file(&path).expect("removes");
        std::fs::write(&path, ed25519_pem()).expect("writes");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        assert!(Signer::load("id", &path).is_ok());
        if std::os::unix::fs::chown(&path, Some(4_711), None).is_err() {
            return eprintln!("skipped: only root may give a file away");
        }
        let error = Signer::load("id", &path).expect_err("refused").to_string();
        assert!(error.contains("4711") && error.contains("chown"), "{error}");
    }

    #[test]
    fn a_broken_key_is_refused_without_showing_it() {
        for text in [
            "",
            "hello",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
        ] {
            let error = Signer::from_pem("id", text)
                .expect_err("refused")
                .to_string();
            assert!(
                !error.contains("c2VjcmV0") && error.contains("PKCS#8"),
                "{error}"
            );
        }
        let signer = Signer::from_pem("id", &ed25519_pem()).expect("a key");
        assert_eq!(format!("{signer:?}"), "Signer { key_id: \"id\", .. }");
    }
}
