//! A process of a pipeline: this very program once more, that holds roles and works in them at a pace.

use ipc::{BoardReader, BoardWriter, Consumer, Producer, bytemuck::Zeroable as _};
use layouts::{ProcessPhase, ProcessState};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

/// Where an actor finds its part.
const PART: &str = "INSPECTOR_TEST_PART";
/// Between two rows of an actor that says how it is.
const WORD: Duration = Duration::from_millis(250);
/// Between two rounds of an actor's loop.
const ROUND: Duration = Duration::from_millis(1);

ipc::message! {
    /// A message with a unit, a code and a text.
    pub struct Tick v3 {
        /// When it came in.
        ingress_mono_ns: u64 = "ns, CLOCK_MONOTONIC",
        /// Its number at the source.
        number: u64 = "count",
        /// Which market.
        market: u32 = "id",
        /// Which side.
        side: u8 = "0 bid, 1 ask",
        /// Its name.
        name: [u8; 11] = "text",
    }
}

impl Tick {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            ingress_mono_ns: ipc::clock::mono_ns(),
            number,
            market: u32::try_from(number % 4).unwrap(),
            side: u8::try_from(number % 2).unwrap(),
            name: *b"KXNBA\0\0\0\0\0\0",
        }
    }
}

/// An actor that runs.
pub(crate) struct Actor {
    child: Child,
    /// Kept open: it says how it ended.
    _output: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts one and waits until it has attached. Its part, word by word: `in RING`, `out RING`, `board FILE`;
    /// `process FILE` to say how it is; `every MS` for one message so often (none without it), `first N` for so many at once.
    pub(crate) fn start(name: &str, part: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "actor::another_process",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(PART, [&[name], part].concat().join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("attached") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "{name} ended");
        }
        Self {
            child,
            _output: output,
        }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }

    /// Has it killed.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it say goodbye.
    pub(crate) fn leave(&mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: the other process.
#[test]
#[ignore = "a process that the tests start"]
fn another_process() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    Part::read(&part).play();
}

#[derive(Default)]
struct Part {
    inputs: Vec<Consumer<Tick>>,
    outputs: Vec<Producer<Tick>>,
    board: Option<BoardWriter<Tick>>,
    presence: Option<(BoardWriter<ProcessState>, ProcessState)>,
    every: Option<Duration>,
    first: u64,
    /// Messages from nobody so far.
    sent: u64,
}

impl Part {
    fn read(text: &str) -> Self {
        let words: Vec<&str> = text.lines().collect();
        let (name, rest) = words.split_first().unwrap();
        let mut part = Self::default();
        for pair in rest.chunks_exact(2) {
            let (what, value) = (pair[0], pair[1]);
            match what {
                "in" => {
                    let consumer = Consumer::attach(Path::new(value)).unwrap();
                    consumer.introduce(name);
                    part.inputs.push(consumer);
                }
                "out" => {
                    let producer = Producer::attach(Path::new(value)).unwrap();
                    producer.introduce(name);
                    part.outputs.push(producer);
                }
                "board" => {
                    let writer = BoardWriter::attach(Path::new(value)).unwrap();
                    writer.introduce(name);
                    part.board = Some(writer);
                }
                "process" => part.presence = Some(present(name, Path::new(value))),
                "every" => part.every = Some(Duration::from_millis(value.parse().unwrap())),
                "first" => part.first = value.parse().unwrap(),
                other => panic!("{other}"),
            }
        }
        part
    }

    /// Works until the standard input ends.
    fn play(mut self) {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            ended.store(true, Relaxed);
        });
        for _ in 0..self.first {
            self.work();
        }
        self.say(ProcessPhase::Running);
        println!("attached");
        let mut due = Instant::now();
        let mut said = due;
        while !over.load(Relaxed) {
            self.outputs.iter().for_each(Producer::beat);
            self.board.iter().for_each(BoardWriter::beat);
            if let Some(every) = self.every {
                // Several that are due come at once: a pace, not a gap.
                while due <= Instant::now() {
                    due += every;
                    self.work();
                }
            }
            if said.elapsed() >= WORD {
                said = Instant::now();
                self.say(ProcessPhase::Running);
            }
            thread::sleep(ROUND);
        }
        self.say(ProcessPhase::Ended);
    }

    fn say(&mut self, phase: ProcessPhase) {
        if let Some((board, state)) = &mut self.presence {
            state.phase = phase as u8;
            state.cpu_ns += 1_000_000;
            board.write(0, state).unwrap();
        }
    }

    /// Takes a message, or makes one, and passes it on where there is room for it.
    fn work(&mut self) {
        let message = if self.inputs.is_empty() {
            Tick::new(self.sent)
        } else if self.outputs.iter().all(ipc::WakeSource::is_ready)
            && let Some(received) = self.inputs.iter_mut().find_map(|input| input.pop().ok())
        {
            received.message
        } else {
            return;
        };
        self.sent += 1;
        for output in &mut self.outputs {
            let _ = output.push(&message);
        }
        if let Some(board) = &mut self.board {
            board.write(message.market, &message).unwrap();
        }
        self.inputs.iter_mut().for_each(Consumer::commit);
    }
}

/// Takes the board of a process, on core 2, and counts on where the one before it stopped.
fn present(name: &str, path: &Path) -> (BoardWriter<ProcessState>, ProcessState) {
    let board = BoardWriter::<ProcessState>::attach(path).unwrap();
    board.introduce(name);
    let before = BoardReader::<ProcessState>::open(path).unwrap().read(0);
    let starts = before.unwrap().map_or(0, |row| row.value.starts);
    let state = ProcessState {
        started_unix_ns: ipc::clock::unix_ns(),
        starts: starts + 1,
        pid: std::process::id(),
        core: 2,
        ..ProcessState::zeroed()
    };
    (board, state)
}
