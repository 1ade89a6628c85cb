//! The pipeline over encrypted connections, as with the real venue: against a simulator with a certificate of its own.

use super::{alone, number, signal};
use nix::sys::signal::Signal;
use pipeline::Pipeline;
use processes::venue::{VenueError, kalshi_rest::KalshiRest, signing::Signer, tls::Trust};
use std::path::Path;
use tests::scratch::{Scratch, await_some};

#[test]
fn the_demo_trades_encrypted_and_whoever_trusts_others_is_not_served() {
    let _alone = alone();
    let mut scratch = Scratch::of("demo.toml");
    scratch.pipeline.simulator.as_mut().unwrap().tls = true;
    let launched = scratch.launch(&[]);
    scratch.await_trading();

    let resolved = Pipeline::load(&scratch.pipeline.run_dir.join("pipeline.toml")).unwrap();
    let venue = &resolved.venue;
    for (address, scheme) in [
        (&venue.rest, "https://"),
        (&venue.websocket, "wss://"),
        (&resolved.feed.url, "https://"),
    ] {
        assert!(address.starts_with(scheme), "{address}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ask = |ca_file: &Path| {
        let signer = Signer::load(&venue.key_id, &venue.key_file).unwrap();
        let trust = Trust::load(ca_file).unwrap();
        let rest = KalshiRest::new(&venue.rest, signer, &trust).unwrap();
        runtime.block_on(rest.orders(None))
    };
    // The venue's reads lag behind its writes.
    await_some("orders at the venue", || {
        let listed = ask(&resolved.ca_file).unwrap();
        (!listed.is_empty()).then_some(())
    });
    // Another authority, of the same name.
    let other = scratch.path().join("other.pem");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&other, made.cert.pem()).unwrap();
    let refused = ask(&other).unwrap_err();
    assert!(matches!(refused, VenueError::Transport { .. }), "{refused}");

    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    assert_eq!(
        outcome.status.code(),
        Some(0),
        "{}\n{report:#}",
        outcome.errors
    );
    assert_eq!(report["reconciled"], true);
    assert!(number(&report, "fills") > 0, "{report:#}");
}
