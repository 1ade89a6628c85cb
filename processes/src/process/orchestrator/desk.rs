//! What the orchestrator knows of every game, and what follows from a new look at a scoreboard.

use crate::discovery::Game;
use crate::venue::espn::{Arrival, ParsedGame};
use crate::venue::league::League;
use layouts::game::NO_PROBABILITY;
use layouts::{GameState, Phase};
use std::collections::{HashMap, HashSet};

/// How often a live game that does not change is sent, so that its readers know it to be fresh.
pub const REFRESH_NS: u64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;
/// How much older than what is known a look may be: ages and stamps are whole seconds.
const BACKWARDS_NS: u64 = 1_000_000_000;

/// Every game, in memory.
#[derive(Debug)]
pub struct GameDesk {
    shards: u8,
    next_shard: u8,
    assigned: HashMap<u32, u8>,
    games: HashMap<u32, Known>,
    /// What each league's last scoreboard showed, by the league's path.
    shown: HashMap<&'static str, Shown>,
    /// How long a scoreboard that does not change is believed.
    frozen_ns: u64,
}

#[derive(Debug)]
struct Shown {
    games: HashSet<u32>,
    /// Since when it has been the same.
    since_mono_ns: u64,
}

#[derive(Debug)]
struct Known {
    announced: Game,
    last: GameState,
}

/// What follows from one look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// To be sent to the ring of a shard.
    pub states: Vec<(u8, GameState)>,
    /// To be announced.
    pub announcements: Vec<Game>,
    /// The scoreboard has been the same for longer than is believed: it keeps no game fresh.
    pub frozen: bool,
    /// Games that are known from a later look than this one.
    pub older: u64,
}

impl GameDesk {
    /// Starts with the assignments of an earlier run. A scoreboard is believed for so long without a change.
    #[must_use]
    pub fn new(
        shards: u8,
        frozen_ms: u64,
        remembered: impl IntoIterator<Item = (u32, u8)>,
    ) -> Self {
        let shards = shards.max(1);
        let assigned: HashMap<u32, u8> = remembered
            .into_iter()
            .filter(|(_, shard)| *shard < shards)
            .collect();
        let next_shard = u8::try_from(assigned.len() % usize::from(shards)).unwrap_or(0);
        Self {
            shards,
            next_shard,
            assigned,
            games: HashMap::new(),
            shown: HashMap::new(),
            frozen_ns: frozen_ms.saturating_mul(NS_PER_MS),
        }
    }

    /// Number of games known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.games.len()
    }

    /// Whether no game is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.games.is_empty()
    }

    /// Takes the games of a scoreboard that has changed. What is older than what is known of a game, as one of
    /// several caches in between may have it, is nothing new: it does not bring back a score, and the board that
    /// shows it keeps the game no fresher.
    pub fn on_scoreboard(
        &mut self,
        league: League,
        games: Vec<ParsedGame>,
        arrival: Arrival,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut shown = Shown {
            games: HashSet::new(),
            since_mono_ns: arrival.mono_ns,
        };
        for game in games {
            if self.is_older(&game.state) {
                outcome.older += 1;
                continue;
            }
            shown.games.insert(game.state.game);
            self.on_game(league, game, &mut outcome);
        }
        if let Some(before) = self.shown.get(league.path)
            && outcome.older > 0
        {
            shown.since_mono_ns = before.since_mono_ns;
        }
        self.shown.insert(league.path, shown);
        outcome
    }

    /// Takes the news that a league's scoreboard is what it was. It says so of the games on it only:
    /// one that has left it must grow old. So must all of them when nothing at all changes for too long:
    /// somebody in between serves what he has kept, and says that it is new.
    pub fn on_unchanged(&mut self, league: League, arrival: Arrival) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(shown) = self.shown.get(league.path) else {
            return outcome;
        };
        let same_ns = arrival.mono_ns.saturating_sub(shown.since_mono_ns);
        outcome.frozen = same_ns > self.frozen_ns && self.is_any_live(&shown.games);
        if outcome.frozen {
            return outcome;
        }
        for number in &shown.games {
            let Some(known) = self.games.get_mut(number) else {
                continue;
            };
            let mut state = known.last;
            state.ingress_mono_ns = arrival.mono_ns;
            state.ingress_unix_us = arrival.unix_us;
            if due(&known.last, &state) {
                known.last = state;
                outcome.states.push((known.announced.shard, state));
            }
        }
        outcome
    }

    fn is_any_live(&self, games: &HashSet<u32>) -> bool {
        let mut known = games.iter().filter_map(|number| self.games.get(number));
        known.any(|known| known.last.phase() == Some(Phase::Live))
    }

    fn is_older(&self, state: &GameState) -> bool {
        let known = self.games.get(&state.game);
        known.is_some_and(|known| {
            state.ingress_mono_ns.saturating_add(BACKWARDS_NS) < known.last.ingress_mono_ns
        })
    }

    fn on_game(&mut self, league: League, game: ParsedGame, outcome: &mut Outcome) {
        let shard = self.shard_of(game.state.game);
        let mut state = game.state;
        let over = state.phase() == Some(Phase::Final);
        let announcement = Game {
            game: state.game,
            league: league.path.to_owned(),
            shard,
            start: game.start,
            home: game.home,
            away: game.away,
            phase: phase_name(state.phase()).to_owned(),
            final_score: over.then_some([state.home_score, state.away_score]),
        };
        let Some(known) = self.games.get_mut(&state.game) else {
            outcome.announcements.push(announcement.clone());
            outcome.states.push((shard, state));
            self.games.insert(
                state.game,
                Known {
                    announced: announcement,
                    last: state,
                },
            );
            return;
        };
        // The line is shown only until the game starts; it is worth keeping.
        if state.pregame_home_win_e4 == NO_PROBABILITY {
            state.pregame_home_win_e4 = known.last.pregame_home_win_e4;
        }
        if known.announced != announcement {
            known.announced = announcement.clone();
            outcome.announcements.push(announcement);
        }
        if due(&known.last, &state) {
            known.last = state;
            outcome.states.push((shard, state));
        }
    }

    /// Round robin, and the same for ever.
    fn shard_of(&mut self, game: u32) -> u8 {
        if let Some(shard) = self.assigned.get(&game) {
            return *shard;
        }
        let shard = self.next_shard;
        self.next_shard = (shard + 1) % self.shards;
        self.assigned.insert(game, shard);
        shard
    }
}

/// Whether a state says anything new, or is live and was last sent a while ago.
fn due(last: &GameState, state: &GameState) -> bool {
    let stamps = GameState {
        ingress_mono_ns: last.ingress_mono_ns,
        ingress_unix_us: last.ingress_unix_us,
        ..*state
    };
    let old = state.ingress_mono_ns.saturating_sub(last.ingress_mono_ns) >= REFRESH_NS;
    stamps != *last || (old && state.phase() == Some(Phase::Live))
}

fn phase_name(phase: Option<Phase>) -> &'static str {
    match phase {
        Some(Phase::Scheduled) => "scheduled",
        Some(Phase::Live) => "live",
        Some(Phase::Final) => "final",
        Some(Phase::Off) | None => "off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Team;
    use crate::venue::league::LEAGUES;
    use bytemuck::Zeroable as _;

    const NFL: League = LEAGUES[0];
    const FROZEN_MS: u64 = 120_000;

    fn game(number: u32, phase: Phase, home_score: u16, mono_ns: u64) -> ParsedGame {
        let team = Team {
            code: "X".into(),
            location: String::new(),
            name: String::new(),
        };
        let state = GameState {
            game: number,
            phase: phase as u8,
            home_score,
            ingress_mono_ns: mono_ns,
            pregame_home_win_e4: if phase == Phase::Scheduled {
                6_000
            } else {
                NO_PROBABILITY
            },
            ..GameState::zeroed()
        };
        ParsedGame {
            state,
            start: String::new(),
            home: team.clone(),
            away: team,
        }
    }

    fn desk() -> GameDesk {
        GameDesk::new(1, FROZEN_MS, [])
    }

    fn at(mono_ns: u64) -> Arrival {
        Arrival {
            mono_ns,
            unix_us: 9,
        }
    }

    /// The arrival is that of the games.
    fn on_scoreboard(desk: &mut GameDesk, games: Vec<ParsedGame>) -> Outcome {
        let arrived = games.iter().map(|game| game.state.ingress_mono_ns).max();
        desk.on_scoreboard(NFL, games, at(arrived.unwrap_or(0)))
    }

    /// Somebody in between answers for ever with what he has kept.
    #[test]
    fn limit_frozen_feed_trips() {
        let mut desk = desk();
        on_scoreboard(&mut desk, vec![game(1, Phase::Live, 0, 0)]);
        let frozen = desk.on_unchanged(NFL, at(FROZEN_MS * NS_PER_MS + 1));
        assert!(frozen.frozen && frozen.states.is_empty(), "{frozen:?}");
        // One change, of whatever, and it is believed again.
        let later = 2 * FROZEN_MS * NS_PER_MS;
        on_scoreboard(&mut desk, vec![game(1, Phase::Live, 0, later)]);
        let alive = desk.on_unchanged(NFL, at(later + FROZEN_MS * NS_PER_MS));
        assert_eq!((alive.frozen, alive.states.len()), (false, 1));
    }

    #[test]
    fn limit_frozen_feed_lets_pass() {
        let mut desk = desk();
        on_scoreboard(&mut desk, vec![game(1, Phase::Live, 0, 0)]);
        let outcome = desk.on_unchanged(NFL, at(FROZEN_MS * NS_PER_MS));
        assert_eq!((outcome.frozen, outcome.states.len()), (false, 1));
        // Where nothing is played, nothing needs to change.
        let end = FROZEN_MS * NS_PER_MS;
        on_scoreboard(&mut desk, vec![game(1, Phase::Final, 0, end)]);
        let night = desk.on_unchanged(NFL, at(9 * FROZEN_MS * NS_PER_MS));
        assert_eq!(night, Outcome::default());
    }

    /// Two caches, of which one is behind: its copy took a score back, and a game's end.
    #[test]
    fn an_older_copy_takes_nothing_back() {
        let mut desk = desk();
        let now = 20 * REFRESH_NS;
        on_scoreboard(&mut desk, vec![game(1, Phase::Live, 7, now)]);
        let behind = on_scoreboard(
            &mut desk,
            vec![game(1, Phase::Live, 0, now - 8 * REFRESH_NS)],
        );
        assert_eq!(
            behind,
            Outcome {
                older: 1,
                ..Outcome::default()
            }
        );
        // That the older copy is what it was says nothing of the score.
        assert_eq!(
            desk.on_unchanged(NFL, at(now + REFRESH_NS)),
            Outcome::default()
        );
        on_scoreboard(&mut desk, vec![game(1, Phase::Final, 7, now + REFRESH_NS)]);
        let again = on_scoreboard(&mut desk, vec![game(1, Phase::Live, 7, now - 1)]);
        assert_eq!(
            (again.older, again.states.len(), again.announcements.len()),
            (1, 0, 0)
        );
        // Within what stamps can tell, and later, the last word counts.
        let amended = on_scoreboard(&mut desk, vec![game(1, Phase::Live, 6, now)]);
        assert_eq!((amended.older, amended.states.len()), (0, 1));
    }

    #[test]
    fn an_older_copy_is_no_sign_of_life() {
        let mut desk = desk();
        let (began, end) = (9 * REFRESH_NS, 9 * REFRESH_NS + FROZEN_MS * NS_PER_MS);
        on_scoreboard(&mut desk, vec![game(1, Phase::Live, 0, began)]);
        assert_eq!(desk.on_unchanged(NFL, at(end - REFRESH_NS)).states.len(), 1);
        let older = || {
            vec![
                game(1, Phase::Live, 3, end - 9 * REFRESH_NS),
                game(2, Phase::Live, 0, end),
            ]
        };
        let arrival = at(end);
        assert_eq!(desk.on_scoreboard(NFL, older(), arrival).older, 1);
        assert!(desk.on_unchanged(NFL, at(end + 1)).frozen);
    }

    fn shards(outcome: &Outcome) -> Vec<u8> {
        outcome
            .announcements
            .iter()
            .map(|game| game.shard)
            .collect()
    }

    #[test]
    fn games_go_to_shards_in_turn_and_stay_there() {
        let mut desk = GameDesk::new(2, FROZEN_MS, []);
        let all = || {
            (1..=4)
                .map(|number| game(number, Phase::Scheduled, 0, 1))
                .collect::<Vec<_>>()
        };
        assert_eq!(shards(&on_scoreboard(&mut desk, all())), [0, 1, 0, 1]);
        let mut again = GameDesk::new(2, FROZEN_MS, [(3, 0), (9, 7)]);
        assert_eq!(
            shards(&on_scoreboard(&mut again, all())),
            [1, 0, 0, 1],
            "3 remembered, 9 no shard of ours"
        );
    }

    #[test]
    fn a_change_is_sent_at_once_and_a_live_game_every_second() {
        let mut desk = desk();
        let mut sent = |game| on_scoreboard(&mut desk, vec![game]).states.len();
        assert_eq!(sent(game(1, Phase::Live, 0, 0)), 1, "new");
        assert_eq!(sent(game(1, Phase::Live, 0, REFRESH_NS - 1)), 0, "the same");
        assert_eq!(sent(game(1, Phase::Live, 3, REFRESH_NS - 1)), 1, "a score");
        assert_eq!(
            sent(game(1, Phase::Live, 3, 2 * REFRESH_NS)),
            1,
            "a second later"
        );
        assert_eq!(sent(game(1, Phase::Final, 3, 2 * REFRESH_NS)), 1, "over");
        assert_eq!(
            sent(game(1, Phase::Final, 3, 9 * REFRESH_NS)),
            0,
            "over for good"
        );
    }

    #[test]
    fn an_unchanged_board_keeps_live_games_fresh() {
        let mut desk = desk();
        on_scoreboard(
            &mut desk,
            vec![game(1, Phase::Live, 0, 0), game(2, Phase::Scheduled, 0, 0)],
        );
        let later = Arrival {
            mono_ns: 5 * REFRESH_NS,
            unix_us: 9,
        };
        let outcome = desk.on_unchanged(NFL, later);
        let [(0, state)] = outcome.states.as_slice() else {
            panic!("{outcome:?}")
        };
        assert_eq!(
            (state.game, state.ingress_mono_ns, state.ingress_unix_us),
            (1, later.mono_ns, 9)
        );
        assert_eq!(
            desk.on_unchanged(LEAGUES[5], later),
            Outcome::default(),
            "another league"
        );
    }

    #[test]
    fn a_live_game_that_left_the_board_is_not_kept_fresh() {
        let mut desk = desk();
        let live = |number| game(number, Phase::Live, 0, 0);
        on_scoreboard(&mut desk, vec![live(1), live(2)]);
        on_scoreboard(&mut desk, vec![live(2)]);
        let later = Arrival {
            mono_ns: 5 * REFRESH_NS,
            unix_us: 9,
        };
        let fresh = |outcome: Outcome| -> Vec<u32> {
            outcome.states.iter().map(|(_, state)| state.game).collect()
        };
        assert_eq!(fresh(desk.on_unchanged(NFL, later)), [2]);
    }

    #[test]
    fn phases_are_announced_and_the_line_before_the_game_is_kept() {
        let mut desk = desk();
        on_scoreboard(&mut desk, vec![game(1, Phase::Scheduled, 0, 0)]);
        let outcome = on_scoreboard(&mut desk, vec![game(1, Phase::Live, 0, 1)]);
        assert_eq!(outcome.announcements[0].phase, "live");
        assert_eq!(outcome.states[0].1.pregame_home_win_e4, 6_000);
        assert_eq!(
            on_scoreboard(&mut desk, vec![game(1, Phase::Live, 0, 2)]),
            Outcome::default()
        );
    }

    /// A result is announced once, when it is one: each score of a live game would be an announcement.
    #[test]
    fn the_score_is_announced_when_it_is_final() {
        let mut desk = desk();
        let mut announced = |phase, score, at| {
            let outcome = on_scoreboard(&mut desk, vec![game(1, phase, score, at)]);
            outcome
                .announcements
                .first()
                .map(|announced| announced.final_score)
        };
        assert_eq!(announced(Phase::Live, 3, 1), Some(None));
        assert_eq!(announced(Phase::Live, 7, 2), None);
        assert_eq!(announced(Phase::Final, 7, 3), Some(Some([7, 0])));
        assert_eq!(announced(Phase::Final, 8, 4), Some(Some([8, 0])), "amended");
    }
}
