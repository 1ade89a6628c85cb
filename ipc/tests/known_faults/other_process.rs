//! The other processes of the tests, and what they do.

use super::{Quote, auditor, options, quote};
use auditor::Result;
use ipc::{Consumer, Error, Producer, create_ring, remove_abandoned};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// Where a process finds what it is to do.
const TASK: &str = "IPC_TEST_TASK";

/// This program as another process; see `another_process`.
pub(crate) fn program() -> Result<Command> {
    let mut program = auditor::life::own()?;
    program
        .args(["another_process", "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::null());
    Ok(program)
}

/// Another process at a task, until its standard input ends.
pub(crate) struct Other {
    pub(crate) child: Child,
    output: BufReader<ChildStdout>,
}

impl Other {
    /// Starts `task`; `around` are the words of a program that starts it in other namespaces.
    pub(crate) fn start(around: &[String], task: &[&str]) -> Self {
        let own = program().unwrap();
        let mut words: Vec<&str> = around.iter().map(String::as_str).collect();
        words.push(own.get_program().to_str().unwrap());
        words.extend(own.get_args().map(|word| word.to_str().unwrap()));
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .env(TASK, task.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// What it says next.
    pub(crate) fn says(&mut self) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some((_, said)) = line.split_once("says: ") {
                return said.trim_end().to_owned();
            }
            line.clear();
        }
        panic!("it said nothing and ended: {:?}", self.child.wait());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does what this process was started for.
pub(crate) fn perform() {
    let task = std::env::var(TASK).expect("started by one of the other tests");
    let words: Vec<&str> = task.lines().collect();
    match words[..] {
        ["hold", ring] => hold(Path::new(ring)),
        ["hold new", ring] => {
            create_ring::<Quote>(Path::new(ring), options(64)).unwrap();
            hold(Path::new(ring));
        }
        ["attach", ring] => attach(Path::new(ring)),
        ["create", ring] => create_again_and_again(Path::new(ring)),
        ["fill", directory] => fill(Path::new(directory)),
        _ => panic!("no task: {words:?}"),
    }
}

fn say(what: &str) {
    println!("says: {}", what.replace('\n', "; "));
}

/// Until the test closes our standard input, or is gone.
fn await_end() {
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}

/// Is the producer, and pushes a message.
fn hold(ring: &Path) {
    let mut producer = Producer::<Quote>::attach(ring).unwrap();
    producer.push(&quote(1)).unwrap();
    say(&std::process::id().to_string());
    await_end();
}

/// Tries to attach as producer, and as consumer, and says what came of it.
fn attach(ring: &Path) {
    let said =
        |error: Option<Error>| error.map_or("attached".to_owned(), |error| error.to_string());
    say(&said(Producer::<Quote>::attach(ring).err()));
    say(&said(Consumer::<Quote>::attach(ring).err()));
    let files = fs::read_dir(ring.parent().unwrap()).unwrap().count();
    say(&format!("{files} files"));
}

fn create_again_and_again(ring: &Path) {
    for round in 0.. {
        create_ring::<Quote>(ring, options(64)).unwrap();
        if round == 0 {
            say("at it");
        }
        remove_abandoned(ring).unwrap();
    }
}

/// On a small file system: what does not fit is not created, and what was created stays whole when the rest is
/// full.
fn fill(directory: &Path) {
    let (large, small) = (directory.join("large"), directory.join("small"));
    let error = create_ring::<Quote>(&large, options(1 << 20))
        .err()
        .unwrap();
    assert!(matches!(error, Error::NoSpace { .. }), "{error}");
    say(&error.to_string());
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
    create_ring::<Quote>(&small, options(1 << 16)).unwrap();
    let mut rest = File::create(directory.join("rest")).unwrap();
    while rest.write_all(&[1; 4096]).is_ok() {}
    let mut producer = Producer::<Quote>::attach(&small).unwrap();
    let mut consumer = Consumer::<Quote>::attach(&small).unwrap();
    for number in 0..3 << 16 {
        producer.push(&quote(number)).unwrap();
        assert_eq!(consumer.pop().unwrap().message, quote(number));
        consumer.commit();
    }
    say("all went through");
}
