//! The servers' certificate, made at the start: its key is in memory only, and it vouches for itself.

use crate::runtime::Failure;
use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{fs, net::Ipv4Addr, path::Path, sync::Arc};

/// Makes a certificate for this host's loopback, writes it as PEM to `authority`, and returns what a server with it needs.
pub(super) fn certify(authority: &Path) -> Result<RustlsConfig, Failure> {
    let made = rcgen::generate_simple_self_signed([Ipv4Addr::LOCALHOST.to_string()])
        .map_err(Failure::other)?;
    fs::write(authority, made.cert.pem())
        .map_err(|error| Failure::io(format!("write `{}`", authority.display()), error))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
        })
        .map_err(Failure::other)?;
    Ok(RustlsConfig::from_config(Arc::new(config)))
}
