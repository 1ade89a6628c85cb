//! The servers of a run: each started when a contender needs it, on a free port and a socket of its
//! own, in the run's directory, with nothing kept on disk; gone when the run is, however it ends.

use crate::{
    Failure,
    cores::Cores,
    entry::Needs,
    link::{Address, Servers},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{prctl, signal::Signal},
    unistd::{Pid, getppid},
};
use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two questions whether it does.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Somebody else may take a port between our finding it free and the server's taking it.
const PORTS: u32 = 3;

/// The servers that were needed so far. They end when this is dropped.
pub struct Running<'a> {
    /// Where they listen, and why others do not.
    pub at: Servers,
    directory: &'a Path,
    measured: Cores,
    cores: Vec<usize>,
    children: Vec<Server>,
}

impl<'a> Running<'a> {
    /// None yet; those to come have their files there, and run on these cores beside the measured.
    #[must_use]
    pub fn none(directory: &'a Path, measured: Cores, cores: Vec<usize>) -> Self {
        Self {
            at: Servers::default(),
            directory,
            measured,
            cores,
            children: Vec::new(),
        }
    }

    /// Starts what is needed, unless it runs or was found not to start.
    pub fn need(&mut self, server: Needs) {
        if self.at.what_is_missing(server).is_none() || self.at.is_refused(server) {
            return;
        }
        let started = match server {
            Needs::Nothing => return,
            Needs::Redis => redis(self.directory, &self.cores).map(|(server, address)| {
                self.at.redis = Some(address);
                server
            }),
            Needs::Nats => nats(self.directory, &self.cores).map(|(server, port)| {
                self.at.nats_port = Some(port);
                server
            }),
            Needs::Aeron => {
                let alone = !self.share_cores();
                aeron(self.directory, &self.cores, alone).map(|(server, directory)| {
                    self.at.aeron = Some(directory);
                    server
                })
            }
        };
        match started {
            Ok(started) => self.children.push(started),
            Err(error) => self.at.refused.push((server, error.to_string())),
        }
    }

    /// Where they run.
    #[must_use]
    pub fn cores(&self) -> &[usize] {
        &self.cores
    }

    /// Whether they run where it is measured.
    fn share_cores(&self) -> bool {
        let Cores { near, far } = self.measured;
        self.cores.contains(&near) || self.cores.contains(&far)
    }

    /// What a reader of the figures must know; nothing where there are no servers, or they have cores
    /// of their own.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let names: Vec<&str> = self.children.iter().map(|server| server.name).collect();
        let Cores { near, far } = self.measured;
        (self.share_cores() && !names.is_empty()).then(|| {
            format!(
                "rows that need a server: {} and both sides share cores {near} and {far}; allow the bench a third core",
                names.join(" and ")
            )
        })
    }
}

/// A child that is killed when this is dropped: it has nothing to lose.
struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it is gone already, so much the better.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `redis-server`.
fn redis(directory: &Path, cores: &[usize]) -> Result<(Server, Address), Failure> {
    let socket = directory.join("redis.sock");
    let arguments = |port: u16| {
        let [path, directory] = [&socket, directory].map(|path| path.display().to_string());
        let port = port.to_string();
        [
            ["--bind", "127.0.0.1", "--port", &port].as_slice(),
            &["--unixsocket", &path, "--unixsocketperm", "700"],
            &["--save", "", "--appendonly", "no", "--dir", &directory],
            // A subscriber who lags by a window is not cut off.
            &["--client-output-buffer-limit", "pubsub 0 0 0"],
        ]
        .concat()
        .iter()
        .map(|&argument| argument.to_owned())
        .collect()
    };
    let question = b"PING\r\n";
    let answers = |port| {
        UnixStream::connect(&socket).is_ok_and(|stream| says(stream, question, b"+PONG"))
            && tcp(port).is_some_and(|stream| says(stream, question, b"+PONG"))
    };
    let (server, port) = on_a_free_port("redis-server", directory, cores, arguments, answers)?;
    Ok((server, Address { socket, port }))
}

/// Starts `nats-server`, with JetStream.
fn nats(directory: &Path, cores: &[usize]) -> Result<(Server, u16), Failure> {
    let configuration = directory.join("nats.conf");
    // Who only sends never reads, and would not answer whether he is alive.
    let text = "ping_interval: \"24h\"\n";
    fs::write(&configuration, text)?;
    let paths = [configuration, directory.join("jetstream")];
    let arguments = |port: u16| {
        let [configuration, store] = paths.each_ref().map(|path| path.display().to_string());
        let port = port.to_string();
        [
            ["--addr", "127.0.0.1", "--port", &port].as_slice(),
            &["-js", "-sd", &store, "-c", &configuration],
        ]
        .concat()
        .iter()
        .map(|&argument| argument.to_owned())
        .collect()
    };
    // It opens the conversation; a PING before CONNECT is answered all the same.
    let answers = |port| tcp(port).is_some_and(|stream| says(stream, b"PING\r\n", b"PONG"));
    on_a_free_port("nats-server", directory, cores, arguments, answers)
}

/// Starts the Aeron media driver, which is part of this program. It is there with its file of commands.
fn aeron(directory: &Path, cores: &[usize], alone: bool) -> Result<(Server, PathBuf), Failure> {
    let program = std::env::current_exe()?.display().to_string();
    let own = directory.join("aeron");
    let mut command = vec![program, "media-driver".into(), own.display().to_string()];
    command.extend(alone.then(|| "--alone".into()));
    let server = spawn("media-driver", directory, cores, command)?;
    let server = await_answer(server, || own.join("cnc.dat").exists())?;
    Ok((server, own))
}

fn on_a_free_port(
    name: &'static str,
    directory: &Path,
    cores: &[usize],
    arguments: impl Fn(u16) -> Vec<String>,
    answers: impl Fn(u16) -> bool,
) -> Result<(Server, u16), Failure> {
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        let command = [vec![name.to_owned()], arguments(port)].concat();
        let started = spawn(name, directory, cores, command);
        match started.and_then(|server| await_answer(server, || answers(port))) {
            Ok(server) => return Ok((server, port)),
            Err(error) if attempt == PORTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Starts a server by way of this program's [`become_server`].
fn spawn(
    name: &'static str,
    directory: &Path,
    cores: &[usize],
    command: Vec<String>,
) -> Result<Server, Failure> {
    let log = directory.join(format!("{name}.log"));
    let file = File::create(&log)?;
    let child = ending_with_us(cores)?
        .args(command)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    Ok(Server { name, child, log })
}

/// A command that runs what is added to it, program and arguments, on these cores; it dies when we do.
///
/// # Errors
///
/// When this program cannot be found.
pub fn ending_with_us(cores: &[usize]) -> Result<Command, Failure> {
    let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["server", "--cores", &cores.join(",")]).args([
        "--parent",
        &std::process::id().to_string(),
        "--",
    ]);
    Ok(command)
}

/// Turns this process into a server that dies with its parent. Returns only when it cannot.
pub fn become_server(cores: &[usize], parent: i32, command: &[String]) -> Failure {
    let prepare = || -> Result<(), Failure> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != Pid::from_raw(parent) {
            return Err("the bench is gone".into());
        }
        let mut set = CpuSet::new();
        for core in cores {
            set.set(*core)?;
        }
        Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
    };
    if let Err(error) = prepare() {
        return error;
    }
    let Some((program, arguments)) = command.split_first() else {
        return "no server was named".into();
    };
    let error = Command::new(program).args(arguments).exec();
    if error.kind() == ErrorKind::NotFound {
        return format!("{program} is not installed: sudo apt-get install -y {program}").into();
    }
    format!("{program} cannot be run: {error}").into()
}

fn await_answer(mut server: Server, answers: impl Fn() -> bool) -> Result<Server, Failure> {
    let due = Instant::now() + PATIENCE;
    while !answers() {
        let end = server.child.try_wait()?;
        if end.is_some() || Instant::now() >= due {
            let log = fs::read_to_string(&server.log).unwrap_or_default();
            let last = log.lines().rfind(|line| !line.trim().is_empty());
            let last = last
                .unwrap_or("it said nothing")
                .trim_start_matches("error: ");
            let name = server.name;
            return Err(match end {
                Some(_) => format!("{name} did not start: {last}").into(),
                None => format!("{name} does not answer within {PATIENCE:?}: {last}").into(),
            });
        }
        thread::sleep(ASK_EVERY);
    }
    Ok(server)
}

fn tcp(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// Whether that is somewhere in what the other side says when asked.
fn says(mut stream: impl Read + Write, question: &[u8], answer: &[u8]) -> bool {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    if stream.write_all(question).is_err() {
        return false;
    }
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(length) => heard.extend_from_slice(&buffer[..length]),
        }
        if heard.windows(answer.len()).any(|window| window == answer) {
            return true;
        }
    }
}
