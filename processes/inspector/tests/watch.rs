//! `shm-inspect watch` under a real pseudo-terminal, on a ring between two live handles.

use ipc::{Consumer, Producer, RingOptions, bytemuck::Zeroable as _, create_ring};
use layouts::Order;
use nix::{
    pty::{Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{Termios, tcgetattr},
    },
    unistd::Pid,
};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);

/// A ring `orders` through which messages flow until it is dropped.
struct Flow {
    directory: TempDir,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flow {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo/orders.ring");
        fs::create_dir(path.parent().unwrap()).unwrap();
        create_ring::<Order>(&path, RingOptions::default()).unwrap();
        let mut producer = Producer::<Order>::attach(&path).unwrap();
        let mut consumer = Consumer::<Order>::attach(&path).unwrap();
        producer.introduce("signal_processor");
        consumer.introduce("execution_service");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Relaxed) {
                let order = Order {
                    market: 4242,
                    ..Order::zeroed()
                };
                producer.push(&order).unwrap();
                consumer.pop().unwrap();
                consumer.commit();
                sleep(LOOK);
            }
        });
        Self {
            directory,
            stop,
            thread: Some(thread),
        }
    }

    fn rings(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()) || thread::panicking());
    }
}

/// A dashboard with a terminal of its own.
struct Watched {
    child: Child,
    keyboard: File,
    slave: OwnedFd,
    before: Termios,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Watched {
    fn start(rings: &Path) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&size), None).unwrap();
        let before = tcgetattr(&pair.slave).unwrap();
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        // setsid makes it the controlling terminal, so that a new size is told.
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_shm-inspect"), "--rings"])
            .arg(rings)
            .args(["watch", "--hz", "20"])
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let keyboard = File::from(pair.master);
        let mut screen = keyboard.try_clone().unwrap();
        let collected = Arc::clone(&written);
        thread::spawn(move || {
            let mut part = [0; 4096];
            // Ends when the last holder of the other end has gone.
            while let Ok(count @ 1..) = screen.read(&mut part) {
                collected.lock().unwrap().extend_from_slice(&part[..count]);
            }
        });
        Self {
            child,
            keyboard,
            slave: pair.slave,
            before,
            written,
        }
    }

    fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Waits until `part` is written beyond the first `from` bytes; returns how many bytes there are then.
    fn await_text(&self, part: &str, from: usize) -> usize {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let text = self.written.lock().unwrap().clone();
            if String::from_utf8_lossy(&text[from..]).contains(part) {
                return text.len();
            }
            assert!(
                Instant::now() < deadline,
                "no {part:?} in {:?}",
                self.written()
            );
            sleep(LOOK);
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the terminal another size, as a window that is dragged.
    fn resize(&self, lines: u32, columns: u32) {
        let status = Command::new("stty")
            .args(["rows", &lines.to_string(), "cols", &columns.to_string()])
            .stdin(Stdio::from(self.slave.try_clone().unwrap()))
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end, and expects the terminal as it was: its modes, its screen, its cursor.
    fn await_end(mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            sleep(LOOK);
        };
        self.await_text("\x1b[?1049l", 0);
        self.await_text("\x1b[?25h", 0);
        let after = tcgetattr(&self.slave).unwrap();
        assert_eq!(after.local_flags, self.before.local_flags);
        assert_eq!(after.input_flags, self.before.input_flags);
        assert_eq!(after.output_flags, self.before.output_flags);
        status
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shm_inspect(rings: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shm-inspect"))
        .arg("--rings")
        .arg(rings)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Keys, another size, an open ring, and out: exit code 0, and the terminal as before.
#[test]
fn a_session_leaves_the_terminal_as_it_was() {
    let flow = Flow::start();
    let mut watched = Watched::start(flow.rings());
    watched.await_text("\x1b[?1049h", 0);
    watched.await_text("execution_service", 0);
    let drawn = watched.await_text("orders", 0);
    watched.resize(10, 40);
    // What has not changed is drawn only because all is drawn anew.
    let drawn = watched.await_text("orders", drawn);
    watched.press("?");
    let drawn = watched.await_text("KEYS", drawn);
    watched.press("x");
    watched.resize(30, 120);
    let drawn = watched.await_text("signal_processor", drawn);
    watched.press("\r");
    let drawn = watched.await_text("published", drawn);
    watched.await_text("4242", drawn - 1000);
    watched.press("q");
    assert_eq!(watched.await_end().code(), Some(0));
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    let flow = Flow::start();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let watched = Watched::start(flow.rings());
        watched.await_text("orders", 0);
        kill(Pid::from_raw(watched.child.id().cast_signed()), signal).unwrap();
        assert_eq!(watched.await_end().code(), Some(0), "{signal}");
    }
}

#[test]
fn control_c_on_the_keyboard_ends_it() {
    let flow = Flow::start();
    let mut watched = Watched::start(flow.rings());
    watched.await_text("orders", 0);
    watched.press("\x03");
    assert_eq!(watched.await_end().code(), Some(0));
}

#[test]
fn frames_are_written_without_a_terminal() {
    let flow = Flow::start();
    let picture = flow.rings().join("watch.svg");
    let (code, text, errors) = shm_inspect(
        flow.rings(),
        &[
            "watch",
            "--hz",
            "10",
            "--frames",
            "15",
            "--size",
            "80x12",
            "--svg",
            picture.to_str().unwrap(),
        ],
    );
    assert_eq!((code, &*errors), (Some(0), ""));
    let frames: Vec<&str> = text.split("\ndemo ").collect();
    assert_eq!(frames.len(), 15, "{text}");
    let last = frames[14];
    for part in [
        "all well",
        "orders",
        "signal_processor",
        "execution_service",
        " ok ",
    ] {
        assert!(last.contains(part), "{part} is missing in:\n{last}");
    }
    let svg = fs::read_to_string(picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains(">orders<"), "{svg}");

    let (code, text, _) = shm_inspect(
        flow.rings(),
        &["watch", "--json", "--hz", "10", "--frames", "12"],
    );
    assert_eq!((code, text.lines().count()), (Some(0), 12));
    let scene: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert!(scene["rings"][0]["rate"].as_f64().unwrap() > 1.0, "{scene}");
    assert_eq!(scene["rings"][0]["verdict"]["name"], "ok");
    assert_eq!(scene["processes"][0]["name"], "signal_processor");
    assert!(
        scene["processes"][0]["core"].is_u64(),
        "this process maps the ring: {scene}"
    );
}

/// Messages wait, and their consumer holds its role and takes none.
#[test]
fn trouble_is_shown_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.ring");
    create_ring::<Order>(&path, RingOptions::default()).unwrap();
    let mut producer = Producer::<Order>::attach(&path).unwrap();
    let consumer = Consumer::<Order>::attach(&path).unwrap();
    consumer.introduce("execution_service");
    for _ in 0..5 {
        producer.push(&Order::zeroed()).unwrap();
    }
    let arguments = ["watch", "--hz", "10", "--frames", "15"];
    let (code, text, _) = shm_inspect(directory.path(), &arguments);
    assert_eq!(code, Some(0));
    // Where its lines break depends on the length of the PID.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let pid = std::process::id();
    for part in [
        "in trouble".to_owned(),
        "5/4096".to_owned(),
        format!("orders stuck: execution_service (pid {pid}) holds 5 of 4096 messages"),
        format!("kill -CONT {pid}"),
    ] {
        assert!(text.contains(&part), "{part} is missing in:\n{text}");
    }
}

/// A pipeline that stops takes its directory along, and may come back.
#[test]
fn pipelines_come_and_go() {
    let above = tempfile::tempdir().unwrap();
    let place = above.path().join("demo");
    let lay_out = || {
        fs::create_dir(&place).unwrap();
        create_ring::<Order>(&place.join("orders.ring"), RingOptions::default()).unwrap();
    };
    lay_out();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shm-inspect"))
        .arg("--rings")
        .arg(&place)
        .args(["watch", "--json", "--hz", "20"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut await_rings = |count: usize| {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            let line = lines.next().unwrap().unwrap();
            let scene: serde_json::Value = serde_json::from_str(&line).unwrap();
            if scene["rings"].as_array().unwrap().len() == count {
                return;
            }
        }
        panic!("never {count} rings");
    };
    await_rings(1);
    fs::remove_dir_all(&place).unwrap();
    await_rings(0);
    lay_out();
    await_rings(1);
    // Nobody reads any more: no error.
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_shown_is_said() {
    let flow = Flow::start();
    for (arguments, part) in [
        (&["watch"][..], "needs a terminal"),
        (
            &["watch", "nothing", "--frames", "1"],
            "there is no ring `nothing`",
        ),
        (&["watch", "--hz", "21"], "21"),
        (&["watch", "--frames", "1", "--size", "0x9"], "80x24"),
        (&["watch", "--svg", "a.svg"], "--frames"),
    ] {
        let (code, text, errors) = shm_inspect(flow.rings(), arguments);
        assert_eq!((code, &*text), (Some(2), ""), "{arguments:?}");
        assert!(errors.contains(part), "{errors}");
    }
    let nowhere = flow.rings().join("nowhere");
    assert_eq!(
        shm_inspect(&nowhere, &["watch", "--frames", "1"]).0,
        Some(2)
    );
}
