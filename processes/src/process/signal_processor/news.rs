//! What is said of games and markets away from the hot path, as far as limits depend on it.
//!
//! A game that is over is decided: what it cost is of the day, and its limits are free again, unless the feed
//! takes its end back: then all of it is at stake again. A position that
//! an earlier launch has left belongs to a game once its market is listed, or is decided as the position
//! database says. While nobody tells, the limits are only stricter; so is a game that is called off, which
//! stays at stake at its worst case until the venue has settled its markets.

use super::day::TradingDay;
use super::recovery::Unlisted;
use crate::cold::database::{self, Database, DatabaseError};
use crate::cold::redis::Cold;
use crate::discovery::{Discovery, Game, Market};
use crate::process::complaints::Complaints;
use crate::process::discoveries::followed;
use crate::runtime::{Context, Failure, handoff, io_thread};
use ipc::clock;
use stages::positions::Settlement;
use stages::risk::{Listing, Outcome, Risk};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// News that may wait for the loop.
const INBOX: usize = 1_024;
/// Between two looks at what the venue has settled.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A piece of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// A game is over.
    Over { game: u32, outcome: Outcome },
    /// A game is not over, or no more so.
    On { game: u32 },
    /// Where a position belongs, or one that was closed.
    Listed {
        listing: Listing,
        position_centi: i64,
        paid_micros: i64,
    },
    /// What a position that nobody has listed has gained today.
    Settled {
        position_centi: i64,
        paid_micros: i64,
        gain_micros: i64,
    },
    /// The venue has settled a market.
    Decided {
        listing: Listing,
        settlement: Settlement,
    },
}

impl News {
    /// Tells the stage.
    #[cold]
    pub(super) fn tell(&self, risk: &mut Risk) {
        let now = clock::mono_ns();
        match *self {
            Self::Over { game, outcome } => risk.on_game_over(game, outcome, now),
            // Said of every game that is announced: seldom any news.
            Self::On { game } => return risk.on_game_on(game, now),
            Self::Listed {
                listing,
                position_centi,
                paid_micros,
            } => risk.list(listing, position_centi, paid_micros, now),
            Self::Settled {
                position_centi,
                paid_micros,
                gain_micros,
            } => risk.settle_unlisted(position_centi, paid_micros, gain_micros, now),
            // Of most of them nothing is held.
            Self::Decided {
                listing,
                settlement,
            } => {
                if !risk.on_settlement(listing, settlement, now) {
                    return;
                }
            }
        }
        let (at_stake_micros, result_today_micros) =
            (risk.at_stake_micros(), risk.result_today_micros());
        tracing::info!(news = ?self, at_stake_micros, result_today_micros, "heard of a game");
    }
}

/// What is known of markets.
#[derive(Default)]
struct Markets {
    unlisted: Unlisted,
    listings: HashMap<u32, Listing>,
    /// Those whose settlement was told.
    settled: HashSet<u32>,
}

/// Follows what is said, from the beginning of the discovery stream.
///
/// # Errors
///
/// When no thread can be had.
pub(super) fn follow(
    context: &Context,
    unlisted: Unlisted,
) -> Result<handoff::Inbox<News>, Failure> {
    let (mut to_hot, inbox) = handoff::to_hot::<News>(INBOX);
    let cold = Cold::connect(&context.pipeline.redis.url, &context.pipeline.name);
    let path = database::path(&context.pipeline);
    // Recorded orders have nothing to do with what this host holds.
    let is_ours = !context.pipeline.replay;
    io_thread("games", move || async move {
        let mut discoveries = followed(cold);
        let mut due = interval(LOOK_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaints = Complaints::default();
        let mut markets = Markets {
            unlisted,
            ..Markets::default()
        };
        loop {
            let news = tokio::select! {
                Some(discovery) = discoveries.recv() => match discovery {
                    Discovery::Game(game) => told(&game).into_iter().collect(),
                    Discovery::Market(market) => listed(&market, &mut markets).into_iter().collect(),
                },
                _ = due.tick(), if is_ours => {
                    let day = TradingDay::at(clock::unix_ns(), clock::mono_ns());
                    settled(&path, day, &mut markets).unwrap_or_else(|error| {
                        complaints.say("settlements cannot be read, trying on", &error);
                        Vec::new()
                    })
                }
            };
            for one in news {
                if to_hot.send(one).await.is_err() {
                    // The process is on its way out.
                    return;
                }
            }
        }
    })?;
    Ok(inbox)
}

fn told(told: &Game) -> Option<News> {
    let game = told.game;
    if told.phase != "final" {
        return Some(News::On { game });
    }
    // Without its score where it was announced by an earlier version: it will be announced again.
    let outcome = Outcome::of_score(told.final_score?);
    Some(News::Over { game, outcome })
}

fn listed(market: &Market, markets: &mut Markets) -> Option<News> {
    let listing = Listing {
        game: market.game,
        team: market.team,
        sport: market.sport()?,
        fee_rate_e4: market.fee_rate_e4,
    };
    markets.listings.insert(market.market, listing);
    let (position_centi, paid_micros) = markets.unlisted.remove(&market.market)?;
    Some(News::Listed {
        listing,
        position_centi,
        paid_micros,
    })
}

/// What the database says is settled by now, of each market once.
fn settled(
    path: &Path,
    day: TradingDay,
    markets: &mut Markets,
) -> Result<Vec<News>, DatabaseError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let database = Database::open_read_only(path)?;
    // Its writer may have only just created it.
    if !database.is_laid_out()? {
        return Ok(Vec::new());
    }
    let today = database.settled_since(day.began_unix_s)?;
    let mut news = Vec::new();
    for (market, settlement) in database.settlements()? {
        if markets.settled.contains(&market) {
            continue;
        }
        let unlisted = markets.unlisted.remove(&market);
        // What was closed before is of the day on which it was.
        if let Some((position_centi, paid_micros)) = unlisted.filter(|(held, _)| *held != 0) {
            let gain_micros = match today.contains(&market) {
                // It was held by an earlier launch: a gain may be another day's.
                true => (settlement.payout_micros(position_centi) - paid_micros).min(0),
                false => 0,
            };
            news.push(News::Settled {
                position_centi,
                paid_micros,
                gain_micros,
            });
        } else if let Some(listing) = markets.listings.get(&market).copied() {
            news.push(News::Decided {
                listing,
                settlement,
            });
        } else {
            continue;
        }
        markets.settled.insert(market);
    }
    Ok(news)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Team;
    use layouts::Sport;

    fn game(phase: &str, final_score: Option<[u16; 2]>) -> Game {
        let team = Team {
            code: "X".into(),
            location: String::new(),
            name: String::new(),
        };
        Game {
            game: 5,
            league: "football/nfl".into(),
            shard: 0,
            start: String::new(),
            home: team.clone(),
            away: team,
            phase: phase.into(),
            final_score,
        }
    }

    #[test]
    fn a_game_is_decided_by_its_final_score_until_it_goes_on() {
        let tie = News::Over {
            game: 5,
            outcome: Outcome::Tie,
        };
        assert_eq!(told(&game("final", Some([17, 17]))), Some(tie));
        assert_eq!(told(&game("final", None)), None);
        for phase in ["live", "scheduled", "off"] {
            assert_eq!(told(&game(phase, None)), Some(News::On { game: 5 }));
        }
        let old = r#"{"game":5,"league":"","shard":0,"start":"","phase":"final",
            "home":{"code":"","location":"","name":""},"away":{"code":"","location":"","name":""}}"#;
        let old: Game = serde_json::from_str(old).expect("an announcement without a score");
        assert_eq!(old.final_score, None);
    }

    #[test]
    fn what_nobody_lists_is_told_once_listed_or_settled() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("positions.db");
        let mut unlisted = Unlisted::from([(1, (1_000, 4_000_000)), (2, (-500, -2_000_000))]);
        unlisted.extend([(3, (100, 10)), (4, (100, 20))]);
        let mut markets = Markets {
            unlisted,
            ..Markets::default()
        };
        let day = TradingDay {
            began_unix_s: 1_000,
            ends_mono_ns: 0,
        };
        let none = settled(&path, day, &mut markets).expect("no database");
        assert!(none.is_empty());
        std::fs::write(&path, "").expect("writes");
        let none = settled(&path, day, &mut markets).expect("nothing in it");
        assert!(none.is_empty());
        let mut database = Database::open(&path).expect("opens");
        for (market, value_e4, at) in [(1, 0, 1_000), (2, 0, 999), (9, 0, 1_000)] {
            database.settle(market, value_e4, Some(at)).expect("new");
        }
        let news = settled(&path, day, &mut markets).expect("reads");
        let told: Vec<_> = news
            .iter()
            .map(|news| match news {
                News::Settled {
                    paid_micros,
                    gain_micros,
                    ..
                } => (*paid_micros, *gain_micros),
                other => panic!("{other:?}"),
            })
            .collect();
        // The second is settled too, but since before today.
        assert_eq!(told, [(4_000_000, -4_000_000), (-2_000_000, 0)]);
        let market = Market {
            market: 3,
            ticker: String::new(),
            event_ticker: String::new(),
            game: 5,
            shard: 0,
            team: 1,
            sport: Sport::Nhl as u8,
            fee_rate_e4: 700,
            tick_e4: 100,
            exchange_index: Some(0),
        };
        assert!(matches!(
            listed(&market, &mut markets),
            Some(News::Listed {
                paid_micros: 10,
                ..
            })
        ));
        assert_eq!(listed(&market, &mut markets), None, "once");
        assert_eq!(markets.unlisted.len(), 1);
        // And settled later, whatever becomes of the game: told once.
        database.settle(3, 5_000, Some(1_001)).expect("new");
        let mut told = || settled(&path, day, &mut markets).expect("reads");
        assert!(
            matches!(told()[..], [News::Decided { listing, settlement }] if listing.game == 5 && settlement == 5_000.into())
        );
        assert_eq!(told(), []);
    }
}
