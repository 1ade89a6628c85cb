//! What makes one launch this launch: its run id, and its key at a simulated venue.

use crate::runtime::Failure;
use pipeline::Pipeline;
use ring::{rand::SystemRandom, signature::Ed25519KeyPair};
use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt};

/// Gives the pipeline a fresh run id and, where a simulator stands in for the venue, a fresh key.
///
/// # Errors
///
/// When the key cannot be generated or written.
pub(super) fn assume(pipeline: &mut Pipeline) -> Result<(), Failure> {
    let uuid = uuid::Uuid::new_v4();
    pipeline.run_id = uuid.simple().to_string()[..16].to_owned();
    if pipeline.simulator.is_none() {
        return Ok(());
    }
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| Failure::other("cannot generate a key"))?;
    let text = pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref()));
    let path = pipeline.run_dir.join("venue.key");
    // A leftover might have wider rights than the mode below would give a new file.
    let _ = std::fs::remove_file(&path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::io(format!("write `{}`", path.display()), error))?;
    pipeline.venue.key_id = uuid::Uuid::new_v4().to_string();
    pipeline.venue.key_file = path;
    Ok(())
}
