//! The dashboard: what is read, how it is looked at, and which ring is open.

use super::{
    follow::{Follower, Messages},
    gather::Gatherer,
    scene::{Key, Scene},
    view::View,
};
use crate::{Failure, place::segments};
use ratatui::crossterm::event::KeyEvent;
use std::path::PathBuf;

/// Everything that is shown, and where it comes from.
pub(super) struct Dashboard {
    asked: Vec<PathBuf>,
    gatherer: Gatherer,
    pub(super) scene: Scene,
    pub(super) view: View,
    follower: Option<(Key, Follower)>,
}

impl Dashboard {
    /// Opens all segments of the directories asked for.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    pub(super) fn open(asked: &[PathBuf], view: View) -> Result<Self, Failure> {
        Ok(Self {
            asked: asked.to_owned(),
            gatherer: Gatherer::open(asked)?,
            scene: Scene::default(),
            view,
            follower: None,
        })
    }

    /// Reads everything once more. While paused only for the rates: what is shown stays.
    pub(super) fn look(&mut self) {
        let scene = self.gatherer.look();
        if self.view.paused {
            return;
        }
        self.scene = scene;
        match &mut self.follower {
            Some((_, follower)) if follower.is_current() => follower.look(),
            _ => {
                self.follower = None;
                self.follow();
            }
        }
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: KeyEvent) {
        self.view.press(key, &self.scene);
        self.follow();
    }

    /// Follows the ring that is open, and none else.
    pub(super) fn follow(&mut self) {
        let open = self.view.opened.as_ref();
        if self.follower.as_ref().map(|(key, _)| key) == open {
            return;
        }
        self.follower = open.and_then(|key| {
            let files = segments(&self.asked).ok()?;
            let file = files
                .into_iter()
                .find(|file| (&file.pipeline, &file.name, file.board) == (&key.0, &key.1, key.2))?;
            let mut follower = Follower::open(&file.path);
            follower.look();
            Some((key.clone(), follower))
        });
    }

    /// The messages of the ring that is open.
    pub(super) fn messages(&self) -> Option<&Messages> {
        self.follower
            .as_ref()
            .map(|(_, follower)| &follower.messages)
    }
}
