//! What a call is charged for: how many items, and the bucket of which shard pays for each.

use super::batches;
use super::ledger::Shard;
use serde_json::Value;
use std::collections::BTreeMap;

/// The calls that write orders: the only ones of which a shard that is named pays for itself.
const ORDERS: &str = "/portfolio/events/orders";
/// The venue's shards beside the first.
const SHARDS: std::ops::RangeInclusive<i64> = 1..=3;

/// Items by the shard that pays for them. A batch has as many as it lists, any other call is one; so is
/// a batch that cannot be read, which is no way to write for nothing. What names no shard, or leaves
/// it to the venue, is paid for by the first.
pub(crate) fn items(path: &str, query: &str, body: &[u8]) -> BTreeMap<Shard, usize> {
    let mut items = BTreeMap::new();
    if path.starts_with(ORDERS) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if path == batches::PATH {
            for order in body["orders"].as_array().into_iter().flatten() {
                let shard = shard(order["exchange_index"].as_i64());
                *items.entry(shard).or_default() += 1;
            }
        } else {
            let named = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("exchange_index="));
            let named = named.map_or(body["exchange_index"].as_i64(), |text| text.parse().ok());
            items.insert(shard(named), 1);
        }
    }
    if items.is_empty() {
        items.insert(0, 1);
    }
    items
}

fn shard(named: Option<i64>) -> Shard {
    let named = named.filter(|index| SHARDS.contains(index)).unwrap_or(0);
    Shard::try_from(named).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_paid_for_by_the_shard_that_it_names() {
        let charged = |path, query, body: &str| -> Vec<(Shard, usize)> {
            items(path, query, body.as_bytes()).into_iter().collect()
        };
        let batch = |body| charged(batches::PATH, "", body);
        assert_eq!(
            batch(
                r#"{"orders":[{"exchange_index":3},{},{"exchange_index":-1},{"exchange_index":3},{"exchange_index":9}]}"#
            ),
            [(0, 3), (3, 2)]
        );
        for unreadable in ["{", r#"{"orders":{}}"#, r#"{"orders":[]}"#] {
            assert_eq!(batch(unreadable), [(0, 1)], "{unreadable}");
        }
        assert_eq!(charged(ORDERS, "", r#"{"exchange_index":3}"#), [(3, 1)]);
        assert_eq!(charged(ORDERS, "", r#"{"exchange_index":"3"}"#), [(0, 1)]);
        let one = "/portfolio/events/orders/a";
        assert_eq!(charged(one, "x=1&exchange_index=3", ""), [(3, 1)]);
        assert_eq!(charged(one, "", ""), [(0, 1)]);
        let group = "/portfolio/order_groups/create";
        assert_eq!(charged(group, "", r#"{"exchange_index":3}"#), [(0, 1)]);
    }
}
