//! The message of the `stage` program.

ipc::message! {
    /// A message whose words all tell its own sequence number, so that a torn or displaced one shows.
    pub struct Count v1 {
        /// The number.
        words: [u64; 6] = "count",
    }
}

impl Count {
    /// The message number `number`.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self { words: [number; 6] }
    }

    /// The number, when all words agree on it.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.words
            .iter()
            .all(|word| *word == self.words[0])
            .then_some(self.words[0])
    }
}
