//! `watch`: the dashboard. Rings in data-flow order, who holds them, and what is wrong; nothing of it is noticed by
//! the pipeline.
//!
//! | module | what |
//! |---|---|
//! | `gather`, `cpu` | a scene out of samples, verdicts and `/proc` |
//! | `scene` | what is shown at one moment, as plain values |
//! | `view` | how it is looked at; keys change it |
//! | `follow` | the messages of the ring that is open |
//! | `paint`, `detail`, `help`, `columns`, `figures` | the screen, drawn into a buffer of any size |
//! | `dashboard` | all of these together |
//! | `screen`, `keys` | the terminal, taken over and given back |
//! | `picture` | a drawn buffer as text and as SVG |

mod columns;
mod cpu;
mod dashboard;
mod detail;
mod figures;
mod follow;
mod gather;
mod help;
mod keys;
mod paint;
mod picture;
mod scene;
mod screen;
#[cfg(test)]
mod tests;
mod view;

use crate::{Failure, arguments::Arguments, exit::Exit, place, say, say_json};
use dashboard::Dashboard;
use ratatui::{buffer::Buffer, layout::Rect};
use std::{
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};
use view::View;

/// Widest and highest screen that can be asked for.
const MOST: (u16, u16) = (1000, 1000);

pub(crate) const HELP: &str = include_str!("help.txt");

/// What to show, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Begins with this ring or board open, following its messages: a name, `pipeline/name` or a file.
    #[arg(value_name = "RING")]
    ring: Option<String>,
    /// Looks a second, 1 to 20.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=20))]
    hz: u32,
    /// Writes so many frames as plain text instead of taking over the terminal.
    #[arg(long, value_name = "N")]
    frames: Option<u32>,
    /// Columns and lines of a frame.
    #[arg(long, value_name = "WxH", default_value = "80x24", value_parser = size)]
    size: (u16, u16),
    /// Writes the last frame to a file as an SVG picture with colours.
    #[arg(long, value_name = "FILE", requires = "frames")]
    svg: Option<PathBuf>,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text
        .split_once('x')
        .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parsed
        .filter(|(width, height)| (1..=MOST.0).contains(width) && (1..=MOST.1).contains(height))
        .ok_or_else(|| format!("`{text}`: columns and lines are needed, such as 80x24"))
}

/// Shows the dashboard, on the terminal or as frames.
///
/// # Errors
///
/// When a directory cannot be read, the ring is not there, or there is no terminal.
pub(super) fn run(arguments: &Arguments, options: &Options) -> Result<Exit, Failure> {
    let asked = &arguments.place.rings;
    let mut view = View::default();
    if let Some(ring) = &options.ring {
        let file = place::one(asked, ring)?;
        view.opened = Some((file.pipeline, file.name, file.board));
    }
    let mut dashboard = Dashboard::open(asked, view)?;
    dashboard.follow();
    let interval = Duration::from_secs(1) / options.hz;
    if arguments.json || options.frames.is_some() {
        frames(&mut dashboard, arguments, options, interval)?;
    } else {
        screen::run(&mut dashboard, interval)?;
    }
    Ok(Exit::Fine)
}

/// Frames as text with an empty line between, or scenes as JSON, one a line. The first comes after an interval, so that
/// there are rates in it.
fn frames(
    dashboard: &mut Dashboard,
    arguments: &Arguments,
    options: &Options,
    interval: Duration,
) -> Result<(), Failure> {
    let mut buffer = Buffer::empty(Rect::new(0, 0, options.size.0, options.size.1));
    let mut due = Instant::now();
    for frame in 0..options.frames.unwrap_or(u32::MAX) {
        due += interval;
        sleep(due.saturating_duration_since(Instant::now()));
        dashboard.look();
        buffer.reset();
        paint::paint(
            &mut buffer,
            &dashboard.scene,
            &dashboard.view,
            dashboard.messages(),
        );
        if arguments.json {
            say_json(&dashboard.scene)?;
        } else {
            say(&[if frame == 0 { "" } else { "\n" }, &picture::text(&buffer)].concat())?;
        }
    }
    match &options.svg {
        None => Ok(()),
        Some(path) => fs::write(path, picture::svg(&buffer))
            .map_err(|error| Failure::io(format!("write `{}`", path.display()), error)),
    }
}
