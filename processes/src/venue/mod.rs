//! The outside world as it speaks: the exchange and the scoreboard feed.
