//! Orders that are shown in place of being sent: one line of JSON each.

use crate::venue::kalshi_rest::NewOrder;
use serde_json::json;
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::Mutex,
};

/// The file that takes them.
#[derive(Debug)]
pub(super) struct DryOrders {
    file: Mutex<File>,
}

impl DryOrders {
    /// A file that only its owner may read; a predecessor's lines stay.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file: Mutex::new(file),
        })
    }

    /// Writes down what would be sent now, but for its signature.
    pub(super) fn write(&self, order: &NewOrder<'_>, since_tick_ns: u64) -> io::Result<()> {
        let line = json!({
            "at": jiff::Timestamp::now().to_string(),
            "since_tick_ns": since_tick_ns,
            "method": "POST",
            "path": "/portfolio/events/orders",
            "body": order.on_the_wire(),
        });
        let Ok(mut file) = self.file.lock() else {
            return Err(io::Error::other("another writer has panicked"));
        };
        // One call: lines of several processes would not mix either.
        file.write_all(format!("{line}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use layouts::Side;
    use serde_json::Value;

    #[test]
    fn each_order_is_a_line_with_the_body_that_would_be_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dry_orders.jsonl");
        let order = NewOrder {
            ticker: "KXNBAGAME-25NOV22LACCHA-LAC",
            client_order_id: "arb-1-2",
            side: Side::Ask,
            count_centi: 1_250,
            price_e4: 6_300,
            exchange_index: Some(3),
            order_group_id: None,
        };
        for _ in 0..2 {
            DryOrders::open(&path).unwrap().write(&order, 7).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["since_tick_ns"], 7);
        assert_eq!(
            lines[0]["body"],
            json!({
                "ticker": "KXNBAGAME-25NOV22LACCHA-LAC", "client_order_id": "arb-1-2", "side": "ask", "count": "12.50",
                "price": "0.6300", "time_in_force": "immediate_or_cancel",
                "self_trade_prevention_type": "taker_at_cross", "exchange_index": 3,
            })
        );
    }
}
