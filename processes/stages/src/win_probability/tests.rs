//! Laws of every model.

use super::*;
use bytemuck::Zeroable;
use layouts::Half;
use proptest::prelude::*;

const SPORTS: [Sport; 6] = [
    Sport::Nfl,
    Sport::Ncaaf,
    Sport::Nba,
    Sport::Ncaam,
    Sport::Nhl,
    Sport::Mlb,
];

pub(super) fn live(
    sport: Sport,
    period: u8,
    clock_deciseconds: u16,
    home: u16,
    away: u16,
) -> GameState {
    GameState {
        sport: sport as u8,
        phase: Phase::Live as u8,
        half: if sport == Sport::Mlb {
            Half::Top as u8
        } else {
            Half::None as u8
        },
        period,
        clock_deciseconds,
        home_score: home,
        away_score: away,
        pregame_home_win_e4: NO_PROBABILITY,
        feed_home_win_e4: NO_PROBABILITY,
        ..GameState::zeroed()
    }
}

fn even(state: GameState) -> GameState {
    GameState {
        pregame_home_win_e4: 5_000,
        ..state
    }
}

fn start(sport: Sport) -> GameState {
    let clock = match sport {
        Sport::Nfl | Sport::Ncaaf => 9_000,
        Sport::Nba => 7_200,
        Sport::Ncaam | Sport::Nhl => 12_000,
        Sport::Mlb => 0,
    };
    live(sport, 1, clock, 0, 0)
}

fn home_win(state: &GameState) -> f64 {
    WinProbability::new()
        .home_win(state)
        .expect("a state that can be judged")
}

#[test]
fn a_game_at_its_start_is_worth_its_pregame_probability() {
    for sport in SPORTS {
        for pregame in [1_310_u16, 5_000, 8_000] {
            let state = GameState {
                pregame_home_win_e4: pregame,
                ..start(sport)
            };
            let model = to_e4(home_win(&state));
            assert!(
                model.abs_diff(pregame) <= 20,
                "{sport:?}: {model} not {pregame}"
            );
        }
    }
}

#[test]
fn a_final_score_is_certain_and_a_tie_is_half() {
    for sport in SPORTS {
        let state = |home, away| GameState {
            phase: Phase::Final as u8,
            ..live(sport, 4, 0, home, away)
        };
        assert_eq!(to_e4(home_win(&state(3, 2))), 10_000, "{sport:?}");
        assert_eq!(to_e4(home_win(&state(2, 3))), 0, "{sport:?}");
        assert_eq!(to_e4(home_win(&state(2, 2))), 5_000, "{sport:?}");
    }
}

#[test]
fn what_cannot_be_judged_has_no_probability() {
    let models = WinProbability::new();
    for sport in SPORTS {
        let off = GameState {
            phase: Phase::Off as u8,
            ..start(sport)
        };
        assert_eq!(models.home_win(&off), None);
        assert_eq!(
            models.home_win(&GameState {
                period: 0,
                ..start(sport)
            }),
            None
        );
    }
    assert_eq!(
        models.home_win(&GameState {
            sport: 77,
            ..start(Sport::Nba)
        }),
        None
    );
    assert_eq!(
        models.home_win(&GameState {
            phase: 77,
            ..start(Sport::Nba)
        }),
        None
    );
    assert_eq!(
        models.home_win(&GameState {
            half: 0,
            ..start(Sport::Mlb)
        }),
        None
    );
}

/// Stern's own worked example: home lead 0 at half time is worth more than one half to the
/// stronger team, less than before the game.
#[test]
fn strength_fades_as_time_runs_out() {
    let at = |period, clock| {
        home_win(&GameState {
            pregame_home_win_e4: 7_000,
            ..live(Sport::Nba, period, clock, 50, 50)
        })
    };
    let (early, half, late) = (at(1, 7_200), at(3, 7_200), at(4, 100));
    assert!(
        early > half && half > late && late > 0.5,
        "{early} {half} {late}"
    );
    // phi(phi_inverse(0.7) * sqrt(1/2))
    assert!((half - 0.644_6).abs() < 0.002, "{half}");
}

#[test]
fn overtime_and_last_seconds_are_sane() {
    // Level with no time left: the game goes on.
    for sport in [Sport::Nfl, Sport::Ncaaf, Sport::Nba, Sport::Nhl] {
        let periods = if sport == Sport::Nhl { 3 } else { 4 };
        assert_eq!(
            to_e4(home_win(&even(live(sport, periods, 0, 20, 20)))),
            5_000,
            "{sport:?}"
        );
        assert_eq!(
            to_e4(home_win(&live(sport, periods, 0, 21, 20))),
            10_000,
            "{sport:?}"
        );
        let overtime = to_e4(home_win(&even(live(sport, periods + 1, 3_000, 20, 20))));
        assert!(overtime.abs_diff(5_000) <= 1, "{sport:?}: {overtime}");
    }
    // A point up with a second left is nearly won, and the trailing team with the ball near the
    // goal line keeps a chance.
    assert!(home_win(&live(Sport::Nba, 4, 10, 101, 100)) > 0.9);
    let goal_to_go = GameState {
        possession: 2,
        down: 1,
        yard_line: 5,
        ..live(Sport::Nfl, 4, 200, 20, 18)
    };
    let chance = 1.0 - home_win(&goal_to_go);
    assert!(chance > 0.5 && chance < 0.95, "{chance}");
}

/// The yard line counts from the home goal: at 95 the home team is about to score.
#[test]
fn the_yard_line_is_measured_from_the_home_goal() {
    let at = |possession, yard_line| {
        home_win(&even(GameState {
            possession,
            down: 1,
            yard_line,
            ..live(Sport::Nfl, 2, 9_000, 0, 0)
        }))
    };
    assert!(
        at(1, 95) > at(1, 20) && at(1, 20) > at(2, 80),
        "the ball is worth more upfield"
    );
    assert!(
        (at(1, 95) + at(2, 5) - 1.0).abs() < 1e-6,
        "mirrored for the away team"
    );
}

#[test]
fn baseball_knows_bases_outs_and_the_last_inning() {
    let bottom = |outs, bases, home, away| {
        home_win(&even(GameState {
            half: Half::Bottom as u8,
            outs,
            bases,
            ..live(Sport::Mlb, 9, 0, home, away)
        }))
    };
    assert_eq!(
        to_e4(bottom(0, 0, 4, 3)),
        10_000,
        "the home team leads after the top of the ninth"
    );
    assert_eq!(to_e4(bottom(3, 0, 3, 4)), 0, "the last out is made");
    assert!(bottom(0, 0b111, 3, 4) > bottom(2, 0, 3, 4));
    // Tango's table: trailing by one, bottom of the ninth, nobody on, nobody out: near 0.19.
    let chance = bottom(0, 0, 3, 4);
    assert!((chance - 0.19).abs() < 0.03, "{chance}");
    let extra = even(GameState {
        half: Half::End as u8,
        ..live(Sport::Mlb, 10, 0, 4, 4)
    });
    assert_eq!(to_e4(home_win(&extra)), 5_000);
}

proptest! {
    /// Any bytes give a probability or nothing, never a panic.
    #[test]
    fn any_state_gives_a_probability_or_nothing(
        sport in 0_u8..7, phase in 0_u8..5, period in any::<u8>(), half in 0_u8..6,
        clock_deciseconds in any::<u16>(), home_score in 0_u16..300, away_score in 0_u16..300,
        pregame_home_win_e4 in any::<u16>(), possession in any::<u8>(), down in any::<u8>(),
        yard_line in any::<u8>(), outs in any::<u8>(), bases in any::<u8>(),
    ) {
        let state = GameState {
            sport, phase, period, half, clock_deciseconds, home_score, away_score,
            pregame_home_win_e4, possession, down, yard_line, outs, bases, ..GameState::zeroed()
        };
        if let Some(probability) = WinProbability::new().home_win(&state) {
            prop_assert!((0.0..=1.0).contains(&probability), "{}", probability);
        }
    }

    /// One more point for the home team never makes a home win less likely.
    #[test]
    fn points_help(sport in 0_usize..6, period in 1_u8..6, clock in 0_u16..9_000, home in 0_u16..40, away in 0_u16..40) {
        let state = live(SPORTS[sport], period, clock, home, away);
        let better = GameState { home_score: home + 1, ..state };
        prop_assert!(home_win(&better) >= home_win(&state) - 1e-6);
    }
}
