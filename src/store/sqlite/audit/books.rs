//! Claims about money: entries, balances, credits and reversals.

use crate::store::audit::{Check, Offenders};
use crate::store::records::RECORDS_UNLIKE_THE_BOOKS;

pub(super) const CHECKS: &[Check] = &[
    Check {
        claim: "each entry has postings in its own currency that sum to zero",
        checked: "SELECT count(*) FROM entries",
        offenders: Offenders::Rows(
            "SELECT 'entry ' || e.id || ' (' || e.kind || ') of account ' || e.account || ': ' || count(p.entry)
                 || ' postings sum to ' || coalesce(sum(p.amount), 0) || ' minor units of ' || e.currency
                 || iif(sum(p.currency <> e.currency) > 0, ', some in another currency', '')
             FROM entries e LEFT JOIN postings p ON p.account = e.account AND p.entry = e.id
             GROUP BY e.account, e.id
             HAVING count(p.entry) = 0 OR sum(p.amount) <> 0 OR sum(p.currency <> e.currency) > 0
             LIMIT 100",
        ),
    },
    Check {
        claim: "the postings of each currency sum to zero",
        checked: "SELECT count(*) FROM postings",
        offenders: Offenders::Rows(
            "SELECT currency || ': ' || count(*) || ' postings sum to ' || sum(amount) || ' minor units'
             FROM postings GROUP BY currency HAVING sum(amount) <> 0 LIMIT 100",
        ),
    },
    Check {
        claim: "each posting belongs to an entry",
        checked: "SELECT count(*) FROM postings",
        offenders: Offenders::Rows(
            "SELECT 'posting of ' || p.amount || ' minor units to ' || p.book || ' of account ' || p.account
                 || ': there is no entry ' || p.entry
             FROM postings p LEFT JOIN entries e ON e.account = p.account AND e.id = p.entry
             WHERE e.id IS NULL LIMIT 100",
        ),
    },
    Check {
        claim: "each entry belongs to an account in its currency, and to the credit it names",
        checked: "SELECT count(*) FROM entries",
        offenders: Offenders::Rows(
            "SELECT 'entry ' || e.id || ' (' || e.kind || ') in ' || e.currency || ' of account ' || e.account || ': '
                 || CASE WHEN a.id IS NULL THEN 'there is no such account'
                         WHEN a.currency <> e.currency THEN 'the account is kept in ' || a.currency
                         WHEN c.id IS NULL THEN 'there is no credit ' || e.credit
                         ELSE 'the credit ' || c.id || ' belongs to account ' || c.account END
             FROM entries e LEFT JOIN accounts a ON a.id = e.account LEFT JOIN credits c ON c.id = e.credit
             WHERE a.id IS NULL OR a.currency <> e.currency
                 OR (e.credit IS NOT NULL AND c.account IS NOT e.account)
             LIMIT 100",
        ),
    },
    Check {
        claim: "each balance, pending, receivable and opening amount equals the sum of its postings",
        checked: "SELECT count(*) FROM accounts",
        offenders: Offenders::Rows(
            "SELECT 'account ' || a.id || ': balance ' || a.balance || ', pending ' || a.pending || ', receivable '
                 || a.receivable || ', opened with ' || a.opening_balance
                 || '; its postings sum to ' || coalesce(p.available, 0) || ', ' || coalesce(p.pending, 0)
                 || ', ' || coalesce(p.receivable, 0) || ', ' || coalesce(p.opening, 0) || ' minor units of ' || a.currency
             FROM accounts a LEFT JOIN (
                 SELECT account, sum(iif(book = 'Available', amount, 0)) AS available,
                     sum(iif(book = 'Pending', amount, 0)) AS pending,
                     sum(iif(book = 'Receivable', amount, 0)) AS receivable,
                     -sum(iif(book = 'Opening', amount, 0)) AS opening
                 FROM postings GROUP BY account) p ON p.account = a.id
             WHERE (a.balance, a.pending, a.receivable, a.opening_balance) <>
                 (coalesce(p.available, 0), coalesce(p.pending, 0), coalesce(p.receivable, 0), coalesce(p.opening, 0))
             LIMIT 100",
        ),
    },
    Check {
        claim: "each pending amount equals the account's credits in progress",
        checked: "SELECT count(*) FROM accounts",
        offenders: Offenders::Rows(
            "WITH waiting AS (SELECT account, sum(amount) AS amount FROM credits
                              WHERE state = 'InProgress' GROUP BY account)
             SELECT 'account ' || a.id || ': ' || a.pending || ' pending, credits in progress sum to '
                 || coalesce(w.amount, 0) || ' minor units of ' || a.currency
             FROM accounts a LEFT JOIN waiting w ON w.account = a.id
             WHERE a.pending <> coalesce(w.amount, 0) LIMIT 100",
        ),
    },
    Check {
        claim: "each credit has its authorization: same account, amount and currency, neither refused nor voided",
        checked: "SELECT count(*) FROM credits",
        offenders: Offenders::Rows(
            "SELECT 'credit ' || c.id || ' (' || c.state || ', ' || c.amount || ' minor units of ' || c.currency
                 || ') of account ' || c.account || ': '
                 || CASE WHEN a.id IS NULL THEN 'there is no authorization ' || c.authorization
                         ELSE 'authorization ' || a.id || ' is ' || a.state || ', ' || a.amount || ' minor units of '
                             || coalesce(a.currency, 'no currency') || ', account ' || coalesce(a.account, 'none') END
             FROM credits c LEFT JOIN authorizations a ON a.id = c.authorization
             WHERE a.account IS NOT c.account OR a.amount IS NOT c.amount
                 OR a.currency IS NOT c.currency OR a.state NOT IN ('Open', 'Expired')
             LIMIT 100",
        ),
    },
    Check {
        claim: "each credit after its authorization's deadline carries the setting that let it pass",
        checked: "SELECT count(*) FROM credits WHERE state <> 'Refused'",
        offenders: Offenders::Rows(
            "SELECT 'credit ' || c.id || ' of account ' || c.account || ' at ' || c.at || ' us: the deadline of '
                 || a.id || ' was ' || a.expires_at || ' us, and it is marked ' || coalesce(c.late, 'on time')
             FROM credits c JOIN authorizations a ON a.id = c.authorization
             WHERE c.state <> 'Refused'
                 AND ((c.late IS NULL AND c.at > a.expires_at) OR (c.late IS NOT NULL AND c.at < a.expires_at))
             LIMIT 100",
        ),
    },
    Check {
        claim: "each authorization that is bound to a credit is used up, and the credit is of its account",
        checked: "SELECT count(*) FROM current_authorizations WHERE bound_credit IS NOT NULL",
        offenders: Offenders::Rows(
            "SELECT 'authorization ' || a.id || ' (' || a.state || ') of account ' || coalesce(a.account, 'none') || ': '
                 || CASE WHEN c.id IS NULL THEN 'there is no credit ' || a.bound_credit
                         ELSE 'credit ' || c.id || ' is of account ' || c.account END
             FROM current_authorizations a LEFT JOIN credits c ON c.id = a.bound_credit
             WHERE a.bound_credit IS NOT NULL AND (a.credit IS NULL OR c.account IS NOT a.account)
             LIMIT 100",
        ),
    },
    Check {
        claim: "no authorization is credited twice",
        checked: "SELECT count(*) FROM credits WHERE state <> 'Refused'",
        offenders: Offenders::Rows(
            "SELECT 'authorization ' || c.authorization || ': credited ' || count(*) || ' times'
             FROM credits c JOIN entries e ON e.credit = c.id AND e.kind = 'Credit'
             GROUP BY c.authorization HAVING count(*) > 1 LIMIT 100",
        ),
    },
    Check {
        claim: "no credit is reversed or taken back twice",
        checked: "SELECT count(*) FROM credits WHERE state IN ('Reversed', 'SettlementFailed')",
        offenders: Offenders::Rows(
            "SELECT 'credit ' || credit || ': taken back ' || count(*) || ' times'
             FROM entries WHERE credit IS NOT NULL AND kind IN ('Reversal', 'SettlementFailure')
             GROUP BY credit HAVING count(*) > 1
             UNION ALL
             SELECT 'credit ' || credit || ': has ' || count(*) || ' reversals'
             FROM reversals GROUP BY credit HAVING count(*) > 1
             LIMIT 100",
        ),
    },
    Check {
        claim: "each credit has the entries of its state, one of a kind; a refused one has none",
        checked: "SELECT count(*) FROM credits",
        offenders: Offenders::Rows(
            "SELECT 'credit ' || c.id || ' (' || c.state || ') of account ' || c.account || ': has the entries '
                 || coalesce(group_concat(e.kind, ', '), 'none')
             FROM credits c LEFT JOIN entries e ON e.credit = c.id
             GROUP BY c.id
             HAVING coalesce(sum(e.kind = 'Credit'), 0) <> (c.state <> 'Refused')
                 OR coalesce(sum(e.kind = 'Reversal'), 0) <> (c.state = 'Reversed')
                 OR coalesce(sum(e.kind = 'SettlementFailure'), 0) <> (c.state = 'SettlementFailed')
                 OR coalesce(sum(e.kind = 'Settlement'), 0) > (c.state IN ('Approved', 'Reversed'))
                 OR coalesce(sum(e.kind IN ('Opening', 'Debit')), 0) > 0
             LIMIT 100",
        ),
    },
    Check {
        claim: "the clearing book holds each standing credit once, and nothing of any other",
        checked: "SELECT count(*) FROM credits",
        offenders: Offenders::Rows(
            "SELECT 'credit ' || c.id || ' (' || c.state || ') of ' || c.amount || ' minor units of ' || c.currency
                 || ': clearing has given ' || coalesce(-sum(p.amount), 0)
             FROM credits c
             LEFT JOIN entries e ON e.credit = c.id
             LEFT JOIN postings p ON p.account = e.account AND p.entry = e.id AND p.book = 'Clearing'
             GROUP BY c.id
             HAVING coalesce(-sum(p.amount), 0) <> iif(c.state IN ('InProgress', 'Approved'), c.amount, 0)
             LIMIT 100",
        ),
    },
    Check {
        claim: "each reversed credit has its reversal, and each reversal its reversed credit",
        checked: "SELECT (SELECT count(*) FROM reversals) + (SELECT count(*) FROM credits WHERE state = 'Reversed')",
        offenders: Offenders::Rows(
            "SELECT 'reversal ' || r.id || ' of ' || r.amount || ' minor units of ' || r.currency || ': '
                 || CASE WHEN c.id IS NULL THEN 'there is no credit ' || r.credit
                         ELSE 'credit ' || c.id || ' is ' || c.state || ', ' || c.amount || ' minor units of '
                             || c.currency || ', reversal ' || coalesce(c.reversal, 'none') END
             FROM reversals r LEFT JOIN credits c ON c.id = r.credit
             WHERE c.state IS NOT 'Reversed' OR c.reversal IS NOT r.id OR c.account IS NOT r.account
                 OR c.amount IS NOT r.amount OR c.currency IS NOT r.currency
             UNION ALL
             SELECT 'credit ' || c.id || ' (' || c.state || '): its reversal is ' || coalesce(c.reversal, 'missing')
             FROM credits c LEFT JOIN reversals r ON r.id = c.reversal
             WHERE (c.state = 'Reversed') <> (c.reversal IS NOT NULL) OR (c.reversal IS NOT NULL AND r.id IS NULL)
             LIMIT 100",
        ),
    },
    Check {
        claim: "each decision about an account and each of its entries has one place that it is found by",
        checked: "SELECT count(*) FROM all_account_records",
        offenders: Offenders::Rows(RECORDS_UNLIKE_THE_BOOKS),
    },
];
