//! The simulator of both outside worlds, over real sockets on loopback: the exchange (REST and
//! WebSocket) and the scoreboard feed, strict enough that a client cannot tell.
//!
//! | what | where |
//! |---|---|
//! | matching, accounts, identities; no I/O, no clock | `exchange`, `book`, `ledger`, `catalogue`, `records` |
//! | the venue's objects and errors on the wire | `wire`, `answer`, `body`, `order_form` |
//! | who may call, and how often | `auth`, `charge`, `rate_limit` |
//! | REST: public, the account, changes of orders, several at once, brakes | `rest`, `reference`, `portfolio`, `changes`, `batches`, `order_groups` |
//! | what goes wrong with new orders, when asked for | `faults` |
//! | WebSocket: protocol, listeners, sockets | `subscriptions`, `hub`, `websocket` |
//! | what it can be made to do | `steering` |
//! | scoreboards | `feed`, `game`, `teams` |
//! | where games and quotes come from | `world`: `generated` (`sports`, `traders`) or `recorded` |
//! | servers, clock, delays | `server`, `network`, `alarm`, `times` |
//! | recorded frames, verbatim | `frames` |

mod alarm;
mod answer;
mod auth;
mod batches;
mod body;
mod book;
mod catalogue;
mod changes;
mod charge;
mod exchange;
pub(crate) mod faults;
mod feed;
pub mod frames;
mod game;
mod generated;
mod hub;
mod ledger;
mod network;
mod order_form;
mod order_groups;
mod portfolio;
mod rate_limit;
mod recorded;
pub(crate) mod records;
mod reference;
mod rest;
mod server;
mod sports;
mod steering;
mod subscriptions;
mod teams;
mod times;
mod tls;
mod traders;
mod websocket;
mod wire;
pub(crate) mod world;

#[cfg(test)]
pub(crate) mod tests;

use crate::runtime::{Context, Failure};
use auth::Verifier;
use exchange::Exchange;
use generated::Generated;
use layouts::MICROS_PER_DOLLAR;
use network::Network;
use pipeline::{Simulator, Source};
use recorded::Recorded;
use serde_json::{Value, json};
use server::Shared;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use world::World;

/// How often the stop flag is looked at.
const STOP_CHECK: Duration = Duration::from_millis(20);

/// Runs the simulator of a pipeline until it is to stop, and returns its figures.
///
/// # Errors
///
/// When the pipeline has no simulator, its key or record is unusable, or a port is taken.
pub fn run(context: &Context) -> Result<Value, Failure> {
    let pipeline = &context.pipeline;
    let settings = pipeline
        .simulator
        .as_ref()
        .ok_or_else(|| Failure::Configuration("the pipeline file has no [simulator]".into()))?;
    times::run_ahead(settings.clock_ahead_ms);
    let key_file = &pipeline.venue.key_file;
    let key = std::fs::read_to_string(key_file)
        .map_err(|error| Failure::io(format!("read the key `{}`", key_file.display()), error))?;
    let verifier =
        Verifier::from_private_pem(&pipeline.venue.key_id, &key).map_err(Failure::other)?;
    let mut exchange = Exchange::new(&pipeline.run_id);
    let world = world(settings, &mut exchange)?;
    exchange.endow(i64::from(settings.balance_dollars) * MICROS_PER_DOLLAR);
    // What was listed before anybody could listen is in the first snapshots.
    exchange.happenings();
    let network = Network::new(settings.delay_ms, settings.seed);
    let shared = Arc::new(Shared::new(
        exchange,
        verifier,
        network,
        settings.tier.into(),
        world.as_ref(),
    ));
    let (gap, end) = (settings.gap_every, settings.disconnect_every);
    shared.hub.make_trouble(settings.seed, gap, end);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("create a runtime", error))?;
    runtime.block_on(serve(context, settings, Arc::clone(&shared), world))?;
    Ok(figures(&shared))
}

fn world(settings: &Simulator, exchange: &mut Exchange) -> Result<Box<dyn World>, Failure> {
    let now = times::now_us();
    Ok(match settings.source {
        Source::Generated => Box::new(Generated::new(
            settings.seed,
            settings.games,
            settings.speed,
            exchange,
            now,
        )),
        Source::Recorded => {
            let from = settings.from.as_ref().ok_or_else(|| {
                Failure::Configuration("recorded games need `from` in [simulator]".into())
            })?;
            Box::new(
                Recorded::open(from, settings.games, settings.speed, exchange, now)
                    .map_err(Failure::other)?,
            )
        }
    })
}

async fn serve(
    context: &Context,
    settings: &Simulator,
    shared: Arc<Shared>,
    world: Box<dyn World>,
) -> Result<(), Failure> {
    let (venue, venue_address) = bind(settings.venue_port, "venue").await?;
    let (feed, feed_address) = bind(settings.feed_port, "feed").await?;
    let ca_file = if settings.tls {
        context.pipeline.run_dir.join("simulator.ca.pem")
    } else {
        PathBuf::new()
    };
    let certificate = settings.tls.then(|| tls::certify(&ca_file)).transpose()?;
    let s = if settings.tls { "s" } else { "" };
    context.ready_with(&json!({
        "rest": format!("http{s}://{venue_address}{}", server::ROOT),
        "websocket": format!("ws{s}://{venue_address}{}", websocket::PATH),
        "feed": format!("http{s}://{feed_address}/apis/site/v2/sports"),
        "ca_file": ca_file,
    }))?;
    let failed = |error| Failure::io("serve", error);
    let stopped = async {
        while !context.stopping() {
            tokio::time::sleep(STOP_CHECK).await;
        }
    };
    tokio::select! {
        result = server::serve(venue, certificate.clone(), server::venue(&shared)) => result.map_err(failed),
        result = server::serve(feed, certificate.clone(), server::scoreboards(&shared)) => result.map_err(failed),
        () = server::drive(Arc::clone(&shared), world) => Ok(()),
        () = stopped => Ok(()),
    }
}

async fn bind(port: u16, what: &str) -> Result<(TcpListener, std::net::SocketAddr), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| {
            Failure::io(
                format!("bind port {port} of 127.0.0.1 for the simulated {what}"),
                error,
            )
        })?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::io("name the port", error))?;
    Ok((listener, address))
}

fn figures(shared: &Shared) -> Value {
    let mut figures = shared.progress();
    let (orders, fills, settlements, balance) = shared.hub.read(|exchange| {
        let orders = exchange.client_orders(i64::MAX).count();
        let balance = exchange.client().map_or(0, ledger::Account::balance_micros);
        (
            orders,
            exchange.fills().len(),
            exchange.settlements().len(),
            balance,
        )
    });
    figures["orders"] = orders.into();
    figures["fills"] = fills.into();
    figures["settlements"] = settlements.into();
    figures["balance_micros"] = balance.into();
    figures
}
