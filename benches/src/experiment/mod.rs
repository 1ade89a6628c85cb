//! The experiments: one question each. Each builds cells of contenders, which then take turns.

use crate::{
    Failure,
    carrier::Far,
    cores::Cores,
    entry::{self, Entry, LEFT_OUT, Part},
    job::{Assignment, Job},
    link::Link,
    rounds::{Cell, Contender},
    row::{Absent, Between},
    servers::Running,
};
use std::{
    cell::{Cell as Counter, RefCell},
    path::Path,
};

pub mod chain;
pub mod end_to_end;
pub mod fanin;
pub mod hop;
pub mod launched;
mod on_schedule;
pub mod rate;
pub mod stamps;
pub mod stream;
pub mod switch;
pub mod wake;
pub mod watched;

/// Where the experiments take place, and who takes part.
pub struct Place<'a> {
    /// The two cores.
    pub cores: Cores,
    /// Where the files of the transports go.
    pub directory: &'a Path,
    /// What was started; more when it is needed.
    pub servers: RefCell<Running<'a>>,
    /// Only contenders whose name contains this.
    pub only: &'a str,
    /// Only rings and the like: what needs neither kernel nor server for a message.
    pub rings_only: bool,
    /// Whether a short run was asked for.
    pub quick: bool,
    /// Links made so far.
    pub links: Counter<u32>,
    /// Who should take part and cannot.
    pub absent: RefCell<Vec<Absent>>,
}

impl Place<'_> {
    /// Those who take part in that, and can. The others are noted as absent.
    pub fn entries(&self, experiment: &str, part: Part) -> Vec<&'static Entry> {
        for other in LEFT_OUT {
            if other.parts.contains(&part) && other.name.contains(self.only) {
                self.note_absent(experiment, other.name, other.without);
            }
        }
        let wanted = entry::all().filter(|entry| {
            entry.parts.contains(&part)
                && entry.id().contains(self.only)
                && (!self.rings_only || entry.encoding.is_none())
        });
        let mut servers = self.servers.borrow_mut();
        wanted
            .filter(|entry| {
                servers.need(entry.needs);
                let missing = servers.at.what_is_missing(entry.needs);
                let can = missing.is_none();
                if let Some(reason) = missing {
                    self.note_absent(experiment, &entry.id(), reason);
                }
                can
            })
            .collect()
    }

    /// Notes who takes no part, once.
    pub fn note_absent(&self, experiment: &str, name: &str, reason: impl Into<String>) {
        let mut absent = self.absent.borrow_mut();
        let known = absent
            .iter()
            .any(|other| other.experiment == experiment && other.name == name);
        if !known {
            absent.push(Absent {
                experiment: experiment.to_owned(),
                name: name.to_owned(),
                reason: reason.into(),
            });
        }
    }

    /// A way that no other contender uses.
    pub fn link(&self, slots: u32) -> Link {
        let number = self.links.get();
        self.links.set(number + 1);
        Link {
            directory: self.directory.to_owned(),
            name: format!("way-{number}"),
            slots,
            servers: self.servers.borrow().at.clone(),
        }
    }

    /// The far side of a contender, with that to do if it is a process.
    #[must_use]
    pub fn far(&self, entry: &Entry, job: Job) -> Far {
        let core = self.cores.far;
        match entry.between {
            Between::Threads | Between::Nothing => Far::Thread(core),
            Between::Processes | Between::Server => {
                Far::Process(Box::new(Assignment { job, core }))
            }
        }
    }

    /// Adds a contender to a cell, or notes it as absent with the reason why it cannot be had.
    ///
    /// # Errors
    ///
    /// Never for want of a transport.
    pub fn enter(
        &self,
        cell: &mut Cell,
        entry: &Entry,
        floor: usize,
        contender: Result<Box<dyn Contender>, Failure>,
    ) -> Result<(), Failure> {
        match contender {
            Ok(contender) => cell.enter(entry, floor, contender),
            Err(error) => {
                self.note_absent(cell.experiment, &entry.id(), error.to_string());
                Ok(())
            }
        }
    }
}
