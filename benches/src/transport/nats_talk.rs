//! The client protocol of NATS, on one blocking socket: what `nats.rs` and `jetstream.rs` speak.
//!
//! The official client (`async-nats`) brings a runtime, a TLS stack, and a second task between caller
//! and socket. This does the same on the wire: PUBs are gathered until flushed, or 32 KiB.

use crate::{Failure, link::Link, patience::LONGEST};
use std::io::{Read, Write};
use std::{net::Ipv4Addr, net::TcpStream, ops::Range};

/// Bytes that are written without a flush.
const GATHERED: usize = 32 << 10;

/// A connection to the run's server.
pub struct Talk {
    stream: TcpStream,
    gathered: Vec<u8>,
    heard: Vec<u8>,
    filled: usize,
    taken: usize,
    inbox: String,
    subscribed: u32,
}

impl Talk {
    /// Connects. Answers come on a subject of that name and the link's.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub fn open(link: &Link, name: &str) -> Result<Self, Failure> {
        let port = link.servers.nats_port.ok_or("no nats-server runs")?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONGEST))?;
        let mut talk = Self {
            stream,
            gathered: Vec::with_capacity(2 * GATHERED),
            heard: vec![0; 2 * GATHERED],
            filled: 0,
            taken: 0,
            inbox: format!("answers.{name}.{}", link.name),
            subscribed: 0,
        };
        talk.gathered
            .extend_from_slice(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
        talk.subscribe(&talk.inbox.clone())?;
        Ok(talk)
    }

    /// Subscribes; what is published after this comes.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub fn subscribe(&mut self, subject: &str) -> Result<(), Failure> {
        self.subscribed += 1;
        write!(
            self.gathered,
            "SUB {subject} {}\r\nPING\r\n",
            self.subscribed
        )?;
        self.flush()?;
        let mut line = self.line()?;
        while !self.heard[line].starts_with(b"PONG") {
            line = self.line()?;
        }
        Ok(())
    }

    /// Gathers a message; `answered` asks for an answer.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub fn publish(&mut self, subject: &str, answered: bool, bytes: &[u8]) -> Result<(), Failure> {
        let inbox = if answered { &*self.inbox } else { "" };
        write!(self.gathered, "PUB {subject} {inbox} {}\r\n", bytes.len())?;
        self.gathered.extend_from_slice(bytes);
        self.gathered.extend_from_slice(b"\r\n");
        if self.gathered.len() >= GATHERED {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// The next message, after sleeping for it.
    ///
    /// # Errors
    ///
    /// When none comes, or the server objects to something.
    pub fn hear(&mut self) -> Result<&[u8], Failure> {
        loop {
            let line = self.line()?;
            let line = &self.heard[line];
            if line.starts_with(b"MSG ") {
                let digits = line.rsplit(|byte| *byte == b' ').next().unwrap_or(line);
                let length: usize = std::str::from_utf8(digits)?.trim_end().parse()?;
                let message = self.take(length + 2)?;
                return Ok(&self.heard[message.start..message.end - 2]);
            } else if line.starts_with(b"PING") {
                self.stream.write_all(b"PONG\r\n")?;
            } else if line.starts_with(b"-ERR") {
                return Err(format!("nats-server: {}", String::from_utf8_lossy(line)).into());
            }
        }
    }

    fn line(&mut self) -> Result<Range<usize>, Failure> {
        let mut looked = 0;
        loop {
            let new = &self.heard[self.taken + looked..self.filled];
            if let Some(at) = new.iter().position(|byte| *byte == b'\n') {
                return self.take(looked + at + 1);
            }
            looked += new.len();
            self.read()?;
        }
    }

    fn take(&mut self, length: usize) -> Result<Range<usize>, Failure> {
        while self.filled - self.taken < length {
            self.read()?;
        }
        self.taken += length;
        Ok(self.taken - length..self.taken)
    }

    fn read(&mut self) -> Result<(), Failure> {
        self.heard.copy_within(self.taken..self.filled, 0);
        (self.taken, self.filled) = (0, self.filled - self.taken);
        match self.stream.read(&mut self.heard[self.filled..])? {
            0 => return Err("nats-server hung up".into()),
            length => self.filled += length,
        }
        Ok(())
    }
}
