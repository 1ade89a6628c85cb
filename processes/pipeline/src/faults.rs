//! What is wrong with a pipeline file: every fault at once, each with what was found and the fix.

use super::{CONTROL, Core, HotPath, LinkKind, Pipeline, Source};
use std::collections::HashSet;

mod bounds;
mod real_time;

/// The programs that a process can run.
pub const PROGRAMS: [&str; 8] = [
    "kalshi_monitor",
    "orchestrator",
    "market_discovery",
    "game_shard",
    "signal_processor",
    "execution_service",
    "position_tracker",
    "simulator",
];

/// Who may send which message to whom: `(from, message, to, must be lossless)`.
const WIRING: [(&str, &str, &str, bool); 6] = [
    ("kalshi_monitor", "PriceUpdate", "game_shard", false),
    ("orchestrator", "GameState", "game_shard", true),
    ("game_shard", "Signal", "signal_processor", true),
    ("signal_processor", "Order", "execution_service", true),
    ("execution_service", "OrderAck", "signal_processor", true),
    ("execution_service", "Fill", "position_tracker", true),
];

/// Most shards: `signal_processor` waits for all of their rings at once, by a list of fixed length.
const MOST_SHARDS: usize = 8;
/// Most orders that may be open: memory is taken for all of them at the start.
const MOST_OPEN_ORDERS: u32 = 65_536;

impl Pipeline {
    /// Every fault of this pipeline file, in words. Empty when it can be started.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.name_faults(&mut faults);
        self.process_faults(&mut faults);
        faults.extend(self.real_time_faults());
        self.link_faults(&mut faults);
        self.wiring_faults(&mut faults);
        self.order_faults(&mut faults);
        self.room_faults(&mut faults);
        self.brake_faults(&mut faults);
        self.board_faults(&mut faults);
        self.sharing_faults(&mut faults);
        self.supervision.faults(&mut faults);
        self.outside_faults(&mut faults);
        self.value_faults(&mut faults);
        self.bound_faults(&mut faults);
        if self.replay {
            let why = "stages in a replay trust prices whoever is silent, and let no signal expire on its way";
            faults.push(format!("replay = true: {why}; leave the line out"));
        }
        faults
    }

    fn name_faults(&self, faults: &mut Vec<String>) {
        let names = std::iter::once(("pipeline", &self.name))
            .chain(
                self.processes
                    .iter()
                    .map(|process| ("process", &process.name)),
            )
            .chain(self.links.iter().map(|link| ("link", &link.name)))
            .chain(self.boards.iter().map(|board| ("board", &board.name)));
        let mut seen = HashSet::new();
        for (what, name) in names {
            let plain =
                |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                faults.push(format!(
                    "{what} name `{name}`: letters, digits, `.`, `_` and `-` only, it becomes a file name"
                ));
            }
            if !seen.insert((what, name)) {
                faults.push(format!("{what} `{name}` is defined twice"));
            }
        }
    }

    fn process_faults(&self, faults: &mut Vec<String>) {
        let mut cores = HashSet::new();
        for process in &self.processes {
            if !PROGRAMS.contains(&process.program()) {
                faults.push(format!(
                    "process `{}` runs no known program; known are {}",
                    process.name,
                    PROGRAMS.join(", ")
                ));
            }
            if let Some((program, index)) = process.name.split_once('.')
                && (program != "game_shard" || index.parse::<u8>().is_err())
            {
                faults.push(format!(
                    "process `{}`: only `game_shard.N`, N from 0 to 255, takes a number",
                    process.name
                ));
            }
            if let Some(core) = process.cpu().filter(|_| process.hot)
                && !cores.insert(core)
            {
                faults.push(format!(
                    "process `{}`: core {core} belongs to another hot process already",
                    process.name
                ));
            }
            if matches!(process.core, Some(Core::Auto(_))) && !process.hot {
                faults.push(format!(
                    "process `{}`: core = \"auto\" is for hot processes; leave it out, or give a number",
                    process.name
                ));
            }
        }
        for program in PROGRAMS
            .into_iter()
            .filter(|program| *program != "game_shard")
        {
            let count = self
                .processes
                .iter()
                .filter(|process| process.program() == program)
                .count();
            let wanted = usize::from(program != "simulator" || self.simulator.is_some());
            if count != wanted {
                faults.push(format!(
                    "{count} processes run `{program}`, {wanted} needed"
                ));
            }
        }
        let shards = self.shards();
        if shards == 0 {
            faults.push("no process runs `game_shard`, at least `game_shard.0` is needed".into());
        }
        if shards > MOST_SHARDS {
            faults.push(format!(
                "there are {shards} shards, `signal_processor` reads {MOST_SHARDS} at most"
            ));
        }
        for index in 0..shards {
            if !self
                .processes
                .iter()
                .any(|process| process.name == format!("game_shard.{index}"))
            {
                faults.push(format!("there are {shards} shards, but no process `game_shard.{index}`; number them from 0"));
            }
        }
    }

    fn link_faults(&self, faults: &mut Vec<String>) {
        for link in &self.links {
            for (end, name) in [("from", &link.from), ("to", &link.to)] {
                if !self.processes.iter().any(|process| process.name == *name) {
                    faults.push(format!(
                        "link `{}`: {end} = \"{name}\" is no process of this file",
                        link.name
                    ));
                }
            }
            if !link.depth.is_power_of_two() || !(4..=1 << 24).contains(&link.depth) {
                faults.push(format!(
                    "link `{}`: depth {}, a power of two from 4 to 16777216 is needed",
                    link.name, link.depth
                ));
            }
            let program = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
            let (from, to) = (program(&link.from), program(&link.to));
            let rule = WIRING
                .iter()
                .find(|rule| (rule.0, rule.1, rule.2) == (&*from, &*link.message, &*to));
            match rule {
                None => faults.push(format!(
                    "link `{}`: `{from}` sends no {} to `{to}`",
                    link.name, link.message
                )),
                Some(rule) if rule.3 && link.kind != LinkKind::Lossless => {
                    faults.push(format!(
                        "link `{}`: a lost {} is lost money; kind = \"lossless\" is needed",
                        link.name, link.message
                    ));
                }
                Some(_) => {}
            }
        }
    }

    /// Every pair of processes that must be connected is, and once only.
    fn wiring_faults(&self, faults: &mut Vec<String>) {
        for (from, message, to, _) in WIRING {
            for sender in self
                .processes
                .iter()
                .filter(|process| process.program() == from)
            {
                for receiver in self
                    .processes
                    .iter()
                    .filter(|process| process.program() == to)
                {
                    let joins = |link: &&super::Link| {
                        link.from == sender.name
                            && link.to == receiver.name
                            && link.message == message
                    };
                    let count = self.links.iter().filter(joins).count();
                    if count != 1 {
                        faults.push(format!(
                            "{count} links carry {message} from `{}` to `{}`, exactly 1 needed",
                            sender.name, receiver.name
                        ));
                    }
                }
            }
        }
    }

    /// Processes are stopped in the order of the file: a reader before its writer would leave the
    /// last messages unread.
    fn order_faults(&self, faults: &mut Vec<String>) {
        let place = |name: &str| {
            let mut processes = self.processes.iter();
            processes.position(|process| process.name == name)
        };
        for link in self.links.iter().filter(|link| link.message != "OrderAck") {
            if let (Some(from), Some(to)) = (place(&link.from), place(&link.to))
                && from >= to
            {
                faults.push(format!(
                    "process `{}` stands after `{}`, to which it sends {}; processes stand in data-flow order",
                    link.from, link.to, link.message
                ));
            }
        }
        let simulator = place("simulator");
        if simulator.is_some_and(|place| place + 1 != self.processes.len()) {
            faults
                .push("process `simulator` must stand last: the others need it to the end".into());
        }
    }

    /// Orders and acknowledgements go round between two processes, each of which waits for room. All
    /// that may be open must fit into both rings, or both may wait for ever.
    fn room_faults(&self, faults: &mut Vec<String>) {
        let open = self.limits.max_open_orders;
        if open > MOST_OPEN_ORDERS {
            faults.push(format!(
                "limits.max_open_orders = {open}, at most {MOST_OPEN_ORDERS}"
            ));
        }
        for link in &self.links {
            if ["Order", "OrderAck"].contains(&link.message.as_str()) && link.depth < open {
                faults.push(format!(
                    "link `{}`: depth {} is less than limits.max_open_orders = {open}; both processes would wait for room for ever",
                    link.name, link.depth
                ));
            }
        }
    }

    fn brake_faults(&self, faults: &mut Vec<String>) {
        let burst = self.limits.max_burst_contracts;
        if burst < self.limits.max_order_contracts {
            faults.push(format!(
                "limits.max_burst_contracts = {burst}, less than limits.max_order_contracts = {}: one order would shut the venue's brake",
                self.limits.max_order_contracts
            ));
        }
    }

    fn board_faults(&self, faults: &mut Vec<String>) {
        for board in &self.boards {
            if board.name == CONTROL {
                faults.push(format!(
                    "board `{CONTROL}`: every pipeline has one of this name already; choose another"
                ));
            }
            if board.writer != "kalshi_monitor" || board.message != "PriceUpdate" {
                faults.push(format!(
                    "board `{}`: `{}` keeps no board of {}",
                    board.name, board.writer, board.message
                ));
            }
            if !board.slots.is_power_of_two() || !(4..=1 << 24).contains(&board.slots) {
                faults.push(format!(
                    "board `{}`: {} slots, a power of two from 4 to 16777216 is needed",
                    board.name, board.slots
                ));
            }
        }
        if self.boards.len() != 1 {
            faults.push(format!(
                "{} boards, `kalshi_monitor` keeps exactly 1 of PriceUpdate",
                self.boards.len()
            ));
        }
    }

    fn sharing_faults(&self, faults: &mut Vec<String>) {
        let mode = self.ring_mode;
        match (mode, &self.ring_group) {
            (0o600, None) | (0o640 | 0o660, Some(_)) => {}
            (0o600, Some(group)) => faults.push(format!(
                "ring_group = \"{group}\" gets nothing from ring_mode = 0o600; 0o640 lets it observe, 0o660 take roles"
            )),
            (0o640 | 0o660, None) => faults.push(format!(
                "ring_mode = 0o{mode:o} gives rights to a group; name it with ring_group"
            )),
            _ => faults.push(format!(
                "ring_mode = 0o{mode:o}; 0o600, or 0o640 and 0o660 with a ring_group, are possible"
            )),
        }
        if let Err(failure) = self.ring_gid() {
            faults.push(failure.to_string());
        }
    }

    fn outside_faults(&self, faults: &mut Vec<String>) {
        match &self.simulator {
            Some(simulator) => {
                if simulator.source == Source::Recorded && simulator.from.is_none() {
                    faults.push("simulator: source = \"recorded\" needs `from`, or `launch replay --from FILE`".into());
                }
                let [least, greatest] = simulator.delay_ms;
                if !(least >= 0.0 && least <= greatest && greatest <= 10_000.0) {
                    faults.push(format!("simulator: delay_ms = [{least}, {greatest}], least to greatest up to 10000 needed"));
                }
                if !(simulator.speed > 0.0 && simulator.speed <= 100_000.0) {
                    faults.push(format!(
                        "simulator: speed {}, more than 0 and at most 100000 needed",
                        simulator.speed
                    ));
                }
                if simulator.games == 0 {
                    faults.push("simulator: games = 0 leaves nothing to watch".into());
                }
            }
            None => {
                let venue = &self.venue;
                let fields = [
                    ("rest", &venue.rest),
                    ("websocket", &venue.websocket),
                    ("key_id", &venue.key_id),
                ];
                for (name, _) in fields.iter().filter(|(_, value)| value.is_empty()) {
                    faults.push(format!("without a [simulator], venue.{name} must be given"));
                }
                if self.feed.url.is_empty() {
                    faults.push("without a [simulator], feed.url must be given".into());
                }
                if self.redis.url.is_empty() {
                    faults.push(
                        "without a [simulator], redis.url must be given: the launcher's own server forgets the markets' numbers, by which the position database knows them".into(),
                    );
                }
                if venue.key_file.as_os_str().is_empty() {
                    faults.push("without a [simulator], venue.key_file must be given".into());
                }
            }
        }
    }

    fn value_faults(&self, faults: &mut Vec<String>) {
        if !self.hot_path.is_built() {
            faults.push(HotPath::NOT_BUILT.to_owned());
        }
        let mut positive = |name: &str, value: u64| {
            if value == 0 {
                faults.push(format!("{name} = 0, more is needed"));
            }
        };
        positive("feed.poll_ms", self.feed.poll_ms);
        positive("redis.heartbeat_ms", self.redis.heartbeat_ms);
        positive(
            "limits.max_order_contracts",
            self.limits.max_order_contracts.into(),
        );
        positive("limits.max_open_orders", self.limits.max_open_orders.into());
        positive("model.signal_ttl_ms", self.model.signal_ttl_ms);
        positive("model.max_state_age_ms", self.model.max_state_age_ms);
        positive(
            "safety.max_price_silence_ms",
            self.safety.max_price_silence_ms,
        );
        positive(
            "safety.max_game_silence_ms",
            self.safety.max_game_silence_ms,
        );
        positive("safety.max_feed_frozen_ms", self.safety.max_feed_frozen_ms);
        positive("safety.max_clock_skew_ms", self.safety.max_clock_skew_ms);
        let silence = self.safety.max_venue_silence_ms;
        positive("safety.max_venue_silence_ms", silence);
        positive("safety.max_price_age_ms", self.safety.max_price_age_ms);
        positive("safety.audit_every_s", self.safety.audit_every_s);
        let kelly = self.limits.kelly_percent;
        if !(1..=100).contains(&kelly) {
            faults.push(format!(
                "limits.kelly_percent = {kelly}, 1 to 100 is possible; 25 is a quarter of the Kelly stake"
            ));
        }
        if u32::try_from(self.limits.repeat_ms).is_err() {
            faults.push(format!(
                "limits.repeat_ms = {}, at most {}",
                self.limits.repeat_ms,
                u32::MAX
            ));
        }
        if self.feed.leagues.is_empty() {
            faults.push("feed.leagues is empty, there is nothing to watch".into());
        }
        if self.model.weight_percent > 100 {
            faults.push(format!(
                "model.weight_percent = {}, at most 100",
                self.model.weight_percent
            ));
        }
        for (name, path) in [("rings", &self.rings), ("run_dir", &self.run_dir)] {
            if !path.is_absolute() {
                faults.push(format!(
                    "{name} = \"{}\" is not an absolute path",
                    path.display()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests;
