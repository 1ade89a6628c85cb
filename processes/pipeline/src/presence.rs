//! How the boards are called on which processes say how they are.

/// After the name of the process.
const SUFFIX: &str = ".process";

/// Name of the board of a process: `game_shard.0.process`.
#[must_use]
pub fn presence_board(process: &str) -> String {
    format!("{process}{SUFFIX}")
}

/// The process whose board is called so; `None` for any other board.
#[must_use]
pub fn presence_of(board: &str) -> Option<&str> {
    board.strip_suffix(SUFFIX).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_of_a_process_leads_back_to_it() {
        assert_eq!(
            presence_of(&presence_board("game_shard.0")),
            Some("game_shard.0")
        );
        for other in ["prices", "control", ".process", "processes"] {
            assert_eq!(presence_of(other), None);
        }
    }
}
