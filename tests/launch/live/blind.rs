//! A venue that trades and does not tell how the account stands: whoever cannot compare does not trade on.

use super::{
    super::{
        alone,
        safety::{await_word, nothing_is_ordered},
        signal,
    },
    world::{KeyKind, World},
};
use layouts::{Mode, control::cause};
use nix::sys::signal::Signal;
use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

/// Somebody on the way to the venue's REST interface who may keep reads of the account from it.
struct Way {
    address: String,
    is_blind: Arc<AtomicBool>,
}

impl Way {
    fn to(venue: &str) -> Self {
        let is_blind = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/trade-api/v2", listener.local_addr().unwrap());
        let host = venue.trim_start_matches("http://");
        let host = host.trim_end_matches("/trade-api/v2").to_owned();
        let blind = Arc::clone(&is_blind);
        // They end with the test.
        thread::spawn(move || {
            for caller in listener.incoming() {
                let (host, blind) = (host.clone(), Arc::clone(&blind));
                thread::spawn(move || pass_on(caller?, &host, &blind));
            }
        });
        Self { address, is_blind }
    }
}

/// Passes all on, but hangs up on who asks for the balance while blind. A question comes in one piece: it is short.
fn pass_on(mut caller: TcpStream, host: &str, is_blind: &AtomicBool) -> io::Result<()> {
    let mut venue = TcpStream::connect(host)?;
    for stream in [&caller, &venue] {
        stream.set_nodelay(true)?;
    }
    let (mut answers, mut asker) = (venue.try_clone()?, caller.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut asker);
        let _ = asker.shutdown(Shutdown::Both);
    });
    let mut question = vec![0; 65_536];
    loop {
        let length = caller.read(&mut question)?;
        let asked = &question[..length];
        let of_balance = asked.windows(18).any(|part| part == b"/portfolio/balance");
        if asked.is_empty() || (of_balance && is_blind.load(Relaxed)) {
            let _ = caller.shutdown(Shutdown::Both);
            return venue.shutdown(Shutdown::Both);
        }
        venue.write_all(asked)?;
    }
}

#[test]
fn an_account_that_cannot_be_looked_at_halts_trading_and_is_looked_at_after_a_death() {
    let _alone = alone();
    let world = World::new(KeyKind::Ed25519, |_| {});
    let mut scratch = world.pipeline();
    let way = Way::to(&world.address("rest"));
    scratch.pipeline.venue.rest.clone_from(&way.address);
    // No look is due by itself before the test is over.
    scratch.pipeline.safety.audit_every_s = 3_600;
    let launched = scratch.launch(&["--live", "--confirm", "demo"]);
    scratch.await_trading();
    way.is_blind.store(true, Relaxed);
    signal(scratch.await_ready("market_discovery"), Signal::SIGKILL);
    await_word(&scratch, Mode::Safe, cause::BOOKS_DIFFER);
    nothing_is_ordered(&scratch);
    way.is_blind.store(false, Relaxed);
    signal(launched.pid(), Signal::SIGINT);
    let outcome = launched.finish();
    let report = scratch.report();
    outcome.ended_with(0);
    assert!(
        report["audits"]["failed"].as_u64() >= Some(10),
        "{report:#}"
    );
    let told = "the account cannot be compared with our books, 10 times in a row";
    assert!(report["safe"].to_string().contains(told), "{report:#}");
    assert!(outcome.errors.contains(told), "{}", outcome.errors);
}
