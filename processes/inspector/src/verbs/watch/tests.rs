//! The screen, drawn from scenes that are made up, on terminals of all sizes; and the keys.

use super::{
    follow::{Line, Messages},
    paint::paint,
    picture,
    scene::{Process, Ring, Scene, Word},
    view::View,
};
use crate::{presence::State, sample::Percentiles};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};

fn word(name: &'static str) -> Word {
    let trouble = ["stuck", "dead", "slow"].contains(&name);
    let say = |text: &str| {
        if trouble {
            text.to_owned()
        } else {
            String::new()
        }
    };
    Word {
        name,
        trouble,
        evidence: say("game_shard.0 (pid 71) holds 3900 of 4096 messages, and took none in 1 s"),
        next: say("continue it if it is stopped (`kill -CONT 71`), else kill it"),
        cause: None,
    }
}

fn ring(name: &str, from: &str, to: &str, depth: u64, verdict: &'static str) -> Ring {
    Ring {
        pipeline: "demo".into(),
        name: name.into(),
        board: false,
        kind: Some("lossless ring"),
        message: Some("PriceUpdate".into()),
        from: Some(from.into()),
        to: Some(to.into()),
        capacity: Some(4096),
        published: Some(1_234_567),
        rate: Some(1_940_000.0),
        depth: Some(depth),
        lost: Some(0),
        lost_rate: Some(0.0),
        full: Some(0),
        hop: Some(Percentiles {
            count: 1000,
            p50_ns: 212,
            p90_ns: 250,
            p99_ns: 4_210,
            p999_ns: 12_300,
            max_ns: 1_200_000,
        }),
        age: None,
        last_s: Some(0.002),
        verdict: word(verdict),
        history: (0..60).map(f64::from).collect(),
    }
}

fn process(name: &str, pid: u32, verdict: &'static str) -> Process {
    Process {
        pipeline: "demo".into(),
        name: name.into(),
        pid: Some(pid),
        verdict: word(verdict),
        state: Some(State::Running),
        restarts: Some(u64::from(pid == 71)),
        beat_s: Some(0.05),
        up_s: Some(840.0),
        cpu: Some(97.6),
        core: Some(3),
        reads: vec!["prices.0".into()],
        writes: vec!["signals.0".into()],
    }
}

/// A shard that is stuck, and what it holds up.
fn scene() -> Scene {
    let mut board = ring("prices", "kalshi_monitor", "", 0, "ok");
    (board.board, board.depth, board.lost) = (true, None, None);
    Scene {
        pipelines: vec!["demo".into()],
        over_s: 1.0,
        up_s: Some(843.0),
        rings: vec![
            ring("prices.0", "kalshi_monitor", "game_shard.0", 3900, "stuck"),
            board,
            ring(
                "signals.0",
                "game_shard.0",
                "signal_processor",
                0,
                "blocked",
            ),
            ring("orders", "signal_processor", "execution_service", 3, "ok"),
        ],
        processes: vec![
            process("kalshi_monitor", 70, "ok"),
            process("game_shard.0", 71, "stuck"),
            process("signal_processor", 72, "idle"),
            process("execution_service", 73, "idle"),
        ],
    }
}

fn messages() -> Messages {
    let line = |number: u64| Line {
        number,
        at_ns: 1,
        values: vec!["77".into(), "9100".into()],
    };
    Messages {
        fields: vec!["market".into(), "bid_price_e4".into()],
        lines: (0..500).map(line).collect(),
        latest: "PriceUpdate v1\n  market        77  id\n  bid_price_e4  9100  1/10000 dollar"
            .into(),
        ..Messages::default()
    }
}

fn drawn(size: (u16, u16), scene: &Scene, view: &View) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    let messages = messages();
    terminal
        .draw(|frame| paint(frame.buffer_mut(), scene, view, Some(&messages)))
        .unwrap();
    terminal
}

fn text(size: (u16, u16), scene: &Scene, view: &View) -> String {
    picture::text(drawn(size, scene, view).backend().buffer())
}

fn expect(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

fn press(view: &mut View, scene: &Scene, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        view.press(KeyEvent::new(code, KeyModifiers::NONE), scene);
    }
}

#[test]
fn a_plain_terminal_shows_rings_processes_and_what_to_do() {
    let text = text((80, 24), &scene(), &View::default());
    expect(
        &text,
        &[
            "demo  up 14m03  rates over 1.00s",
            "2 in trouble",
            "prices.0  stuck      1.94M ███████▋ 3900/4096      -  212ns 4.21us 2.00ms",
            "orders    ok         1.94M ▏·······    3/4096",
            "game_shard.0      stuck     running  50.0ms  98%    3  +1  14m00 prices.0 > sig…",
            "prices.0 stuck: game_shard.0 (pid 71) holds 3900 of 4096 messages",
            "`kill -CONT 71`",
            "q quit",
        ],
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    assert_eq!(text.lines().count(), 24);
}

#[test]
fn a_wide_terminal_shows_who_sends_what_to_whom() {
    let text = text((200, 60), &scene(), &View::default());
    expect(
        &text,
        &[
            "PriceUpdate",
            "kalshi_monitor   game_shard.0",
            "P99.9",
            "12.3us",
            "AGE99",
            "▃▄▄▄▄▄▄▄▄▅▅",
        ],
    );
}

#[test]
fn a_small_terminal_keeps_what_matters_most() {
    let shown = text((40, 10), &scene(), &View::default());
    expect(
        &shown,
        &[
            "PROCESS +2",
            "2 in trouble",
            "prices.0  stuck",
            "1.94M",
            "3900/4096",
            "game_shard.0",
            "q quit",
        ],
    );
    // The process in trouble comes before those that do not fit.
    assert!(!shown.contains("execution_service"), "{shown}");
    let tiny = text((10, 3), &scene(), &View::default());
    expect(&tiny, &["2 in troub", "prices.0"]);
}

/// Each screen, in sizes that nobody has.
#[test]
fn no_size_is_too_small_or_too_large() {
    let sizes = (0..14).flat_map(|width| (0..14).map(move |height| (width, height)));
    let many = Scene {
        rings: (0..300)
            .map(|number| ring(&format!("ring.{number}"), "a", "b", number, "slow"))
            .collect(),
        ..scene()
    };
    for size in sizes.chain([(80, 24), (40, 10), (500, 200), (1, 200), (500, 1)]) {
        for scene in [&Scene::default(), &scene(), &many] {
            let mut view = View::default();
            drawn(size, scene, &view);
            press(&mut view, scene, "jjG\n");
            drawn(size, scene, &view);
            press(&mut view, scene, "kkkkg");
            drawn(size, scene, &view);
            press(&mut view, scene, "?");
            drawn(size, scene, &view);
        }
    }
}

#[test]
fn trouble_is_red_and_nothing_else_is() {
    let terminal = drawn((80, 24), &scene(), &View::default());
    let buffer = terminal.backend().buffer();
    let red = |line: u16| {
        let cells = (0..80).map(|x| &buffer[(x, line)]);
        let red = cells.filter(|cell| cell.fg == Color::Red);
        red.map(ratatui::buffer::Cell::symbol).collect::<String>()
    };
    assert!(red(2).starts_with("prices.0stuck"), "{}", red(2));
    assert_eq!(red(5), "", "orders are well");
    assert_eq!(red(0), "2 in trouble");
}

#[test]
fn rings_are_sorted_filtered_and_chosen_by_keys() {
    let scene = scene();
    let mut view = View::default();
    let first = |view: &View| {
        view.rings(&scene)
            .iter()
            .map(|ring| ring.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(first(&view), ["prices.0", "prices", "signals.0", "orders"]);
    press(&mut view, &scene, "S");
    assert_eq!(first(&view), ["orders", "prices", "prices.0", "signals.0"]);
    press(&mut view, &scene, "s/execution");
    expect(&text((80, 24), &scene, &view), &["filter: execution_"]);
    press(&mut view, &scene, "\n");
    assert_eq!(first(&view), ["orders"], "by its consumer");
    expect(&text((80, 24), &scene, &view), &["only `execution`"]);
    press(&mut view, &scene, "\u{1b}jj");
    assert_eq!(view.selected.as_ref().unwrap().1, "signals.0");
    press(&mut view, &scene, "/none of these\n");
    expect(
        &text((80, 24), &scene, &view),
        &["no ring passes the filter"],
    );
    press(&mut view, &scene, "p");
    expect(&text((80, 24), &scene, &view), &["PAUSED"]);
    assert!(!view.quit);
    press(&mut view, &scene, "q");
    assert!(view.quit);
}

#[test]
fn control_c_quits_from_anywhere() {
    for before in ["", "/", "?", "\n"] {
        let mut view = View::default();
        press(&mut view, &scene(), before);
        view.press(
            KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
            &scene(),
        );
        assert!(view.quit, "{before:?}");
    }
}

#[test]
fn an_open_ring_shows_its_figures_and_the_latest_messages() {
    let scene = scene();
    let mut view = View::default();
    press(&mut view, &scene, "\n");
    let shown = text((80, 30), &scene, &view);
    expect(
        &shown,
        &[
            "prices.0  lossless ring of PriceUpdate  kalshi_monitor > game_shard.0",
            "stuck: game_shard.0 (pid 71)",
            "next: continue it",
            "published 1234567  depth 3900/4096",
            "p99.9 12.3us  max 1.20ms  of 1000",
            "bid_price_e4  9100  1/10000 dollar",
            "NUMBER",
            "499",
        ],
    );
    press(&mut view, &scene, "kk");
    let back = text((80, 30), &scene, &view);
    assert!(back.contains("497") && !back.contains("499"), "{back}");
    press(&mut view, &scene, "\u{1b}");
    assert!(text((80, 30), &scene, &view).contains("PROCESS"));
}

#[test]
fn help_names_the_keys_and_any_key_leaves_it() {
    let mut view = View::default();
    press(&mut view, &scene(), "?");
    expect(
        &text((80, 24), &scene(), &view),
        &["KEYS", "enter", "COLUMNS", "RST", "any key back"],
    );
    press(&mut view, &scene(), "x");
    assert!(text((80, 24), &scene(), &view).contains("prices.0"));
}

/// Two pipelines have rings of the same names.
#[test]
fn rings_of_several_pipelines_are_told_apart() {
    let mut scene = scene();
    scene.pipelines.push("replay".into());
    expect(
        &text((80, 24), &scene, &View::default()),
        &["demo replay", "demo/prices.0"],
    );
}
