//! Whether real money may be traded: only when it is said with a flag, and then confirmed.

use super::{arguments::MoneyArguments, opening::Account, report::dollars};
use layouts::{MICROS_PER_DOLLAR, units::format_decimal};
use pipeline::Pipeline;
use std::{
    fmt::Write as _,
    io::{self, BufRead, IsTerminal, Write},
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
            format!("launch safe, or touch {}", pipeline.safe_file().display()),
        ),
    ];
    for (what, value) in lines {
        let _ = writeln!(text, "  {what:<10}{value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cold::database::Opening;
    use std::path::Path;

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
                unix_s: 0,
                cash_micros: 0,
            },
            is_new: true,
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
