//! Data-flow order, from who holds which role.

/// A place for each node of a graph, so that most edges lead onwards. Where all that is left waits for each other,
/// which acknowledgements do, next is who has somebody behind it already, and of those who waits for
/// the fewest. Among equals the first stays
/// the first.
pub(super) fn places(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut place = vec![usize::MAX; nodes];
    for next in 0..nodes {
        let waits_for = |node: usize, done: bool| {
            let before = edges.iter().filter(|(from, to)| *to == node && from != to);
            let such = before.filter(|(from, _)| (place[*from] != usize::MAX) == done);
            such.count()
        };
        let left = (0..nodes).filter(|node| place[*node] == usize::MAX);
        let chosen = left.min_by_key(|node| {
            // Ready ones in the order given; of those in a circle the one that the flow has reached.
            match waits_for(*node, false) {
                0 => (0, 0, 0),
                open => (1, usize::from(waits_for(*node, true) == 0), open),
            }
        });
        if let Some(node) = chosen {
            place[node] = next;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monitor and orchestrator, two shards, signals, execution, positions; acknowledgements go back.
    #[test]
    fn acknowledgements_do_not_turn_the_flow_round() {
        let names = [
            "execution",
            "monitor",
            "orchestrator",
            "positions",
            "shard.0",
            "shard.1",
            "signals",
        ];
        let edges = [
            (1, 4),
            (1, 5),
            (2, 4),
            (2, 5),
            (4, 6),
            (5, 6),
            (6, 0),
            (0, 6),
            (0, 3),
        ];
        let place = places(names.len(), &edges);
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|node| place[*node]);
        let order: Vec<&str> = order.iter().map(|node| names[*node]).collect();
        assert_eq!(
            order,
            [
                "monitor",
                "orchestrator",
                "shard.0",
                "shard.1",
                "signals",
                "execution",
                "positions"
            ]
        );
    }

    #[test]
    fn circles_and_loners_have_places_too() {
        let mut place = places(3, &[(0, 1), (1, 0), (2, 2)]);
        place.sort_unstable();
        assert_eq!(place, [0, 1, 2]);
        assert!(places(0, &[]).is_empty());
    }
}
