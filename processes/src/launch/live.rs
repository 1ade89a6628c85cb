//! Whether real money may be traded: only when it is said with a flag, and then confirmed.

use super::{arguments::MoneyArguments, opening::Account, report::dollars};
use layouts::{MICROS_PER_DOLLAR, units::format_decimal};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use pipeline::Pipeline;
use std::{
    fmt::Write as _,
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
};
use url::{Host, Url};

/// Why a pipeline with these arguments may not be started.
pub(super) fn faults(pipeline: &Pipeline, money: &MoneyArguments) -> Vec<String> {
    let mut faults = Vec::new();
    let dry = money.dry_orders || pipeline.dry_orders;
    match (&pipeline.simulator, money.live, dry) {
        (Some(_), true, _) => faults.push(
            "--live: the pipeline has a [simulator], so nothing of it is live; leave the flag out, or remove the simulator".into(),
        ),
        (None, false, false) => faults.push(format!(
            "it would trade real money at `{}`; say so with --live, or have its orders shown and not sent with --dry-orders",
            pipeline.venue.rest
        )),
        (None, true, true) => faults.push(
            "--live: the pipeline file says `dry_orders = true`; take that line out".into(),
        ),
        _ => {}
    }
    if pipeline.simulator.is_none() && money.live {
        faults.extend(fleeting(&pipeline.run_dir));
    }
    if pipeline.simulator.is_none() {
        let addresses = [
            ("venue.rest", &pipeline.venue.rest),
            ("venue.websocket", &pipeline.venue.websocket),
        ];
        for (field, address) in addresses {
            if !is_private(address) {
                faults.push(format!(
                    "{field} = \"{address}\" is neither encrypted nor on this host; use https:// and wss://"
                ));
            }
        }
    }
    faults
}

/// Why a pipeline may not be laid out for processes that somebody else starts. Those have no launcher, and it is the
/// launcher that compares the account, hears the kill switch and halts on lost feeds and wrong clocks.
pub(super) fn faults_of_prepared(pipeline: &Pipeline, money: &MoneyArguments) -> Vec<String> {
    const UNWATCHED: &str = "nobody would halt processes without a launcher when the account, a feed or a clock goes wrong, or when you say so; run `launch --pipeline FILE --live` on the host, as a service (scripts/systemd/arbees@.service) or in one container, or give --dry-orders";
    if money.live {
        return vec![format!("--live: {UNWATCHED}")];
    }
    let mut faults = faults(pipeline, money);
    if pipeline.simulator.is_none() && !money.dry_orders && !pipeline.dry_orders {
        faults[0] = format!(
            "it would trade real money at `{}`: {UNWATCHED}",
            pipeline.venue.rest
        );
    }
    faults
}

/// Directories that a system empties by itself.
const FLEETING: [&str; 5] = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/var/run"];

/// Why the books of real money may not lie there: with them the numbers of markets and the file `safe` would be gone after
/// a reboot.
fn fleeting(run_dir: &Path) -> Option<String> {
    const CURE: &str = "they and the file `safe` would be gone after a reboot; set run_dir in the pipeline file to a directory on a disk, such as \"/var/lib/arbees/live\"";
    let run_dir = std::path::absolute(run_dir).ok()?;
    // It may not be there yet: then what it is made in says where it will lie.
    let there = run_dir
        .ancestors()
        .find_map(|path| path.canonicalize().ok())?;
    if let Some(place) = FLEETING
        .iter()
        .find(|place| there.starts_with(place) || run_dir.starts_with(place))
    {
        return Some(format!(
            "run_dir = \"{}\": the books of real money do not belong in {place}: {CURE}",
            run_dir.display()
        ));
    }
    let in_memory = statfs(&there).is_ok_and(|found| found.filesystem_type() == TMPFS_MAGIC);
    in_memory.then(|| {
        format!(
            "run_dir = \"{}\": the books of real money do not belong in memory (tmpfs): {CURE}",
            run_dir.display()
        )
    })
}

/// Nobody on the way can read along.
fn is_private(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    here || matches!(url.scheme(), "https" | "wss")
}

/// Tells what is about to be traded with, and takes the pipeline's name for a yes.
///
/// # Errors
///
/// What else was said, or that nobody is there to say it.
pub(super) fn confirm(
    pipeline: &Pipeline,
    account: &Account,
    money: &MoneyArguments,
) -> Result<(), String> {
    eprint!("{}", summary(pipeline, account));
    let name = &pipeline.name;
    if let Some(said) = &money.confirm {
        return if said == name {
            Ok(())
        } else {
            Err(format!("--confirm says `{said}`, the pipeline is `{name}`"))
        };
    }
    let input = io::stdin();
    if !input.is_terminal() {
        return Err(format!(
            "nobody is at a terminal to confirm it; say --confirm {name}"
        ));
    }
    eprint!("Type the pipeline's name to trade: ");
    let _ = io::stderr().flush();
    let mut said = String::new();
    input
        .lock()
        .read_line(&mut said)
        .map_err(|error| format!("the answer cannot be read: {error}"))?;
    if said.trim() == name {
        Ok(())
    } else {
        Err(format!("`{}` is not `{name}`", said.trim()))
    }
}

fn summary(pipeline: &Pipeline, account: &Account) -> String {
    let limits = &pipeline.limits;
    let mut text = format!(
        "LIVE: pipeline `{}` is about to trade real money\n",
        pipeline.name
    );
    let exposure = i64::from(limits.max_exposure_dollars) * MICROS_PER_DOLLAR;
    let lines = [
        ("venue", pipeline.venue.rest.clone()),
        (
            "account",
            format!(
                "${}, something held in {} markets, key `{}`",
                dollars(account.balance_micros),
                account.positions,
                pipeline.venue.key_id
            ),
        ),
        (
            "books",
            match account.adopted {
                0 => "agree with the venue's".to_owned(),
                fills => format!("agree, {fills} fills of ours booked only now"),
            },
        ),
        (
            "limits",
            format!(
                "{} contracts an order, {} a market, ${} a game, {} open orders",
                limits.max_order_contracts,
                limits.max_market_contracts,
                limits.max_game_dollars,
                limits.max_open_orders
            ),
        ),
        (
            "at stake",
            format!("at most ${} at a time", format_decimal(exposure, 6)),
        ),
        (
            "halt",
            format!(
                "touch {}, or launch safe --pipeline FILE",
                pipeline.safe_file().display()
            ),
        ),
    ];
    for (what, value) in lines {
        let _ = writeln!(text, "  {what:<10}{value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::opening::Write;
    use super::*;
    use crate::cold::database::Opening;

    fn shipped() -> Pipeline {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/demo.toml");
        Pipeline::load(&path).unwrap()
    }

    fn real() -> Pipeline {
        let mut pipeline = shipped();
        pipeline.simulator = None;
        pipeline.venue.rest = "https://venue.example/trade-api/v2".into();
        pipeline.venue.websocket = "wss://venue.example/trade-api/ws/v2".into();
        pipeline.venue.key_file = "/secret/place/key.pem".into();
        // On a disk, wherever these sources lie.
        pipeline.run_dir = "/var/lib/arbees/live".into();
        pipeline
    }

    fn money(live: bool, dry_orders: bool) -> MoneyArguments {
        MoneyArguments {
            live,
            dry_orders,
            ..MoneyArguments::default()
        }
    }

    #[test]
    fn real_money_needs_the_flag_and_simulated_money_must_not_have_it() {
        assert!(faults(&shipped(), &money(false, false)).is_empty());
        assert!(faults(&shipped(), &money(false, true)).is_empty());
        assert!(faults(&shipped(), &money(true, false))[0].contains("[simulator]"));
        let refused = faults(&real(), &money(false, false)).join("\n");
        for part in ["--live", "--dry-orders", "https://venue.example"] {
            assert!(refused.contains(part), "{refused}");
        }
        assert!(faults(&real(), &money(true, false)).is_empty());
        assert!(faults(&real(), &money(false, true)).is_empty());
        let mut dry = real();
        dry.dry_orders = true;
        assert!(faults(&dry, &money(false, false)).is_empty());
        assert!(faults(&dry, &money(true, false))[0].contains("dry_orders"));
    }

    #[test]
    fn books_of_real_money_outlast_a_reboot() {
        let found = |run_dir: &str, live| {
            let mut pipeline = real();
            pipeline.run_dir = run_dir.into();
            faults(&pipeline, &money(live, !live)).join("\n")
        };
        for run_dir in [
            // A tmpfs by no name of ours.
            "/dev/arbees/live",
            "/tmp/arbees/live",
            "/tmp",
            "/var/tmp/x",
            "/dev/shm/not/there/yet",
            "/run/arbees",
        ] {
            let refused = found(run_dir, true);
            for part in [run_dir, "after a reboot", "/var/lib/arbees/live"] {
                assert!(refused.contains(part), "{part} in {refused}");
            }
            assert_eq!(found(run_dir, false), "", "nothing is booked");
        }
        for run_dir in ["/var/lib/arbees/live", "/tmpfiles/of/another/name"] {
            assert_eq!(found(run_dir, true), "");
        }
    }

    #[test]
    fn what_is_prepared_for_others_trades_no_real_money() {
        let refused = faults_of_prepared(&real(), &money(true, false)).join("\n");
        for part in ["--live", "without a launcher", "arbees@.service"] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        let unsaid = faults_of_prepared(&real(), &money(false, false));
        assert_eq!(unsaid.len(), 1);
        assert!(unsaid[0].contains("without a launcher"), "{unsaid:?}");
        assert!(faults_of_prepared(&real(), &money(false, true)).is_empty());
        assert!(faults_of_prepared(&shipped(), &money(false, false)).is_empty());
    }

    #[test]
    fn orders_in_the_clear_stay_on_the_host() {
        let mut pipeline = real();
        for (address, private) in [
            ("http://127.0.0.1:9000/trade-api/v2", true),
            ("http://[::1]:9000/x", true),
            ("http://localhost:9000/x", true),
            ("http://127.0.0.1.venue.example/x", false),
            ("http://10.0.0.7:9000/x", false),
            ("nonsense", false),
        ] {
            pipeline.venue.rest = address.into();
            let found = faults(&pipeline, &money(true, false));
            assert_eq!(found.is_empty(), private, "{address}: {found:?}");
        }
    }

    #[test]
    fn only_the_name_confirms_and_what_is_told_names_no_secret() {
        let account = Account {
            balance_micros: 1_234_560_000,
            opening: Opening {
                began_unix_s: 0,
                unix_s: 0,
                cash_micros: 0,
            },
            write: Write::Opening,
            fees: std::collections::BTreeMap::new(),
            positions: 2,
            adopted: 3,
            differences: Vec::new(),
        };
        let said = |name: &str| MoneyArguments {
            live: true,
            confirm: Some(name.into()),
            ..MoneyArguments::default()
        };
        assert!(confirm(&real(), &account, &said("demo")).is_ok());
        assert!(
            confirm(&real(), &account, &said("yes"))
                .unwrap_err()
                .contains("`demo`")
        );
        let text = summary(&real(), &account);
        for part in [
            "https://venue.example",
            "$1234.560000",
            "launch safe",
            "$2000",
            "3 fills of ours",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("key.pem"), "{text}");
    }
}
