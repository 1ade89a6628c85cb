//! The part of those who are not there: the producers of the stages' inputs, the writers of the boards.

use super::plan::check_layout;
use crate::{Failure, recording::SegmentHead};
use ipc::{BoardOptions, BoardWriter, Kind, Message, Producer, PushError, RingOptions, bytemuck};
use layouts::{Control, Fill, GameState, Order, OrderAck, PriceUpdate, Signal};
use pipeline::{CONTROL, Link, Pipeline};

/// The producer of one input.
pub(super) struct Feed {
    producer: Box<dyn Push>,
    /// Where prices are shown too, before they are sent.
    on_board: bool,
}

/// A board that the stages read.
pub(super) struct Board {
    /// Its name.
    pub(super) name: String,
    writer: Writer,
}

/// Its writer.
enum Writer {
    /// The latest prices.
    Prices(BoardWriter<PriceUpdate>),
    /// Whether to trade, and within which limits.
    Control(BoardWriter<Control>),
}

/// A producer, whatever it produces.
trait Push {
    fn push(&mut self, bytes: &[u8], sent_ns: u64) -> Result<u64, PushError>;
    fn push_meaningless(&mut self) -> Result<u64, PushError>;
    fn published(&self) -> u64;
}

impl<T: Message> Push for Producer<T> {
    fn push(&mut self, bytes: &[u8], sent_ns: u64) -> Result<u64, PushError> {
        self.push_stamped(&bytemuck::pod_read_unaligned(bytes), sent_ns)
    }

    /// Bytes that no stage takes for anything: each of the inputs' messages has a code that cannot be 255.
    fn push_meaningless(&mut self) -> Result<u64, PushError> {
        let mut message = T::zeroed();
        bytemuck::bytes_of_mut(&mut message).fill(u8::MAX);
        self.push_stamped(&message, 0)
    }

    fn published(&self) -> u64 {
        Producer::published(self)
    }
}

impl Feed {
    /// Takes the producer's part of an input that was recorded as `head`.
    ///
    /// # Errors
    ///
    /// When its messages have another layout by now.
    pub(super) fn attach(
        link: &Link,
        head: &SegmentHead,
        pipeline: &Pipeline,
    ) -> Result<Self, Failure> {
        let path = pipeline.ring_path(&link.name);
        /// One producer of `T` for the recording of `T`.
        fn producer<T: Message>(
            path: &std::path::Path,
            head: &SegmentHead,
        ) -> Result<Box<dyn Push>, Failure> {
            check_layout::<T>(head)?;
            let producer = Producer::<T>::attach(path)?;
            producer.introduce("replay");
            Ok(Box::new(producer))
        }
        let producer = match link.message.as_str() {
            PriceUpdate::NAME => producer::<PriceUpdate>(&path, head)?,
            GameState::NAME => producer::<GameState>(&path, head)?,
            OrderAck::NAME => producer::<OrderAck>(&path, head)?,
            other => {
                return Err(Failure::Other(format!(
                    "`{}` carries {other}, which no stage takes from outside",
                    link.name
                )));
            }
        };
        Ok(Self {
            producer,
            on_board: link.message == PriceUpdate::NAME,
        })
    }

    /// Shows the message where it is shown, and sends it.
    ///
    /// # Errors
    ///
    /// When it cannot be sent.
    pub(super) fn play(
        &mut self,
        bytes: &[u8],
        sent_ns: u64,
        boards: &mut [Board],
    ) -> Result<(), Failure> {
        if self.on_board {
            let price: PriceUpdate = bytemuck::pod_read_unaligned(bytes);
            boards.iter_mut().for_each(|board| board.show(&price));
        }
        let pushed = self.producer.push(bytes, sent_ns);
        pushed.map(drop).map_err(|error| failed(&error))
    }

    /// Sends something that means nothing, in place of a message that nobody knows; whether there was room.
    ///
    /// # Errors
    ///
    /// When it cannot be sent.
    pub(super) fn skip(&mut self) -> Result<bool, Failure> {
        match self.producer.push_meaningless() {
            Ok(_) => Ok(true),
            Err(PushError::Full) => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Messages sent so far.
    pub(super) fn published(&self) -> u64 {
        self.producer.published()
    }
}

impl Board {
    /// Takes the writers' part of the pipeline's boards.
    ///
    /// # Errors
    ///
    /// When one cannot be attached to.
    pub(super) fn attach_all(pipeline: &Pipeline) -> Result<Vec<Self>, Failure> {
        let prices = |board: &pipeline::Board| -> Result<Self, Failure> {
            let writer = BoardWriter::attach(&pipeline.board_path(&board.name))?;
            writer.introduce("replay");
            Ok(Self {
                name: board.name.clone(),
                writer: Writer::Prices(writer),
            })
        };
        let control = || -> Result<Self, Failure> {
            let writer = BoardWriter::attach(&pipeline.control_path())?;
            writer.introduce("replay");
            Ok(Self {
                name: CONTROL.to_owned(),
                writer: Writer::Control(writer),
            })
        };
        pipeline
            .boards
            .iter()
            .map(prices)
            .chain([control()])
            .collect()
    }

    /// Refuses a recording whose boards are not those that the stages read.
    ///
    /// # Errors
    ///
    /// When one has another layout by now, or nobody recorded whether to trade.
    pub(super) fn check(recorded: &[SegmentHead], pipeline: &Pipeline) -> Result<(), Failure> {
        let mut boards = recorded.iter().filter(|head| head.is_board());
        let control = boards.clone().find(|head| head.name == CONTROL);
        let control = control.ok_or_else(|| {
            Failure::Other(format!(
                "the recording has no board `{CONTROL}`, so nobody knows whether to trade (fix: record all, without naming rings)"
            ))
        })?;
        check_layout::<Control>(control)?;
        let is_prices = |head: &&SegmentHead| pipeline.boards.iter().any(|it| it.name == head.name);
        boards
            .by_ref()
            .filter(is_prices)
            .try_for_each(check_layout::<PriceUpdate>)
    }

    /// Writes a recorded row.
    pub(super) fn write(&mut self, row: u32, bytes: &[u8]) {
        // Outside of the board only where the recorded pipeline file and the recorded board do not agree: then
        // nobody has ever looked there.
        let _ = match &mut self.writer {
            Writer::Prices(writer) => writer.write(row, &bytemuck::pod_read_unaligned(bytes)),
            Writer::Control(writer) => writer.write(row, &bytemuck::pod_read_unaligned(bytes)),
        };
    }

    /// Writes a price into its market's row, as the monitor does; a market without a row is in the ring only.
    fn show(&mut self, price: &PriceUpdate) {
        if let Writer::Prices(writer) = &mut self.writer {
            let _ = writer.write(price.market, price);
        }
    }
}

/// Lays out the rings of a replay, and its boards. Nothing is lost in it, so every ring is lossless.
///
/// # Errors
///
/// When one cannot be created.
pub(super) fn lay_out<'a>(
    links: impl Iterator<Item = &'a Link>,
    pipeline: &Pipeline,
) -> Result<(), Failure> {
    for link in links {
        let options = RingOptions {
            kind: Kind::Lossless,
            capacity: link.depth,
            ..RingOptions::default()
        };
        let path = pipeline.ring_path(&link.name);
        match link.message.as_str() {
            PriceUpdate::NAME => ipc::create_ring::<PriceUpdate>(&path, options)?,
            GameState::NAME => ipc::create_ring::<GameState>(&path, options)?,
            Signal::NAME => ipc::create_ring::<Signal>(&path, options)?,
            Order::NAME => ipc::create_ring::<Order>(&path, options)?,
            OrderAck::NAME => ipc::create_ring::<OrderAck>(&path, options)?,
            Fill::NAME => ipc::create_ring::<Fill>(&path, options)?,
            other => {
                return Err(Failure::Other(format!(
                    "`{}` carries {other}, which these programs do not know",
                    link.name
                )));
            }
        };
    }
    for board in &pipeline.boards {
        let options = BoardOptions {
            rows: board.slots,
            ..BoardOptions::default()
        };
        ipc::create_board::<PriceUpdate>(&pipeline.board_path(&board.name), options)?;
    }
    ipc::create_board::<Control>(&pipeline.control_path(), BoardOptions::default())?;
    Ok(())
}

fn failed(error: &PushError) -> Failure {
    Failure::Other(format!("a stage has damaged its ring: {error}"))
}
