//! The launcher's word to the processes, on the board `control`: whether to trade, and within which limits.

use ipc::{BoardError, BoardWriter};
use layouts::{
    Control, Mode,
    control::{ROW, cause},
};
use pipeline::Pipeline;
use stages::limits::Limits;

/// What the processes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) limits: Limits,
    /// A sum of [`cause`]s; 0 while trading.
    pub(super) causes: u8,
    /// When trading began or was halted, us of Unix time.
    pub(super) since_unix_us: u64,
}

impl Word {
    /// What the pipeline file says: to trade within its limits, unless its run directory holds the file
    /// `safe`, which outlives a launcher.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let held = pipeline.safe_file().exists();
        Self {
            limits: pipeline.limits,
            causes: if held { cause::OPERATOR } else { 0 },
            since_unix_us: unix_us(),
        }
    }

    /// Until it is known what operators ask for: not to trade.
    pub(super) fn at_first(pipeline: &Pipeline) -> Self {
        Self {
            causes: cause::OPERATOR,
            ..Self::of(pipeline)
        }
    }

    /// Says it.
    ///
    /// # Errors
    ///
    /// When the board has no such row.
    pub(super) fn say(&self, board: &mut BoardWriter<Control>) -> Result<(), BoardError> {
        let mode = if self.causes == 0 {
            Mode::Trade
        } else {
            Mode::Safe
        };
        let Limits {
            max_order_contracts,
            max_market_contracts,
            max_game_dollars,
            max_sport_dollars,
            max_exposure_dollars,
            max_day_loss_dollars,
            max_open_orders,
            max_burst_contracts,
            repeat_ms,
            kelly_percent,
        } = self.limits;
        let control = Control {
            since_unix_us: self.since_unix_us,
            max_order_contracts,
            max_market_contracts,
            max_game_dollars,
            max_sport_dollars,
            max_exposure_dollars,
            max_day_loss_dollars,
            max_open_orders,
            max_burst_contracts,
            // Refused in the pipeline file where it is more.
            repeat_ms: u32::try_from(repeat_ms).unwrap_or(u32::MAX),
            causes: self.causes,
            mode: mode as u8,
            kelly_percent,
            padding: [0; 1],
        };
        board.write(ROW, &control)
    }
}

/// Now, us of Unix time.
pub(super) fn unix_us() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}
