//! Fills and empties a ring, to be watched by a test.
//!
//! `stage spin RING COUNT` pushes and pops the numbers of the sequence, between the marks `begin` and `end`.

#![forbid(unsafe_code)]

use ipc::{Consumer, Producer};
use std::{error::Error, path::Path};
use tests::stage::Count;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["spin", ring, count] => spin(Path::new(ring), count.parse()?),
        _ => Err("usage: stage spin RING COUNT".into()),
    }
}

fn spin(ring: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let mut producer = Producer::<Count>::attach(ring)?;
    let mut consumer = Consumer::<Count>::attach(ring)?;
    println!("begin");
    for number in 0..count {
        producer.push(&Count::new(number))?;
        let received = consumer
            .pop()
            .map_err(|_| "a message that was pushed is not there")?;
        if received.message.number() != Some(number) {
            return Err("a message is torn".into());
        }
        consumer.commit();
    }
    println!("end");
    Ok(())
}
