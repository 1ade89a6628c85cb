//! The venue's own brake on us: an order group on every shard that we trade on, which lets so many contracts trade within
//! 15 s, and then none of our orders pass. It works although we may be mad, slow or dead, so nothing is sent without it.
//!
//! A halt pulls it, beside the cancel of all that rests, and when trading goes on it is reset. When the venue has shut it
//! itself, the file `safe` halts the whole pipeline, until a person says `launch resume`.
//!
//! What the groups are is kept in a file, for a successor. One that the venue has shut stays shut: to die is no way around a
//! brake. All others it triggers, and opens its own: whatever the dead one had sent names a group that lets nothing pass
//! any more, so it cannot be taken later than its successor has looked for it.

use super::tally::Tally;
use crate::venue::backoff::Backoff;
use crate::venue::error::VenueError;
use crate::venue::kalshi_rest::KalshiRest;
use layouts::{Control, Mode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// First and longest wait before the venue is asked again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// The venue's shard for all that names none.
const FIRST_SHARD: u32 = 0;
/// Longest wait for the end of the groups, when this process ends.
const FAREWELL: Duration = Duration::from_secs(2);
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

#[derive(Debug, Default, Serialize, Deserialize)]
struct Groups {
    by_shard: BTreeMap<u32, Group>,
    /// Those of predecessors, triggered, with their shards: they end with us.
    old: Vec<(u32, String)>,
    /// Why the venue makes none.
    #[serde(skip)]
    refusal: Option<String>,
    /// Nothing that a predecessor has sent can be taken any more.
    #[serde(skip)]
    fenced: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    id: String,
    contracts: u32,
    /// The beginning of the launcher's mode in which it was shut, by us at a halt or else by the venue; `None` while
    /// orders pass. Reset in a trading mode that began at another time.
    shut_since: Option<u64>,
    /// A predecessor's: it is not reset, but replaced.
    #[serde(skip)]
    inherited: bool,
}

/// What is to be done at the venue next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Pull(u32),
    Open(u32),
    Limit(u32),
    Reset(u32),
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
    pub(super) async fn admit(
        &self,
        exchange_index: Option<u32>,
        patience: Duration,
    ) -> Result<Pass, Shut> {
        let shard = exchange_index.unwrap_or(FIRST_SHARD);
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
            let open = group.filter(|group| group.shut_since.is_none());
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
            "the venue's brake has shut: more than limits.max_burst_contracts = {contracts} within 15 s\n"
        );
        if let Err(error) = std::fs::write(&self.safe_file, reason) {
            let path = self.safe_file.display();
            tracing::error!(%error, "trading cannot be halted by `{path}`; say `launch safe`");
        }
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

    /// Keeps a group on every shard, as the launcher's word has it. Ends with either sender.
    pub(super) async fn keep(&self, mut shards: watch::Receiver<BTreeSet<u32>>) {
        self.adopt().await;
        let mut word = self.word.clone();
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        let mut said = false;
        loop {
            let now = *word.borrow_and_update();
            let wanted = shards.borrow_and_update().clone();
            let Some(task) = self.next(now, &wanted) else {
                let changed = tokio::select! {
                    changed = word.changed() => changed,
                    changed = shards.changed() => changed,
                };
                match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            };
            match self.carry_out(task, now).await {
                Ok(()) => {
                    backoff.reset();
                    said = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::error!(%error, ?task, "the venue's brake cannot be had, trying on");
                    }
                    if matches!(task, Task::Open(_)) && is_final(&error) {
                        let refusal = error.to_string();
                        self.groups
                            .send_modify(|groups| groups.refusal = Some(refusal));
                    }
                    tokio::time::sleep(backoff.delay()).await;
                }
            }
        }
    }

    /// What the word asks for and the venue does not have yet; halts come first.
    fn next(&self, word: Word, wanted: &BTreeSet<u32>) -> Option<Task> {
        let groups = self.groups.borrow();
        let all = || groups.by_shard.iter().map(|(shard, group)| (*shard, group));
        let at_this = |group: &Group| group.shut_since == Some(word.since_unix_us);
        let pull = all().find(|(_, group)| word.halted && !at_this(group));
        let open = wanted
            .iter()
            .find(|shard| !groups.by_shard.contains_key(*shard));
        let limit = all().find(|(_, group)| group.contracts != word.burst_contracts);
        let is_past = |group: &Group| group.shut_since.is_some() && !at_this(group);
        let reset = all().find(|(_, group)| !word.halted && is_past(group));
        pull.map(|(shard, _)| Task::Pull(shard))
            .or_else(|| open.map(|shard| Task::Open(*shard)))
            .or_else(|| limit.map(|(shard, _)| Task::Limit(shard)))
            .or_else(|| reset.map(|(shard, _)| Task::Reset(shard)))
    }

    async fn carry_out(&self, task: Task, word: Word) -> Result<(), VenueError> {
        let (Task::Pull(shard) | Task::Open(shard) | Task::Limit(shard) | Task::Reset(shard)) =
            task;
        let known = self.groups.borrow().by_shard.get(&shard).cloned();
        let (rest, contracts) = (&self.rest, word.burst_contracts);
        let mut group = known.clone().unwrap_or(Group {
            id: String::new(),
            contracts,
            shut_since: None,
            inherited: false,
        });
        let done = match task {
            Task::Open(_) => {
                let made = rest.create_order_group(contracts, shard).await;
                made.map(|id| group.id = id)
            }
            Task::Pull(_) => {
                group.shut_since = Some(word.since_unix_us);
                rest.trigger_order_group(&group.id, shard).await
            }
            Task::Reset(_) if group.inherited => {
                self.groups.send_modify(|groups| {
                    groups.by_shard.remove(&shard);
                    groups.old.push((shard, group.id));
                });
                return Ok(());
            }
            Task::Reset(_) => {
                group.shut_since = None;
                rest.reset_order_group(&group.id, shard).await
            }
            Task::Limit(_) => {
                group.contracts = contracts;
                rest.limit_order_group(&group.id, shard, contracts).await
            }
        };
        let gone = done
            .as_ref()
            .is_err_and(|error| error.status() == Some(404) && known.is_some());
        if done.is_err() && !gone {
            return done;
        }
        self.groups.send_modify(|groups| {
            // Where somebody has ended it another is opened.
            if gone {
                groups.by_shard.remove(&shard);
            } else {
                // The venue may have shut it meanwhile.
                let shut = groups
                    .by_shard
                    .get(&shard)
                    .and_then(|group| group.shut_since);
                if matches!(task, Task::Limit(_)) {
                    group.shut_since = shut;
                }
                groups.refusal = None;
                groups.by_shard.insert(shard, group);
            }
        });
        if self.remember().is_err() && matches!(task, Task::Open(_)) {
            // No order may go in a group that a successor would not know.
            self.groups.send_modify(|groups| {
                let group = groups.by_shard.remove(&shard);
                groups.old.extend(group.map(|group| (shard, group.id)));
            });
        }
        Ok(())
    }

    /// Sees to what a predecessor has left. Without a file it has sent nothing: no order goes before its group is there.
    async fn adopt(&self) {
        let left: Groups = match std::fs::read(&self.file).map(|text| serde_json::from_slice(&text))
        {
            Ok(Ok(left)) => left,
            Err(error) if error.kind() == ErrorKind::NotFound => Groups::default(),
            _ => return tracing::error!("the order groups of a predecessor are not known"),
        };
        let mut found = Groups::default();
        for (shard, id) in left.old {
            if let Err(error) = self.rest.delete_order_group(&id, shard).await {
                tracing::debug!(%error, "an old order group is left");
            }
        }
        for (shard, mut group) in left.by_shard {
            let word = *self.word.borrow();
            if !word.halted && group.shut_since == Some(word.since_unix_us) {
                group.inherited = true;
                found.by_shard.insert(shard, group);
            } else if self.shut_for_ever(shard, &group.id).await {
                found.old.push((shard, group.id));
            } else {
                return tracing::error!(group.id, "a predecessor's order group cannot be shut");
            }
        }
        found.fenced = true;
        self.groups.send_modify(|groups| *groups = found);
    }

    /// Triggers a group that is not reset any more; whether nothing passes it.
    async fn shut_for_ever(&self, shard: u32, id: &str) -> bool {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            match self.rest.trigger_order_group(id, shard).await {
                Ok(()) => return true,
                Err(error) if error.status() == Some(404) => return true,
                Err(error) if is_final(&error) => return false,
                Err(error) => tracing::debug!(%error, "an order group cannot be shut, trying on"),
            }
            tokio::time::sleep(backoff.delay()).await;
        }
    }

    /// Ends the groups: this process sends no more.
    pub(super) async fn end(&self) {
        let groups: Vec<(u32, String)> = {
            let groups = self.groups.borrow();
            let ours = groups.by_shard.iter();
            let ours = ours.map(|(shard, group)| (*shard, group.id.clone()));
            ours.chain(groups.old.iter().cloned()).collect()
        };
        let ending = async {
            for (shard, id) in groups {
                match self.rest.delete_order_group(&id, shard).await {
                    Err(error) if error.status() != Some(404) => return Err(error),
                    _ => {}
                }
            }
            Ok::<_, VenueError>(())
        };
        match tokio::time::timeout(FAREWELL, ending).await {
            Ok(Ok(())) => drop(std::fs::remove_file(&self.file)),
            Ok(Err(error)) => tracing::warn!(%error, "an order group is left at the venue"),
            Err(_) => tracing::warn!("the venue does not answer: order groups are left there"),
        }
    }

    /// Tells a successor. Whole or not at all, for this process may die over it.
    fn remember(&self) -> std::io::Result<()> {
        let groups = self.groups.borrow();
        let partial = self.file.with_extension("partial");
        let kept = serde_json::to_vec(&*groups)
            .map_err(std::io::Error::from)
            .and_then(|text| std::fs::write(&partial, text))
            .and_then(|()| std::fs::rename(&partial, &self.file));
        kept.inspect_err(
            |error| tracing::error!(%error, "a successor will not know the order groups"),
        )
    }
}

#[cfg(test)]
impl Brake {
    /// Open on one shard, whatever the venue says.
    pub(super) fn open_on(self, shard: u32, id: &str) -> Self {
        let group = Group {
            id: id.into(),
            contracts: self.word.borrow().burst_contracts,
            shut_since: None,
            inherited: false,
        };
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
