//! The venue's own brake on us: an order group on every shard that we trade on, which lets so many contracts trade within
//! 15 s, and then none of our orders there pass. It works although we may be mad, slow or dead, so nothing is sent without it.
//!
//! A halt pulls it, beside the cancel of all that rests, and when trading goes on it is reset. When the venue has shut it
//! itself, the file `safe` halts the whole pipeline, until a person says `launch resume`. Only a refused order shows that:
//! `is_auto_cancel_enabled`, all that the venue tells of a group's state, is true of one that has shut too.
//!
//! What the groups are is kept in a file, for a successor. One that the venue has shut stays shut: to die is no way around a
//! brake. All others it triggers, and opens its own: whatever the dead one had sent names a group that lets nothing pass
//! any more, so it cannot be taken later than its successor has looked for it.

mod groups;
mod succession;

use super::tally::Tally;
use crate::venue::backoff::Backoff;
use crate::venue::error::VenueError;
use crate::venue::kalshi_rest::KalshiRest;
use groups::{Group, Groups, Task};
use layouts::{Control, Mode};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// First and longest wait before the venue is asked again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// The venue's shard for all that names none: where its group is refused, nothing is traded.
const FIRST_SHARD: u32 = 0;
/// Longest wait until a predecessor's groups are shut.
const FENCE: Duration = Duration::from_secs(5);

/// What the launcher says, as far as the venue is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// Nothing is sent.
    pub(super) halted: bool,
    /// When that, or the opposite, began.
    pub(super) since_unix_us: u64,
    /// Contracts that may trade within 15 s.
    pub(super) burst_contracts: u32,
}

impl From<&Control> for Word {
    fn from(control: &Control) -> Self {
        Self {
            halted: control.mode() == Mode::Safe,
            since_unix_us: control.since_unix_us,
            burst_contracts: control.max_burst_contracts,
        }
    }
}

/// The groups, and who may pass.
#[derive(Debug)]
pub(super) struct Brake {
    rest: KalshiRest,
    /// Tells a successor of the groups.
    file: PathBuf,
    /// Halts the pipeline by being there.
    safe_file: PathBuf,
    word: watch::Receiver<Word>,
    groups: watch::Sender<Groups>,
    tally: Arc<Mutex<Tally>>,
}

/// An order's leave to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pass {
    /// The group that it counts in.
    pub(super) group: String,
    shard: u32,
    since_unix_us: u64,
}

/// No order passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shut;

impl Brake {
    pub(super) fn new(
        rest: KalshiRest,
        run_dir: &Path,
        safe_file: PathBuf,
        word: watch::Receiver<Word>,
        tally: Arc<Mutex<Tally>>,
    ) -> Self {
        Self {
            rest,
            file: run_dir.join("order_groups.json"),
            safe_file,
            word,
            groups: watch::Sender::default(),
            tally,
        }
    }

    /// The group for an order on a shard: at once but at the beginning and after a halt, when it is waited for, no longer
    /// than `patience`.
    pub(super) async fn admit(&self, shard: u32, patience: Duration) -> Result<Pass, Shut> {
        if let Some(verdict) = self.verdict(shard) {
            return verdict;
        }
        let (mut groups, mut word) = (self.groups.subscribe(), self.word.clone());
        let opened = async {
            loop {
                groups.mark_unchanged();
                word.mark_unchanged();
                if let Some(verdict) = self.verdict(shard) {
                    return verdict;
                }
                let changed = tokio::select! {
                    changed = groups.changed() => changed,
                    changed = word.changed() => changed,
                };
                if changed.is_err() {
                    return Err(Shut);
                }
            }
        };
        let opened = tokio::time::timeout(patience, opened).await;
        opened.unwrap_or(Err(Shut))
    }

    /// Whether orders pass; `None` while that is about to change.
    fn verdict(&self, shard: u32) -> Option<Result<Pass, Shut>> {
        let word = *self.word.borrow();
        let groups = self.groups.borrow();
        let group = groups.by_shard.get(&shard)?;
        if group.pulling || group.doubted {
            return None;
        }
        match group.shut_since {
            None => Some(Ok(Pass {
                group: group.id.clone(),
                shard,
                since_unix_us: word.since_unix_us,
            })),
            Some(since) if !word.halted && since == word.since_unix_us => Some(Err(Shut)),
            Some(_) => None,
        }
    }

    /// The venue has refused an order because of its group. Unless that was our own doing, at a halt, nothing is sent any
    /// more and the pipeline is halted.
    pub(super) fn was_shut(&self, pass: &Pass) {
        let word = *self.word.borrow();
        if word.halted || word.since_unix_us != pass.since_unix_us {
            return;
        }
        let first = self.groups.send_if_modified(|groups| {
            let group = groups.by_shard.get_mut(&pass.shard);
            let open = group.filter(|group| group.shut_since.is_none() && !group.pulling);
            open.map(|group| group.shut_since = Some(word.since_unix_us))
                .is_some()
        });
        if !first {
            return;
        }
        let contracts = word.burst_contracts;
        tracing::error!(
            contracts,
            shard = pass.shard,
            "the venue's brake has shut: no order passes until `launch resume`"
        );
        self.tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .brakes_shut += 1;
        let _told = self.remember();
        let reason = format!(
            "the venue's brake has shut: more than limits.max_burst_contracts = {contracts} within 15 s on shard {}\n",
            pass.shard
        );
        if let Err(error) = std::fs::write(&self.safe_file, reason) {
            let path = self.safe_file.display();
            tracing::error!(%error, "trading cannot be halted by `{path}`; say `launch safe`");
        }
    }

    /// The venue has refused an order because it knows no such group on the order's shard: somebody has ended it, or the
    /// market is on another shard. Nothing is sent in it until the venue has been asked.
    pub(super) fn was_missed(&self, pass: &Pass) {
        self.groups.send_if_modified(|groups| {
            let group = groups.by_shard.get_mut(&pass.shard);
            let same = group.filter(|group| group.id == pass.group);
            same.map(|group| group.doubted = true).is_some()
        });
    }

    /// Whether nothing can be taken any more that a predecessor has sent; waited for, but not for long.
    pub(super) async fn is_fenced(&self) -> bool {
        let mut groups = self.groups.subscribe();
        let fenced = groups.wait_for(|groups| groups.fenced);
        matches!(tokio::time::timeout(FENCE, fenced).await, Ok(Ok(_)))
    }

    /// Waits for the first group.
    ///
    /// # Errors
    ///
    /// Why the venue makes none.
    pub(super) async fn opened(&self) -> Result<(), String> {
        let mut groups = self.groups.subscribe();
        let decided = groups.wait_for(|groups| {
            groups.refusal.is_some() || groups.by_shard.contains_key(&FIRST_SHARD)
        });
        // The sender is ours, so it is there.
        match decided.await.ok().and_then(|groups| groups.refusal.clone()) {
            None => Ok(()),
            Some(refusal) => Err(refusal),
        }
    }

    /// Keeps a group on every shard, as the launcher's word has it. Each shard goes its own way, for one may be in
    /// maintenance while the others trade. Ends with the sender of the shards.
    pub(super) async fn keep(self: Arc<Self>, mut shards: watch::Receiver<BTreeSet<u32>>) {
        let mut at_work = JoinSet::new();
        if let Some(dead) = self.adopt() {
            at_work.spawn(Arc::clone(&self).fence(dead));
        }
        let inherited = self.groups.borrow().by_shard.keys().copied().collect();
        let mut kept = BTreeSet::new();
        let mut wanted: BTreeSet<u32> = inherited;
        loop {
            wanted.extend(shards.borrow_and_update().iter());
            for shard in &wanted - &kept {
                kept.insert(shard);
                at_work.spawn(Arc::clone(&self).keep_on(shard));
            }
            if shards.changed().await.is_err() {
                return;
            }
        }
    }

    /// Keeps the group of one shard. Ends with the sender of the word.
    async fn keep_on(self: Arc<Self>, shard: u32) {
        let (mut word, mut groups) = (self.word.clone(), self.groups.subscribe());
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let mut said = false;
        loop {
            let now = *word.borrow_and_update();
            let task = groups.borrow_and_update().next(shard, now);
            let Some(task) = task else {
                let changed = tokio::select! {
                    changed = word.changed() => changed,
                    changed = groups.changed() => changed,
                };
                match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            };
            match self.carry_out(task, shard, now).await {
                Ok(()) => {
                    backoff.reset();
                    said = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::error!(
                            error,
                            ?task,
                            shard,
                            "the venue's brake cannot be had, trying on"
                        );
                    }
                    // A halt does not wait for anything.
                    tokio::select! {
                        () = tokio::time::sleep(backoff.delay()) => {}
                        changed = word.changed() => match changed {
                            Ok(()) => backoff.reset(),
                            Err(_) => return,
                        },
                    }
                }
            }
        }
    }

    async fn carry_out(&self, task: Task, shard: u32, word: Word) -> Result<(), String> {
        let (rest, contracts) = (&self.rest, word.burst_contracts);
        let known = self.groups.borrow().by_shard.get(&shard).cloned();
        let Some(group) = known else {
            return self.open(shard, contracts).await;
        };
        let done = match task {
            Task::Open => return Ok(()),
            Task::Pull => {
                // From now on it may be shut, whatever the answer is.
                self.change(shard, |group| group.pulling = true);
                rest.trigger_order_group(&group.id, shard).await
            }
            Task::Reset if group.inherited => {
                self.discard(shard);
                return Ok(());
            }
            Task::Reset => rest.reset_order_group(&group.id, shard).await,
            Task::Limit => rest.limit_order_group(&group.id, shard, contracts).await,
        };
        match done {
            Ok(()) => self.change(shard, |group| match task {
                Task::Pull => (group.shut_since, group.pulling) = (Some(word.since_unix_us), false),
                Task::Reset => (group.shut_since, group.pulling) = (None, false),
                Task::Limit => (group.contracts, group.doubted) = (contracts, false),
                Task::Open => {}
            }),
            // Where somebody has ended it another is opened.
            Err(error) if error.status() == Some(404) => self.groups.send_modify(|groups| {
                groups.by_shard.remove(&shard);
            }),
            Err(error) => return Err(error.to_string()),
        }
        let _told = self.remember();
        Ok(())
    }

    /// Opens a group, if a successor can be told of it: no order may go in one that it would not know.
    async fn open(&self, shard: u32, contracts: u32) -> Result<(), String> {
        let untold = |error: std::io::Error| format!("{}: {error}", self.file.display());
        // Before there is one, for a group that cannot be used would be made at each try.
        self.remember().map_err(untold)?;
        let id = match self.rest.create_order_group(contracts, shard).await {
            Ok(id) => id,
            Err(error) => {
                let refusal = error.to_string();
                if shard == FIRST_SHARD && is_final(&error) {
                    self.groups
                        .send_modify(|groups| groups.refusal = Some(refusal.clone()));
                }
                return Err(refusal);
            }
        };
        self.groups.send_modify(|groups| {
            if shard == FIRST_SHARD {
                groups.refusal = None;
            }
            groups.by_shard.insert(shard, Group::open(id, contracts));
        });
        self.remember().map_err(|error| {
            self.discard(shard);
            untold(error)
        })
    }

    fn change(&self, shard: u32, change: impl FnOnce(&mut Group)) {
        self.groups
            .send_modify(|groups| groups.by_shard.get_mut(&shard).map_or((), change));
    }

    /// A group that is used no more, until it ends with us.
    fn discard(&self, shard: u32) {
        self.groups.send_modify(|groups| {
            let group = groups.by_shard.remove(&shard);
            groups.old.extend(group.map(|group| (shard, group.id)));
        });
    }
}

#[cfg(test)]
impl Brake {
    /// Open on one shard, whatever the venue says.
    pub(super) fn open_on(self, shard: u32, id: &str) -> Self {
        let group = Group::open(id.into(), self.word.borrow().burst_contracts);
        self.groups.send_modify(|groups| {
            groups.by_shard.insert(shard, group);
            groups.fenced = true;
        });
        self
    }
}

/// The venue has heard, understood and refused.
fn is_final(error: &VenueError) -> bool {
    error.status().is_some() && !error.is_ambiguous() && !error.is_rate_limit()
}

#[cfg(test)]
mod tests;
