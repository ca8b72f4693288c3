//! SQL over the release tree (`domain/subject.rs`) that every store spells the same. The sizes of blocks are written out,
//! and held against the tree's own here.

use crate::domain::subject::tree;

/// What was released after the event `p`, of which `kind`, `key`, `currency`, `at` and `number` are known: a row for each
/// event up to the end of its block and for each node of what follows, none of them twice. So few rows are read where
/// little has happened since, however much happened before.
macro_rules! released_after {
    () => {
        concat!(
            "SELECT released, 1 AS count, amount FROM (
                SELECT number, released, amount FROM events
                WHERE kind = p.kind AND key = p.key AND currency = p.currency AND (at, number) > (p.at, p.number)
                ORDER BY at, number LIMIT 31) next
            WHERE number <= (p.number + 31) / 32 * 32 AND released IS NOT NULL",
            released_after!(level 1, "block >= (p.number + 31) / 32 AND block < (p.number + 1023) / 1024 * 32"),
            released_after!(level 2, "block >= (p.number + 1023) / 1024 AND block < (p.number + 32767) / 32768 * 32"),
            released_after!(
                level 3,
                "block >= (p.number + 32767) / 32768 AND block < (p.number + 1048575) / 1048576 * 32"
            ),
            released_after!(level 4, "block >= (p.number + 1048575) / 1048576")
        )
    };
    (level $level:literal, $blocks:literal) => {
        concat!(
            " UNION ALL SELECT released, count, amount FROM release_nodes
            WHERE kind = p.kind AND key = p.key AND currency = p.currency AND level = ",
            $level,
            " AND ",
            $blocks
        )
    };
}

pub(super) use released_after;

/// Its block sizes are written out in [`released_after`].
const _: () = assert!(tree::FANOUT == 32 && tree::LEVELS == 4);

/// Nodes that do not say what a recount of their events says, and events that a node should know of and does not. Both
/// are added up side by side: SQLite would read all of one again for each of the other to join them.
pub(super) const NODES_UNLIKE_THEIR_EVENTS: &str = "
    WITH levels (level, size) AS (VALUES (1, 32), (2, 1024), (3, 32768), (4, 1048576)),
    both_sides AS (
        SELECT kind, key, currency, level, block, released, count, amount, 0 AS events, 0 AS of_amount
        FROM release_nodes
        UNION ALL
        SELECT e.kind, e.key, e.currency, l.level, (e.number - 1) / l.size, e.released, 0, 0, 1, e.amount
        FROM events e CROSS JOIN levels l WHERE e.released IS NOT NULL)
    SELECT kind, key, currency || ' level ' || level || ' block ' || block || ' released ' || released || ': '
        || sum(count) || ' of ' || sum(amount) || ', its events say ' || sum(events) || ' of ' || sum(of_amount)
    FROM both_sides
    GROUP BY kind, key, currency, level, block, released
    HAVING sum(count) <> sum(events) OR sum(amount) <> sum(of_amount) OR level NOT IN (SELECT level FROM levels)
    LIMIT 100";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recount_of_release_trees_uses_their_own_block_sizes() {
        let levels: Vec<String> =
            (1..=tree::LEVELS).map(|level| format!("({level}, {})", tree::block_size(level))).collect();
        let expected = format!("VALUES {})", levels.join(", "));
        assert_eq!(NODES_UNLIKE_THEIR_EVENTS.matches(&expected).count(), 1);
    }
}
