//! SQL over the records of accounts (`domain/record.rs`) that every store spells the same.

/// Records that are missing, that there are two of, or that say something else than the decision and the entry they stand
/// for. All three are added up side by side: SQLite would read all of one again for each of the other to join them.
pub(super) const RECORDS_UNLIKE_THE_BOOKS: &str = "
    SELECT 'account ' || account || ': ' || sum(records) || ' records of ' || id || ' at ' || at || ' us, of '
        || sum(posted) || ' entries and ' || (count(decision) - sum(decisions)) || ' decisions; there are '
        || sum(entries) || ' and ' || sum(decisions)
    FROM (SELECT account, id, at, decision, CASE WHEN posted THEN 1 ELSE 0 END AS posted, 1 AS records, 0 AS decisions,
              0 AS entries
          FROM all_account_records
          UNION ALL SELECT account, id, at, kind, 0, 0, 1, 0 FROM decisions WHERE account IS NOT NULL
          UNION ALL SELECT account, id, at, NULL, 0, 0, 0, 1 FROM entries) sides
    GROUP BY account, id, at
    HAVING sum(records) <> 1 OR sum(posted) <> sum(entries) OR count(decision) <> 2 * sum(decisions)
        OR min(decision) <> max(decision)
    LIMIT 100";
