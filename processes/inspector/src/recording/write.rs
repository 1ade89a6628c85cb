//! Writing a recording.

use super::{END, Entry, GAP, HEAD, Header, MAGIC, MESSAGE, ROW, VERSION};
use crate::Failure;
use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// A recording that grows.
pub(crate) struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    entries: u64,
    bytes: u64,
}

impl Writer {
    /// Begins a new file, for its owner only.
    ///
    /// # Errors
    ///
    /// When there is one already, or it cannot be written.
    pub(crate) fn create(path: &Path, header: &Header) -> Result<Self, Failure> {
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file = created.map_err(|error| {
            let fix = match error.kind() {
                ErrorKind::AlreadyExists => " (fix: remove it, or take another name)",
                _ => "",
            };
            Failure::io(format!("create `{}`{fix}", path.display()), error)
        })?;
        let mut writer = Self {
            file: BufWriter::new(file),
            path: path.to_owned(),
            entries: 0,
            bytes: 0,
        };
        let text =
            serde_json::to_string(header).map_err(|error| Failure::Other(error.to_string()))?;
        let length = u32::try_from(text.len())
            .map_err(|_| Failure::Other(format!("a header of {} bytes", text.len())))?;
        let parts: [&[u8]; 4] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &length.to_le_bytes(),
            text.as_bytes(),
        ];
        parts.into_iter().try_for_each(|part| writer.put(part))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<(), Failure> {
        match entry {
            Entry::Message {
                segment,
                sequence,
                sent_ns,
                bytes,
            } => self.entry(MESSAGE, *segment, *sequence, *sent_ns, bytes),
            Entry::Gap {
                segment,
                first,
                lost,
                time_ns,
            } => self.entry(GAP, *segment, *first, *time_ns, &lost.to_le_bytes()),
            Entry::Row {
                segment,
                row,
                written_ns,
                bytes,
            } => self.entry(ROW, *segment, u64::from(*row), *written_ns, bytes),
        }
    }

    fn entry(
        &mut self,
        kind: u8,
        segment: u16,
        number: u64,
        time_ns: u64,
        body: &[u8],
    ) -> Result<(), Failure> {
        let mut head = [0; HEAD];
        // A message has at most 4096 bytes.
        let length = u32::try_from(body.len()).unwrap_or(0);
        head[0] = kind;
        head[2..4].copy_from_slice(&segment.to_le_bytes());
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head[8..16].copy_from_slice(&number.to_le_bytes());
        head[16..24].copy_from_slice(&time_ns.to_le_bytes());
        self.put(&head)?;
        self.put(body)?;
        self.entries += 1;
        Ok(())
    }

    /// Hands over to the kernel what was added: from now on it survives our death.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.file.flush();
        flushed.map_err(|error| failed(&self.path, error))
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn finish(mut self) -> Result<u64, Failure> {
        self.entry(END, 0, self.entries, 0, &[])?;
        self.flush()?;
        Ok(self.bytes)
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| failed(&self.path, error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn failed(path: &Path, error: std::io::Error) -> Failure {
    Failure::io(format!("write `{}`", path.display()), error)
}
