//! From one process to the next: the groups are kept in a file, and those of the dead are shut.

use super::groups::{Group, Groups};
use super::{BACKOFF, Brake, is_final};
use crate::venue::backoff::Backoff;
use crate::venue::error::VenueError;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Longest wait for the end of the groups, when this process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// A group that lets nothing pass any more.
#[derive(Debug)]
pub(super) struct Dead {
    shard: u32,
    id: String,
    /// Not of the last process, but of one before: it need not be kept.
    aged: bool,
}

impl Brake {
    /// Takes over what a predecessor has left, before anything is asked of the venue: what is to be shut now; `None`
    /// if that is not known. Without a file it has sent nothing: no order goes before its group is there.
    pub(super) fn adopt(&self) -> Option<Vec<Dead>> {
        let left: Groups = match std::fs::read(&self.file).map(|text| serde_json::from_slice(&text))
        {
            Ok(Ok(left)) => left,
            Err(error) if error.kind() == ErrorKind::NotFound => Groups::default(),
            _ => {
                tracing::error!("the order groups of a predecessor are not known");
                return None;
            }
        };
        let word = *self.word.borrow();
        let stays_shut =
            |group: &Group| !word.halted && group.shut_since == Some(word.since_unix_us);
        let mut dead: Vec<Dead> = Vec::new();
        self.groups.send_modify(|groups| {
            for (shard, id) in left.old {
                groups.old.push((shard, id.clone()));
                let aged = true;
                dead.push(Dead { shard, id, aged });
            }
            for (shard, mut group) in left.by_shard {
                if stays_shut(&group) {
                    group.inherited = true;
                    groups.by_shard.insert(shard, group);
                } else {
                    let (id, aged) = (group.id, false);
                    groups.old.push((shard, id.clone()));
                    dead.push(Dead { shard, id, aged });
                }
            }
        });
        Some(dead)
    }

    /// Shuts the groups of the dead, all at once: one shard that does not answer holds up no other.
    pub(super) async fn fence(self: Arc<Self>, dead: Vec<Dead>) {
        let mut shutting = JoinSet::new();
        for one in dead {
            let brake = Arc::clone(&self);
            shutting.spawn(async move { brake.shut_for_ever(&one).await });
        }
        let shut = shutting.join_all().await;
        if shut.into_iter().all(|shut| shut) {
            self.groups.send_modify(|groups| groups.fenced = true);
        }
    }

    /// Triggers a group that is not reset any more, or ends it; whether nothing passes it.
    async fn shut_for_ever(&self, dead: &Dead) -> bool {
        let (shard, id) = (dead.shard, dead.id.as_str());
        if dead.aged {
            match self.rest.delete_order_group(id, shard).await {
                Err(error) if error.status() != Some(404) => {
                    tracing::debug!(%error, "an old order group is left");
                }
                _ => {
                    self.groups
                        .send_modify(|groups| groups.old.retain(|(_, old)| old != id));
                    return true;
                }
            }
        }
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            match self.rest.trigger_order_group(id, shard).await {
                Ok(()) => return true,
                Err(error) if error.status() == Some(404) => return true,
                Err(error) if is_final(&error) => {
                    tracing::error!(%error, id, "a predecessor's order group cannot be shut");
                    return false;
                }
                Err(error) => tracing::debug!(%error, "an order group cannot be shut, trying on"),
            }
            tokio::time::sleep(backoff.delay()).await;
        }
    }

    /// Ends the groups: this process sends no more.
    pub(in super::super) async fn end(&self) {
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
    pub(super) fn remember(&self) -> std::io::Result<()> {
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
