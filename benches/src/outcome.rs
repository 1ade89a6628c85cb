//! What one side found out in one window, and its form on a pipe.

use std::io::{self, Read, Write};

/// Most samples of a window; more on a pipe is damage.
const MOST_SAMPLES: u64 = 1 << 20;

/// The result of one window. Times in picoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The figure that is compared between contenders: a mean, or where single events are rare, a
    /// median.
    pub level_ps: u64,
    /// Single times, for the percentiles.
    pub samples_ps: Vec<u64>,
    /// What a push cost the sender, where that was asked.
    pub push_ps: u64,
    /// Processor time that the receiving thread used.
    pub cpu_ns: u64,
    /// Time that went by meanwhile.
    pub wall_ns: u64,
    /// Times that the receiving thread was taken off its core against its will.
    pub involuntary: u64,
    /// Messages that arrived, where they were due at certain times.
    pub arrived: u64,
    /// Messages of them that a later one overtook or that were dropped.
    pub lost: u64,
    /// From when the first was due to when the last arrived.
    pub span_ns: u64,
}

impl Outcome {
    /// Of single times in ns; the level is their median.
    #[must_use]
    pub fn of_latencies(mut latencies_ns: Vec<u64>) -> Self {
        let samples_ps = latencies_ns
            .iter()
            .map(|ns| ns.saturating_mul(1000))
            .collect();
        latencies_ns.sort_unstable();
        let median = latencies_ns.get(latencies_ns.len() / 2);
        Self {
            level_ps: median.map_or(0, |ns| ns.saturating_mul(1000)),
            samples_ps,
            ..Self::default()
        }
    }

    /// Writes it as native words.
    ///
    /// # Errors
    ///
    /// When the pipe is broken.
    pub fn write(&self, pipe: &mut impl Write) -> io::Result<()> {
        let head = [
            self.level_ps,
            self.push_ps,
            self.cpu_ns,
            self.wall_ns,
            self.involuntary,
            self.arrived,
            self.lost,
            self.span_ns,
            self.samples_ps.len() as u64,
        ];
        let bytes: Vec<u8> = head
            .iter()
            .chain(&self.samples_ps)
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        pipe.write_all(&bytes)?;
        pipe.flush()
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// When the pipe ends within it.
    pub fn read(pipe: &mut impl Read) -> io::Result<Self> {
        let mut word = || {
            let mut bytes = [0; 8];
            pipe.read_exact(&mut bytes)?;
            Ok::<_, io::Error>(u64::from_ne_bytes(bytes))
        };
        let mut outcome = Self {
            level_ps: word()?,
            push_ps: word()?,
            cpu_ns: word()?,
            wall_ns: word()?,
            involuntary: word()?,
            arrived: word()?,
            lost: word()?,
            span_ns: word()?,
            samples_ps: Vec::new(),
        };
        let count = word()?;
        if count > MOST_SAMPLES {
            return Err(io::Error::other(format!("{count} samples of one window")));
        }
        let mut bytes = vec![0; usize::try_from(count * 8).map_err(io::Error::other)?];
        pipe.read_exact(&mut bytes)?;
        let (words, _) = bytes.as_chunks::<8>();
        outcome.samples_ps = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_survives_the_pipe() {
        let outcome = Outcome {
            level_ps: 1,
            samples_ps: vec![7, 8, 9],
            push_ps: 2,
            cpu_ns: 3,
            wall_ns: 4,
            involuntary: 5,
            arrived: 6,
            lost: 10,
            span_ns: 11,
        };
        let mut pipe = Vec::new();
        outcome.write(&mut pipe).unwrap();
        assert_eq!(Outcome::read(&mut pipe.as_slice()).unwrap(), outcome);
        assert!(Outcome::read(&mut &pipe[..pipe.len() - 1]).is_err());
    }
}
