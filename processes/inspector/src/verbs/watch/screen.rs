//! The terminal: taken over while the dashboard runs, and given back however it ends.

use super::{dashboard::Dashboard, keys, paint::paint};
use crate::Failure;
use ratatui::DefaultTerminal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::{
    io::{self, IsTerminal as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Longest wait for a key before a signal is looked for.
const PATIENCE: Duration = Duration::from_millis(50);

/// The terminal in our hands. Dropping it gives it back; so does a panic, by the hook that `try_init` installs,
/// before its message is written.
struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    fn open() -> Result<Self, Failure> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(Failure::Other(
                "watch needs a terminal (fix: `--frames N --size 80x24` writes N frames as text, `stats` the figures)".into(),
            ));
        }
        let terminal = ratatui::try_init().map_err(|error| {
            ratatui::restore();
            Failure::io("take over the terminal", error)
        })?;
        Ok(Self { terminal })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the dashboard until its user or a signal ends it.
///
/// # Errors
///
/// When there is no terminal, or it fails.
pub(super) fn run(dashboard: &mut Dashboard, interval: Duration) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| Failure::io("catch signals", error))?;
    }
    let mut screen = Screen::open()?;
    let mut due = Instant::now();
    let mut drawn_at = None;
    // Relaxed: nothing but the flag itself is told by it.
    while !dashboard.view.quit && !stop.load(Relaxed) {
        let now = Instant::now();
        if now >= due {
            dashboard.look();
            // What was missed is not made up for.
            due = now + interval;
            draw(&mut screen, dashboard)?;
        }
        let failed = |error| Failure::io("read keys from the terminal", error);
        let patience = PATIENCE.min(due.saturating_duration_since(Instant::now()));
        // The terminal has been closed: nobody looks any more.
        let Some(pressed) = keys::wait(patience).map_err(failed)? else {
            break;
        };
        let size = screen.terminal.size().ok();
        let resized = size.is_some() && size != drawn_at;
        for key in &pressed {
            dashboard.press(*key);
        }
        if resized || !pressed.is_empty() {
            draw(&mut screen, dashboard)?;
            drawn_at = size;
        }
    }
    Ok(())
}

fn draw(screen: &mut Screen, dashboard: &Dashboard) -> Result<(), Failure> {
    let drawn = screen.terminal.draw(|frame| {
        let messages = dashboard.messages();
        paint(
            frame.buffer_mut(),
            &dashboard.scene,
            &dashboard.view,
            messages,
        );
    });
    match drawn {
        Ok(_) => Ok(()),
        // The terminal has been closed.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::NoReader),
        Err(error) => Err(Failure::io("draw on the terminal", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Not a test: what the one below runs under a pseudo-terminal.
    #[test]
    #[ignore = "run by another test, which gives it a terminal to leave as it was"]
    fn panics_with_the_terminal_in_hand() {
        let _screen = Screen::open().unwrap();
        panic!("the dashboard has failed");
    }

    /// First the screen and the modes are given back, then the message is written where it stays readable.
    #[test]
    fn a_panic_leaves_the_terminal_as_it_was() {
        let program = std::env::current_exe().unwrap();
        let failing = module_path!().split_once("::").unwrap().1;
        let failing = format!("{failing}::panics_with_the_terminal_in_hand");
        let commands = format!(
            "{} --ignored --exact {failing} --nocapture; stty -a",
            program.display()
        );
        let output = Command::new("script")
            .args(["--quiet", "--command", &commands, "/dev/null"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let place = |part: &str| {
            let found = said.find(part);
            found.unwrap_or_else(|| panic!("{part:?} is missing in {said:?}"))
        };
        let entered = place("\x1b[?1049h");
        let left = place("\x1b[?1049l");
        let message = place("the dashboard has failed");
        assert!(entered < left && left < message, "{said:?}");
        let modes: Vec<&str> = said[message..].split([' ', '\r', '\n', ';']).collect();
        for mode in ["icanon", "echo", "isig"] {
            assert!(modes.contains(&mode), "{mode}: {modes:?}");
        }
    }
}
