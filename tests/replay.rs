//! A run of the demo, recorded by `shm-inspect record` and replayed to the real stages.

use bytemuck::{Zeroable as _, bytes_of};
use layouts::{Control, GameState, MarketStatus, Phase, PriceUpdate, Sport, game::NO_PROBABILITY};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};
use tests::{
    programs::program,
    scratch::{Scratch, await_some},
};

/// Bytes of an entry's head: see `processes/inspector/src/recording/mod.rs`.
const HEAD: usize = 24;
/// Orders that may be open in the recorded run.
const MOST_OPEN: u32 = 4;

fn inspect() -> Command {
    let mut command = Command::new(program("shm-inspect"));
    command.stdin(Stdio::null());
    command
}

/// One run for all tests, recorded from its first message to its end.
fn recording() -> &'static Path {
    static RECORDING: OnceLock<PathBuf> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo.rec");
        let _ = fs::remove_file(&file);
        let mut scratch = Scratch::of("demo.toml");
        // So few that orders end where their acknowledgements do not fit them.
        scratch.pipeline.limits.max_open_orders = MOST_OPEN;
        let launched = scratch.launch(&["--for", "8s"]);
        let resolved = scratch.pipeline.run_dir.join("pipeline.toml");
        scratch.await_ready("kalshi_monitor");
        let recorder = inspect()
            .args(["record", "--json", "--rings"])
            .arg(&scratch.pipeline.rings)
            .arg("--pipeline")
            .arg(&resolved)
            .arg("--out")
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let outcome = launched.finish();
        outcome.ended_with(0);
        let recorded = recorder.wait_with_output().unwrap();
        assert_eq!(recorded.status.code(), Some(0), "nothing is lost");
        let told: Value = serde_json::from_slice(&recorded.stdout).unwrap();
        assert_eq!(told["ended"], "the pipeline has ended");
        // Read from the first message on, nothing lost: as many as the rings say that there were.
        let report = scratch.report();
        for ring in told["rings"].as_array().unwrap() {
            let rings = report["rings"].as_array().unwrap();
            let reported = rings.iter().find(|it| it["name"] == ring["name"]).unwrap();
            assert_eq!(ring["messages"], reported["published"], "{ring}");
        }
        file
    })
}

fn replay(file: &Path, place: &Path) -> (Output, Value) {
    let replay = inspect()
        .args(["replay", "--json", "--rings"])
        .args([place, file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    finish(replay)
}

fn finish(replay: Child) -> (Output, Value) {
    let output = replay.wait_with_output().unwrap();
    let told = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output, told)
}

/// Name, number of messages and hash of each ring of the result.
fn sums(told: &Value) -> Vec<(String, u64, String)> {
    let rings = told["rings"].as_array().unwrap();
    let sum = |ring: &Value| {
        let text = |field: &str| ring[field].as_str().unwrap().to_owned();
        (
            text("name"),
            ring["messages"].as_u64().unwrap(),
            text("sha256"),
        )
    };
    rings.iter().map(sum).collect()
}

fn is_tidy(scratch: &Scratch) -> bool {
    let entries = fs::read_dir(scratch.path()).unwrap();
    entries.count() == 0 && scratch.processes().is_empty()
}

#[test]
fn a_recording_gives_the_same_signals_and_orders_each_time() {
    let scratch = Scratch::of("demo.toml");
    let (first, told) = replay(recording(), scratch.path());
    assert_eq!(first.status.code(), Some(0), "{told:#}");
    let once = sums(&told);
    let names: Vec<&str> = once.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["signals.0", "signals.1", "orders"]);
    for (name, messages, _) in &once {
        assert!(*messages > 0, "{name} in {told:#}");
    }
    for _ in 0..2 {
        let (again, told) = replay(recording(), scratch.path());
        assert_eq!((again.status.code(), sums(&told)), (Some(0), once.clone()));
    }
    assert!(is_tidy(&scratch), "nothing is left behind");
}

/// Of the message that caused the first signal, the last bit of the time that the signal carries on.
#[test]
fn a_changed_byte_of_an_input_changes_what_comes_of_it() {
    let scratch = Scratch::of("demo.toml");
    let (_, told) = replay(recording(), scratch.path());
    let mut bytes = fs::read(recording()).unwrap();
    let at = cause_of_the_first_signal(&bytes);
    bytes[at] ^= 1;
    let place = tempfile::tempdir().unwrap();
    let changed = place.path().join("changed.rec");
    fs::write(&changed, bytes).unwrap();
    let (output, changed) = replay(&changed, scratch.path());
    assert_eq!(output.status.code(), Some(0));
    let (before, after) = (sums(&told), sums(&changed));
    let differ = |(one, other): (&(String, u64, String), &(String, u64, String))| one.2 != other.2;
    assert!(before.iter().zip(&after).any(differ), "{before:?}");
}

/// Where the body of that message begins.
fn cause_of_the_first_signal(bytes: &[u8]) -> usize {
    let entries = entries(bytes);
    let signal = entries
        .iter()
        .find(|entry| entry.ring.starts_with("signals."));
    let signal = signal.expect("a signal was recorded");
    // `layouts::signal::signal_id`: shard, input, sequence, kind, leg.
    let id = u64::from_le_bytes(
        bytes[signal.body + 16..signal.body + 24]
            .try_into()
            .unwrap(),
    );
    let kind = if id >> 55 & 1 == 1 { "games" } else { "prices" };
    let ring = format!("{kind}.{}", id >> 56);
    let sequence = id >> 2 & ((1 << 53) - 1);
    let mut causes = entries.iter().filter(|entry| entry.ring == ring);
    let cause = causes.find(|entry| entry.number == sequence);
    cause.expect("the cause was recorded too").body
}

struct Entry {
    ring: String,
    number: u64,
    body: usize,
}

/// The messages of a recording.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    of_kind(bytes, 1)
}

/// The last that the launcher said, as an entry: that trading may begin came while the recorder looked.
fn last_word(bytes: &[u8]) -> Vec<u8> {
    let mut rows = of_kind(bytes, 3).into_iter();
    let word = rows.rfind(|row| row.ring == pipeline::CONTROL).unwrap();
    bytes[word.body - HEAD..word.body + size_of::<Control>()].to_owned()
}

/// The entries of a kind, by a recording's documented format.
fn of_kind(bytes: &[u8], kind: u8) -> Vec<Entry> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 16 + header_length(bytes);
    let header: Value = serde_json::from_slice(&bytes[16..at]).unwrap();
    let mut entries = Vec::new();
    while at < bytes.len() {
        let segment = usize::from(bytes[at + 2]);
        let name = header["segments"][segment]["name"].as_str().unwrap();
        if bytes[at] == kind {
            entries.push(Entry {
                ring: name.to_owned(),
                number: u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap()),
                body: at + HEAD,
            });
        }
        at += HEAD + word(at + 4);
    }
    entries
}

#[test]
fn a_recording_cut_in_the_middle_of_a_message_is_played_up_to_there() {
    let scratch = Scratch::of("demo.toml");
    let bytes = fs::read(recording()).unwrap();
    let entries = entries(&bytes);
    let middle = &entries[entries.len() / 2];
    let place = tempfile::tempdir().unwrap();
    let cut = place.path().join("cut.rec");
    fs::write(&cut, &bytes[..middle.body + 5]).unwrap();
    let (output, told) = replay(&cut, scratch.path());
    assert_eq!(output.status.code(), Some(1), "{told:#}");
    assert_eq!(told["ending"], "cut off 29 bytes into an entry");
    let inputs = |entry: &&Entry| {
        let ring = entry.ring.split('.').next().unwrap_or_default();
        ["prices", "games", "acks"].contains(&ring)
    };
    let expected = entries[..entries.len() / 2].iter().filter(inputs).count();
    assert_eq!(told["messages"], expected);
    assert!(is_tidy(&scratch), "nothing is left behind");
}

/// Sequence numbers go on through a gap, and with them the identities of signals and orders: else no
/// acknowledgement would fit its order, and no order would be made once so many are open.
#[test]
fn what_comes_behind_a_gap_keeps_its_identity() {
    let scratch = Scratch::of("demo.toml");
    let mut bytes = fs::read(recording()).unwrap();
    let all = entries(&bytes);
    let mut firsts: Vec<usize> = ["prices.0", "prices.1"]
        .iter()
        .map(|ring| all.iter().find(|entry| entry.ring == *ring).unwrap().body)
        .collect();
    firsts.sort_unstable();
    for body in firsts.into_iter().rev() {
        // A gap of one message, in place of a message.
        bytes[body - HEAD] = 2;
        bytes[body - HEAD + 4] = 8;
        bytes.splice(body..body + size_of::<PriceUpdate>(), 1_u64.to_le_bytes());
    }
    let place = tempfile::tempdir().unwrap();
    let gaps = place.path().join("gaps.rec");
    fs::write(&gaps, bytes).unwrap();
    let (output, told) = replay(&gaps, scratch.path());
    assert_eq!(output.status.code(), Some(1), "{told:#}");
    assert_eq!(
        (&told["lost"], &told["ending"]),
        (&2.into(), &"complete".into())
    );
    let orders = &sums(&told)[2];
    assert!(orders.1 > u64::from(MOST_OPEN), "{told:#}");
    assert_eq!(sums(&replay(&gaps, scratch.path()).1), sums(&told));
}

/// In a pipeline that trades, no price is good after two seconds of its writer's silence. A replay at the
/// original pace is as silent, and at full speed it is not: both give the same.
#[test]
fn a_silence_that_is_played_is_no_death() {
    const SECOND: u64 = 1_000_000_000;
    let price = PriceUpdate {
        market: 3,
        game: 5,
        bid_count_centi: 10_000,
        ask_count_centi: 10_000,
        bid_price_e4: 1_000,
        ask_price_e4: 1_200,
        fee_rate_e4: 700,
        status: MarketStatus::Active as u8,
        sport: Sport::Nba as u8,
        ..PriceUpdate::zeroed()
    };
    let state = |at: u64| GameState {
        ingress_mono_ns: at,
        game: 5,
        sport: Sport::Nba as u8,
        phase: Phase::Live as u8,
        period: 3,
        clock_deciseconds: 7_200,
        home_score: 50,
        away_score: 50,
        feed_home_win_e4: NO_PROBABILITY,
        pregame_home_win_e4: 5_000,
        ..GameState::zeroed()
    };
    let mut bytes = fs::read(recording()).unwrap();
    let word = last_word(&bytes);
    bytes.truncate(entries(&bytes)[0].body - HEAD);
    // After what the boards showed at the beginning, and the word to trade.
    bytes.extend(word);
    let begin = ipc::clock::mono_ns();
    let end = begin + 3 * SECOND;
    let (early, late) = (state(begin), state(end));
    add(&mut bytes, "prices.0", 0, begin, bytes_of(&price));
    add(&mut bytes, "games.0", 0, begin, bytes_of(&early));
    add(&mut bytes, "games.0", 1, end, bytes_of(&late));
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("silence.rec");
    fs::write(&file, bytes).unwrap();
    let scratch = Scratch::of("demo.toml");
    let (_, fast) = replay(&file, scratch.path());
    let (_, slow) = finish(start(&scratch, &file, "original"));
    assert_eq!(sums(&fast), sums(&slow));
    assert_eq!((sums(&fast)[0].1, sums(&fast)[2].1), (2, 2), "{fast:#}");
    let seconds = |told: &Value| told["seconds"].as_f64().unwrap();
    assert!(seconds(&slow) >= 3.0, "{slow:#}");
}

/// Recorded by programs of another version.
#[test]
fn another_layout_is_refused_field_by_field() {
    let mut bytes = fs::read(recording()).unwrap();
    let end = 16 + header_length(&bytes);
    let mut header: Value = serde_json::from_slice(&bytes[16..end]).unwrap();
    for segment in header["segments"].as_array_mut().unwrap() {
        let schema = segment["schema"].as_str().unwrap();
        let schema = schema.replace("bid_price_e4 u16", "bid_price_e3 u16");
        let fingerprint = format!("{:016x}", ipc::fingerprint(&schema));
        (segment["schema"], segment["fingerprint"]) = (schema.into(), fingerprint.into());
    }
    let text = header.to_string();
    bytes.splice(16..end, text.bytes());
    bytes[12..16].copy_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("other.rec");
    fs::write(&file, bytes).unwrap();
    let scratch = Scratch::of("demo.toml");
    let mut replay = inspect();
    replay
        .arg("replay")
        .arg(&file)
        .arg("--rings")
        .arg(scratch.path());
    let refused = replay.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let errors = String::from_utf8(refused.stderr).unwrap();
    for part in [
        "recorded with another layout",
        "bid_price_e3",
        "fix: replay with the programs",
    ] {
        assert!(errors.contains(part), "{errors}");
    }
    assert!(is_tidy(&scratch), "nothing is left behind");
}

/// Adds a message to a recording, by its documented format.
fn add(file: &mut Vec<u8>, ring: &str, number: u64, time_ns: u64, body: &[u8]) {
    let header: Value = serde_json::from_slice(&file[16..16 + header_length(file)]).unwrap();
    let segments = header["segments"].as_array().unwrap();
    let named = |it: &Value| it["name"] == ring && it["kind"] != "board";
    let segment = u16::try_from(segments.iter().position(named).unwrap()).unwrap();
    file.extend([1, 0]);
    file.extend(segment.to_le_bytes());
    file.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    file.extend(number.to_le_bytes());
    file.extend(time_ns.to_le_bytes());
    file.extend(body);
}

fn header_length(file: &[u8]) -> usize {
    u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize
}

/// A replay whose stages run.
fn start(scratch: &Scratch, file: &Path, speed: &str) -> Child {
    let child = inspect()
        .args(["replay", "--json", "--speed", speed, "--rings"])
        .args([scratch.path(), file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    await_some("the stages of the replay", || {
        let processes = scratch.processes();
        let stages = ["game_shard.0", "game_shard.1", "signal_processor"];
        let running = |name: &str| processes.iter().any(|(_, it)| it == name);
        stages.into_iter().all(running).then_some(())
    });
    child
}

#[test]
fn a_replay_that_is_interrupted_or_killed_leaves_nothing_behind() {
    for (signal, code) in [(Signal::SIGINT, Some(2)), (Signal::SIGKILL, None)] {
        let scratch = Scratch::of("demo.toml");
        // So slow that it is in the middle for as long as anybody looks.
        let child = start(&scratch, recording(), "0.001");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), code, "{signal}");
        await_some("a tidy directory", || is_tidy(&scratch).then_some(()));
    }
}
