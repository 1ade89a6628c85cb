//! Fills or empties a ring, to be watched and killed by a test.
//!
//! `stage push RING COUNT [EVERY PAUSE_US]` pushes the numbers of the sequence until COUNT are published,
//! and pauses after every EVERY.
//! `stage pop RING COUNT LOG COMMIT_EVERY` appends each number to LOG, then commits now and then.
//! `stage spin RING COUNT` does both ends itself, by messages and by batches, between the marks `begin` and
//! `end`.

use ipc::{Consumer, Ladder, Producer, PushError, Waiter};
use std::{error::Error, fs::OpenOptions, io::Write, path::Path, time::Duration};
use tests::stage::{Count, TORN};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["push", ring, count] => push(Path::new(ring), count.parse()?, None),
        ["push", ring, count, every, pause_us] => {
            let pause = Duration::from_micros(pause_us.parse()?);
            push(Path::new(ring), count.parse()?, Some((every.parse()?, pause)))
        }
        ["pop", ring, count, log, commit_every] => pop(
            Path::new(ring),
            count.parse()?,
            Path::new(log),
            commit_every.parse()?,
        ),
        ["spin", ring, count] => spin(Path::new(ring), count.parse()?),
        _ => Err("usage: stage push RING COUNT [EVERY PAUSE_US] | stage pop RING COUNT LOG COMMIT_EVERY | stage spin RING COUNT".into()),
    }
}

fn push(ring: &Path, count: u64, pauses: Option<(u64, Duration)>) -> Result<(), Box<dyn Error>> {
    let mut producer = Producer::<Count>::attach(ring)?;
    let mut waiter = Waiter::new(Ladder::Sleep);
    while producer.published() < count {
        match producer.push(&Count::new(producer.published())) {
            Ok(number) => {
                waiter.progress();
                if let Some((every, pause)) = pauses
                    && number % every == every - 1
                {
                    std::thread::sleep(pause);
                }
            }
            Err(PushError::Full) => waiter.wait_for_room(&mut producer),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn pop(ring: &Path, count: u64, log: &Path, commit_every: u64) -> Result<(), Box<dyn Error>> {
    let mut consumer = Consumer::<Count>::attach(ring)?;
    let mut log = OpenOptions::new().append(true).create(true).open(log)?;
    let mut waiter = Waiter::new(Ladder::Sleep);
    while consumer.next_sequence() < count {
        let Ok(received) = consumer.pop() else {
            waiter.wait(&mut [&mut consumer]);
            continue;
        };
        waiter.progress();
        let number = received
            .message
            .number()
            .filter(|number| *number == received.sequence)
            .unwrap_or(TORN);
        log.write_all(&number.to_ne_bytes())?;
        if received.sequence % commit_every == 0 {
            consumer.commit();
        }
    }
    consumer.commit();
    Ok(())
}

fn spin(ring: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let mut producer = Producer::<Count>::attach(ring)?;
    let mut consumer = Consumer::<Count>::attach(ring)?;
    consumer.stale_after(Some(Duration::from_secs(3600)));
    println!("begin");
    for number in 0..count {
        producer.push(&Count::new(number))?;
        let received = consumer.pop()?;
        if received.message.number() != Some(number) {
            return Err("a message is torn".into());
        }
        consumer.commit();
        producer.push_batch(&[Count::new(number); 3])?;
        consumer.drain(3, |_| ())?;
        consumer.commit();
        if consumer.pop().is_ok() {
            return Err("there is a message that nobody pushed".into());
        }
        producer.beat();
    }
    println!("end");
    Ok(())
}
