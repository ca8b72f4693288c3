//! SQL over series, their events and their release trees (`domain/subject.rs`) that every store spells the same. The sizes
//! of a tree's blocks are written out, and held against its own here.

use super::rows::parse;
use super::{DeadlinePlace, OverdueAccounts, StoreError};
use crate::domain::subject::tree;
use crate::domain::{AccountId, Timestamp, TrackingId};

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

/// Whether an event `e` that has a deadline waits.
macro_rules! waits {
    () => {
        "(e.kind <> 'account' OR (SELECT state FROM current_authorizations WHERE id = e.\"authorization\") = 'Open')"
    };
}

pub(super) use waits;

/// Accounts with authorizations that are open, and due after the place `$1`, `$2` in the order of deadlines and up to `$3`; at
/// most `$4`, each with its first deadline and without an identifier. And a row without an account, which says where this has
/// come to where there is more: it takes in ten thousand authorizations, most of which a credit has used up. `$id` is `$2`.
macro_rules! overdue_accounts {
    ($row:literal, $id:literal) => {
        concat!(
            "WITH looked_at AS MATERIALIZED (
                SELECT id, account, expires_at FROM authorizations
                WHERE state = 'Open' AND (expires_at, id) > ($1, ",
            $id,
            ") AND expires_at <= $3 ORDER BY expires_at, id LIMIT 10000)
            SELECT ",
            $row,
            " FROM (
                SELECT * FROM (
                    SELECT account, min(expires_at) AS due_at, NULL AS id FROM looked_at
                    WHERE (SELECT id FROM credits WHERE \"authorization\" = looked_at.id LIMIT 1) IS NULL
                    GROUP BY account ORDER BY min(expires_at) LIMIT $4) overdue
                UNION ALL
                SELECT * FROM (
                    SELECT NULL, expires_at, CAST(id AS text) FROM looked_at
                    WHERE (SELECT count(*) FROM looked_at) = 10000 ORDER BY expires_at DESC, id DESC LIMIT 1) come_to) rows"
        )
    };
}

pub(super) use overdue_accounts;

/// What [`overdue_accounts!`] has found.
pub(super) fn read_overdue_accounts(rows: &[String]) -> Result<OverdueAccounts, StoreError> {
    let mut found = OverdueAccounts::default();
    for row in rows {
        let (account, due_at, id): (Option<AccountId>, Timestamp, Option<TrackingId>) = parse(row)?;
        match account {
            Some(account) => found.accounts.push((due_at, account)),
            None => found.come_to = id.map(|id| DeadlinePlace { due_at, id }),
        }
    }
    found.accounts.sort();
    Ok(found)
}

/// What the next sweep would not find.
pub(super) const OPEN_THOUGH_THE_SWEEPS_HAVE_PASSED: &str = "
    SELECT 'authorization ' || id || ' of account ' || account || ': due at ' || expires_at
        || ' us, and the sweeps have come further'
    FROM current_authorizations
    WHERE state = 'Open' AND expires_at < (SELECT at FROM marks WHERE name = 'swept') LIMIT 100";

/// What is open of all accounts, of one amount and currency where these parameters are given. It is looked for from the place
/// on that the sweeps have come to: before that nothing is open, and a day's authorizations are few among those of years.
macro_rules! open_authorizations {
    (of $amount:literal, $currency:literal) => {
        concat!(
            "authorizations
             WHERE state = 'Open' AND expires_at >= coalesce((SELECT at FROM marks WHERE name = 'swept'), 0)
                AND (SELECT id FROM credits WHERE \"authorization\" = authorizations.id LIMIT 1) IS NULL
                AND (",
            $amount,
            " IS NULL OR amount = CAST(",
            $amount,
            " AS bigint)) AND (",
            $currency,
            " IS NULL OR currency = ",
            $currency,
            ")"
        )
    };
}

pub(super) use open_authorizations;

/// Senders and receivers that have something due at or before `$1`, at most `$2`, the longest overdue first.
macro_rules! overdue_others {
    ($item:literal) => {
        concat!(
            "SELECT ",
            $item,
            " FROM (
                SELECT kind, key, due_at FROM events
                WHERE kind <> 'account' AND due_at <= $1 ORDER BY due_at LIMIT $2) overdue
            GROUP BY kind, key ORDER BY min(due_at)"
        )
    };
}

pub(super) use overdue_others;

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

/// How many heads there are, and starts that they keep.
pub(super) const HEADS_AND_STARTS: &str = "SELECT (SELECT count(*) FROM series) + (SELECT count(*) FROM window_starts)";

/// Heads that do not say what a recount of their events says, of all of them or of those before a start that is kept.
pub(super) const HEADS_UNLIKE_THEIR_EVENTS: &str = "
    SELECT kind, key, currency || coalesce(' up to ' || upto || ' us', '') || ' says ' || said
        || ', its events say ' || recounted
    FROM (SELECT s.kind, s.key, s.currency, s.upto,
              s.events || ' events of ' || s.amount || '; released on expiry '
              || (s.released -> 'expiry' ->> 'count') || ' of ' || (s.released -> 'expiry' ->> 'amount')
              || ', on reversal '
              || (s.released -> 'reversal' ->> 'count') || ' of ' || (s.released -> 'reversal' ->> 'amount')
              || ', always '
              || (s.released -> 'always' ->> 'count') || ' of ' || (s.released -> 'always' ->> 'amount') AS said,
              count(e.number) || ' events of ' || coalesce(sum(e.amount), 0) || '; released on expiry '
              || count(*) FILTER (WHERE e.released = 'Expiry') || ' of '
              || coalesce(sum(e.amount) FILTER (WHERE e.released = 'Expiry'), 0) || ', on reversal '
              || count(*) FILTER (WHERE e.released = 'Reversal') || ' of '
              || coalesce(sum(e.amount) FILTER (WHERE e.released = 'Reversal'), 0) || ', always '
              || count(*) FILTER (WHERE e.released = 'Always') || ' of '
              || coalesce(sum(e.amount) FILTER (WHERE e.released = 'Always'), 0) AS recounted
          FROM (SELECT kind, key, currency, CAST(NULL AS bigint) AS upto, events, amount, released FROM series
                UNION ALL
                SELECT kind, key, currency, upto, events, amount, released FROM window_starts) s
          LEFT JOIN events e ON e.kind = s.kind AND e.key = s.key AND e.currency = s.currency
              AND (s.upto IS NULL OR e.at <= s.upto)
          GROUP BY s.kind, s.key, s.currency, s.upto, s.events, s.amount, s.released) compared
    WHERE said IS DISTINCT FROM recounted
    UNION ALL
    SELECT e.kind, e.key, e.currency || ' event ' || e.number || ' belongs to no series'
    FROM events e LEFT JOIN series s ON s.kind = e.kind AND s.key = e.key AND s.currency = e.currency
    WHERE s.kind IS NULL
    LIMIT 100";

/// Heads that say another time of their first event, or of the one after a start that is kept, than their events say.
pub(super) const HEADS_UNLIKE_THEIR_NEXT_EVENTS: &str = "
    SELECT kind, key, currency || coalesce(' after ' || upto || ' us', '') || ' says ' || coalesce(said || ' us', 'nothing')
        || ', its events say ' || coalesce(found || ' us', 'nothing')
    FROM (SELECT s.kind, s.key, s.currency, CAST(NULL AS bigint) AS upto, s.first_at AS said,
              (SELECT min(e.at) FROM events e
               WHERE e.kind = s.kind AND e.key = s.key AND e.currency = s.currency) AS found
          FROM series s
          UNION ALL
          SELECT w.kind, w.key, w.currency, w.upto, w.next_at,
              (SELECT min(e.at) FROM events e
               WHERE e.kind = w.kind AND e.key = w.key AND e.currency = w.currency AND e.at > w.upto)
          FROM window_starts w) compared
    WHERE said IS DISTINCT FROM found
    LIMIT 100";

/// Heads that say another number of open events than there are, or that one is later, or due later, than it is.
pub(super) const HEADS_UNLIKE_THEIR_OPEN_EVENTS: &str = "
    SELECT kind, key, currency || ' says ' || said || ' open, from ' || coalesce(open_since || ' us', 'never') || ', due '
        || coalesce(open_until || ' us', 'never') || ', its events say ' || open || ', from '
        || coalesce(first_at || ' us', 'never') || ', due ' || coalesce(first_due || ' us', 'never')
    FROM (SELECT kind, key, currency, sum(said) AS said, min(open_since) AS open_since, min(open_until) AS open_until,
              sum(open) AS open, min(at) AS first_at, min(due_at) AS first_due
          FROM (SELECT kind, key, currency, open AS said, open_since, open_until, 0 AS open, CAST(NULL AS bigint) AS at,
                    CAST(NULL AS bigint) AS due_at
                FROM series
                UNION ALL SELECT kind, key, currency, 0, NULL, NULL, 1, at, due_at FROM waiting) both_sides
          GROUP BY kind, key, currency) compared
    WHERE said <> open OR open_since > first_at OR open_until > first_due
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
