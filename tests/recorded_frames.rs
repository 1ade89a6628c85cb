//! A recorded session of the venue, served verbatim over a real socket to the real `kalshi_monitor`:
//! after the last frame every book equals the one that an independent script computes.

use ipc::{BoardOptions, BoardReader, Kind, RingOptions, create_board, create_ring};
use layouts::PriceUpdate;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use processes::{
    cold::redis::Cold,
    discovery::{Discovery, Market},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};
use tests::{
    programs::program,
    recorded::recorded,
    scratch::{Scratch, await_some},
};

/// A child that does not outlive its test.
struct Guard(Child);

impl Guard {
    fn terminate(&mut self) -> bool {
        kill(
            Pid::from_raw(i32::try_from(self.0.id()).unwrap()),
            Signal::SIGTERM,
        )
        .unwrap();
        self.0.wait().unwrap().success()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the recording holds: its tickers in order, and the last book change (ticker, venue time in us).
fn survey(frames: &Path) -> (Vec<String>, (String, u64)) {
    let (mut tickers, mut last) = (BTreeSet::new(), None);
    for line in fs::read_to_string(frames)
        .unwrap()
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        let frame: Value = serde_json::from_str(line).unwrap();
        let Some(ticker) = frame["msg"]["market_ticker"].as_str() else {
            continue;
        };
        match frame["type"].as_str() {
            Some("orderbook_delta") => {
                last = Some((
                    ticker.to_owned(),
                    frame["msg"]["ts_ms"].as_u64().unwrap() * 1000,
                ))
            }
            Some("orderbook_snapshot") => {}
            _ => continue,
        }
        tickers.insert(ticker.to_owned());
    }
    (tickers.into_iter().collect(), last.unwrap())
}

fn redis(scratch: &mut Scratch) -> Guard {
    let socket = scratch.path().join("redis.sock");
    let server = Command::new("redis-server")
        .args([
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "no",
            "--unixsocket",
        ])
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed by scripts/test");
    scratch.pipeline.redis.url = format!("redis+unix://{}", socket.display());
    await_some("redis-server", || socket.exists().then_some(()));
    Guard(server)
}

fn announce(scratch: &Scratch, tickers: &[String]) {
    let cold = Cold::connect(&scratch.pipeline.redis.url, &scratch.pipeline.name);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (market, ticker) in (1..).zip(tickers) {
        let market = Market {
            market,
            ticker: ticker.clone(),
            event_ticker: "EVENT".into(),
            game: 1,
            shard: u8::from(market % 2 == 0),
            team: 0,
            sport: 0,
            fee_rate_e4: 700,
            tick_e4: 100,
            exchange_index: Some(0),
        };
        runtime
            .block_on(cold.announce(&Discovery::Market(market)))
            .unwrap();
    }
}

fn lay_out(scratch: &Scratch) {
    let pipeline = &scratch.pipeline;
    fs::create_dir_all(pipeline.ring_dir()).unwrap();
    fs::create_dir_all(&pipeline.run_dir).unwrap();
    let options = RingOptions {
        kind: Kind::LatestWins,
        capacity: 4096,
        ..RingOptions::default()
    };
    for link in ["prices.0", "prices.1"] {
        create_ring::<PriceUpdate>(&pipeline.ring_path(link), options).unwrap();
    }
    create_board::<PriceUpdate>(
        &pipeline.board_path("prices"),
        BoardOptions {
            rows: 1024,
            ..BoardOptions::default()
        },
    )
    .unwrap();
}

/// The recording's server, and its address.
fn serve(frames: &Path) -> (Guard, String) {
    let mut server = Command::new(program("simulator"));
    server.arg("--frames").arg(frames).stdout(Stdio::piped());
    let mut server = Guard(server.spawn().unwrap());
    let mut address = String::new();
    BufReader::new(server.0.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    (server, address.trim().to_owned())
}

fn key(scratch: &mut Scratch) {
    use std::os::unix::fs::OpenOptionsExt;
    // The Ed25519 test key of RFC 8410, section 10.3.
    let text = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    let path = scratch.path().join("key.pem");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    scratch.pipeline.venue.key_file = path;
    scratch.pipeline.venue.key_id = "00000000-0000-0000-0000-000000000001".into();
}

/// The real program, which writes its books to `books` at its end.
fn start_monitor(scratch: &Scratch, books: &Path) -> Guard {
    let file = scratch.path().join("pipeline.toml");
    fs::write(&file, toml::to_string(&scratch.pipeline).unwrap()).unwrap();
    let mut monitor = Command::new(program("kalshi_monitor"));
    monitor
        .arg("--pipeline")
        .arg(&file)
        .args(["--name", "kalshi_monitor"])
        .env("ARBEES_BOOKS", books);
    Guard(monitor.spawn().unwrap())
}

#[test]
fn after_the_last_recorded_frame_every_book_equals_the_independent_one() {
    let Some(frames) = recorded("kalshi_ws/jfreun123_demo_session_2026-07-01.raw.jsonl") else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("books_from_frames.py");
    let independent = Command::new("python3")
        .arg(script)
        .arg(&frames)
        .output()
        .expect("python3 is installed by scripts/test");
    assert!(
        independent.status.success(),
        "{}",
        String::from_utf8_lossy(&independent.stderr)
    );
    let expected: Value = serde_json::from_slice(&independent.stdout).unwrap();
    let (tickers, (last_ticker, last_us)) = survey(&frames);

    let mut scratch = Scratch::of("demo.toml");
    for process in &mut scratch.pipeline.processes {
        process.core = None;
    }
    let _redis = redis(&mut scratch);
    key(&mut scratch);
    lay_out(&scratch);
    announce(&scratch, &tickers);
    let (mut server, address) = serve(&frames);
    scratch.pipeline.venue.websocket = address;
    // Nobody lists these markets, so none of them is traded; their books are kept all the same.
    scratch.pipeline.venue.rest = "http://127.0.0.1:9/trade-api/v2".into();
    // Nobody simulates a venue here: nobody is to wait for its addresses.
    scratch.pipeline.simulator = None;
    let books = scratch.path().join("books.json");
    let mut monitor = start_monitor(&scratch, &books);

    // The last frame of this recording changes the best price of its market, so the board tells when
    // it has been applied.
    let board = BoardReader::<PriceUpdate>::open(&scratch.pipeline.board_path("prices")).unwrap();
    let row = u32::try_from(
        tickers
            .iter()
            .position(|ticker| *ticker == last_ticker)
            .unwrap(),
    )
    .unwrap()
        + 1;
    await_some("the last frame to be applied", || {
        board
            .read(row)
            .ok()
            .flatten()
            .filter(|row| row.value.venue_unix_us == last_us)
    });
    assert!(monitor.terminate(), "kalshi_monitor stops in order");
    assert!(server.terminate(), "the server stops in order");

    let ours: Value = serde_json::from_str(&fs::read_to_string(&books).unwrap()).unwrap();
    assert_eq!(expected.as_object().unwrap().len(), 5);
    assert_eq!(ours, expected);
    let report =
        fs::read_to_string(scratch.pipeline.run_dir.join("kalshi_monitor.report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["deltas"], &report["gaps"], &report["malformed"]),
        (&2885.into(), &0.into(), &0.into()),
        "{report:#}"
    );
}
