//! Whom we believe at the other end of an encrypted connection.

use super::error::VenueError;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{path::Path, sync::Arc};

/// The certificate authorities that vouch for the venue and the feed.
#[derive(Debug, Clone)]
pub struct Trust {
    authorities: Arc<RootCertStore>,
}

impl Trust {
    /// The authorities in a PEM file, and nobody else; for an empty path those of the host.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or names no authority.
    pub fn load(ca_file: &Path) -> Result<Self, VenueError> {
        let mut authorities = RootCertStore::empty();
        if ca_file.as_os_str().is_empty() {
            // Whatever of them cannot be read vouches for nobody; whether any is needed is asked in `admit`.
            let found = rustls_native_certs::load_native_certs().certs;
            authorities.add_parsable_certificates(found);
            return Ok(Self::of(authorities));
        }
        let unusable = |reason: String| VenueError::Authorities {
            path: ca_file.to_owned(),
            reason,
        };
        let read = CertificateDer::pem_file_iter(ca_file);
        for certificate in read.map_err(|error| unusable(error.to_string()))? {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            let added = authorities.add(certificate);
            added.map_err(|error| unusable(error.to_string()))?;
        }
        if authorities.is_empty() {
            return Err(unusable("there is no certificate in it".into()));
        }
        Ok(Self::of(authorities))
    }

    /// Nobody: only connections that are not encrypted come about.
    #[must_use]
    pub fn none() -> Self {
        Self::of(RootCertStore::empty())
    }

    fn of(authorities: RootCertStore) -> Self {
        Self {
            authorities: Arc::new(authorities),
        }
    }

    /// A client for HTTP at `address`, past any proxy of the environment.
    ///
    /// # Errors
    ///
    /// When the address asks for encryption and nobody could vouch for the other end.
    pub fn http(&self, address: &str) -> Result<reqwest::ClientBuilder, VenueError> {
        let config = self.client(address)?;
        Ok(reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(config))
    }

    /// What any client needs to reach `address`; errors as of [`Trust::http`].
    pub(crate) fn client(&self, address: &str) -> Result<ClientConfig, VenueError> {
        let encrypted = ["https:", "wss:"].iter().any(|scheme| {
            let start = address.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let unusable = |reason: String| VenueError::Address {
            address: address.to_owned(),
            reason,
        };
        if encrypted && self.authorities.is_empty() {
            return Err(unusable(
                "no certificate authority is known that could vouch for it\n  fix: apt-get install ca-certificates, or name a PEM file with `ca_file` in the pipeline file".into(),
            ));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(builder
            .with_root_certificates(Arc::clone(&self.authorities))
            .with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_is_read_or_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let error = Trust::load(&path).unwrap_err().to_string();
        assert!(
            error.contains("ca.pem") && error.contains("ca_file"),
            "{error}"
        );
        std::fs::write(&path, "no certificate\n").unwrap();
        assert!(Trust::load(&path).is_err());
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&path, made.cert.pem()).unwrap();
        assert_eq!(Trust::load(&path).unwrap().authorities.len(), 1);
    }

    #[test]
    fn nobody_vouches_for_an_encrypted_address_without_authorities() {
        let trust = Trust::none();
        for address in ["https://venue.example", "WSS://venue.example"] {
            let error = trust.client(address).unwrap_err().to_string();
            assert!(error.contains("ca-certificates"), "{error}");
        }
        assert!(trust.client("http://127.0.0.1:1").is_ok());
    }
}
