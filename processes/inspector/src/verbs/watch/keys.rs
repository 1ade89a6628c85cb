//! Keys from the terminal: waited for, read and told apart.
//!
//! A wait here ends whenever there is something to read. The event queue of the terminal's library may sleep on a key that
//! came together with a new size, until the next one.

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::read,
};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::{io, os::fd::AsFd as _, time::Duration};

/// Sequences that a terminal sends for one key.
const SEQUENCES: [(&[u8], KeyCode); 19] = [
    (b"\x1b[A", KeyCode::Up),
    (b"\x1bOA", KeyCode::Up),
    (b"\x1b[B", KeyCode::Down),
    (b"\x1bOB", KeyCode::Down),
    (b"\x1b[C", KeyCode::Right),
    (b"\x1bOC", KeyCode::Right),
    (b"\x1b[D", KeyCode::Left),
    (b"\x1bOD", KeyCode::Left),
    (b"\x1b[5~", KeyCode::PageUp),
    (b"\x1b[6~", KeyCode::PageDown),
    (b"\x1b[H", KeyCode::Home),
    (b"\x1bOH", KeyCode::Home),
    (b"\x1b[1~", KeyCode::Home),
    (b"\x1b[F", KeyCode::End),
    (b"\x1bOF", KeyCode::End),
    (b"\x1b[4~", KeyCode::End),
    (b"\x1bOP", KeyCode::F(1)),
    (b"\r", KeyCode::Enter),
    (b"\n", KeyCode::Enter),
];

/// Waits for keys, at most so long. `None` when the terminal has gone; a signal ends the wait without any.
///
/// # Errors
///
/// When the terminal cannot be read.
pub(super) fn wait(most: Duration) -> io::Result<Option<Vec<KeyEvent>>> {
    let stdin = io::stdin();
    let mut sources = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    // Rounded up: a time-out of zero would spin until the millisecond has passed.
    let most = PollTimeout::try_from(most.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
    match poll(&mut sources, most) {
        Ok(0) | Err(Errno::EINTR) => return Ok(Some(Vec::new())),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut bytes = [0; 256];
    match read(stdin.as_fd(), &mut bytes) {
        Ok(0) | Err(Errno::EIO) => Ok(None),
        Ok(count) => Ok(Some(keys(&bytes[..count]))),
        Err(Errno::EINTR | Errno::EAGAIN) => Ok(Some(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// The keys in what was read at once. What is no key of ours is passed over.
fn keys(mut bytes: &[u8]) -> Vec<KeyEvent> {
    let mut keys = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        let known = SEQUENCES
            .iter()
            .find(|(sequence, _)| bytes.starts_with(sequence));
        let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
        if let Some((sequence, code)) = known {
            keys.push(plain(*code));
            bytes = &bytes[sequence.len()..];
            continue;
        }
        bytes = rest;
        match *first {
            b'\x1b' if rest.starts_with(b"[") || rest.starts_with(b"O") => {
                // A sequence of another key, up to its last character.
                let end = rest[1..]
                    .iter()
                    .position(|byte| (0x40..=0x7e).contains(byte));
                bytes = end.map_or(&[], |end| &rest[end + 2..]);
            }
            b'\x1b' => keys.push(plain(KeyCode::Esc)),
            0x08 | 0x7f => keys.push(plain(KeyCode::Backspace)),
            control @ 1..=26 => {
                let letter = char::from(control - 1 + b'a');
                keys.push(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
            }
            _ => {
                let length = usize::try_from(first.leading_ones().max(1)).unwrap_or(1);
                let letter = bytes_of(*first, rest, length);
                keys.extend(letter.map(|letter| plain(KeyCode::Char(letter))));
                bytes = &rest[(length - 1).min(rest.len())..];
            }
        }
    }
    keys
}

/// The character that begins with a byte and has so many.
fn bytes_of(first: u8, rest: &[u8], length: usize) -> Option<char> {
    let mut whole = vec![first];
    whole.extend_from_slice(rest.get(..length - 1)?);
    let letter = str::from_utf8(&whole).ok()?.chars().next()?;
    (!letter.is_control()).then_some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_however_they_come_together() {
        let codes = |bytes: &[u8]| keys(bytes).iter().map(|key| key.code).collect::<Vec<_>>();
        assert_eq!(
            codes(b"\x1b[Aq\x1b[6~\r"),
            [
                KeyCode::Up,
                KeyCode::Char('q'),
                KeyCode::PageDown,
                KeyCode::Enter
            ]
        );
        assert_eq!(codes("/ä€".as_bytes()), ['/', 'ä', '€'].map(KeyCode::Char));
        assert_eq!(codes(b"\x1b"), [KeyCode::Esc]);
        assert_eq!(
            codes(b"\x1b[1;5Cx\x1b[200~"),
            [KeyCode::Char('x')],
            "of others"
        );
        assert_eq!(codes(b"\x7f\x08"), [KeyCode::Backspace; 2]);
        assert_eq!(keys(b"\x03")[0].modifiers, KeyModifiers::CONTROL);
        for broken in [&b"\xff\xfe"[..], b"\xe2\x82", b"\x1b[", b"\x1bO", b"\0"] {
            assert_eq!(codes(broken), [], "{broken:?}");
        }
    }
}
