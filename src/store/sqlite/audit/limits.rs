//! Claims about what limits count: series, their events, what was given back, and the release tree over it.

use crate::store::audit::{Check, Offenders};
use crate::store::series::{
    HEADS_AND_STARTS, HEADS_UNLIKE_THEIR_EVENTS, HEADS_UNLIKE_THEIR_NEXT_EVENTS, HEADS_UNLIKE_THEIR_OPEN_EVENTS,
    NODES_UNLIKE_THEIR_EVENTS, OPEN_THOUGH_THE_SWEEPS_HAVE_PASSED,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        claim: "the events of each series are numbered without gaps, in order of time, with continuous running sums",
        checked: "SELECT count(*) FROM events",
        offenders: Offenders::OfSubjects(
            "SELECT kind, key, currency || ' event ' || number || ' at ' || at || ' us, running sum ' || running
                 || ', after ' || coalesce('event ' || number_before || ' at ' || at_before || ' us, running sum '
                 || running_before, 'none')
             FROM (SELECT kind, key, currency, number, at, amount, running,
                       lag(number) OVER earlier AS number_before, lag(at) OVER earlier AS at_before,
                       lag(running) OVER earlier AS running_before
                   FROM events WINDOW earlier AS (PARTITION BY key, kind, currency ORDER BY at, number))
             WHERE number <> coalesce(number_before, 0) + 1 OR running <> coalesce(running_before, 0) + amount
             LIMIT 100",
        ),
    },
    Check {
        claim: "each series' count, sum and released tallies, and those before each window's start that it keeps, equal a recount of its events",
        checked: HEADS_AND_STARTS,
        offenders: Offenders::OfSubjects(HEADS_UNLIKE_THEIR_EVENTS),
    },
    Check {
        claim: "each series says when it began, and when it went on after each window's start that it keeps",
        checked: HEADS_AND_STARTS,
        offenders: Offenders::OfSubjects(HEADS_UNLIKE_THEIR_NEXT_EVENTS),
    },
    Check {
        claim: "each node of a release tree equals a recount of the events in its block",
        checked: "SELECT count(*) FROM release_nodes",
        offenders: Offenders::OfSubjects(NODES_UNLIKE_THEIR_EVENTS),
    },
    Check {
        claim: "each series says how many of its events are open, and none is earlier or due earlier than it says",
        checked: "SELECT count(*) FROM waiting",
        offenders: Offenders::OfSubjects(HEADS_UNLIKE_THEIR_OPEN_EVENTS),
    },
    Check {
        claim: "no event is dated after its subject's last event",
        checked: "SELECT count(*) FROM events",
        offenders: Offenders::OfSubjects(
            "SELECT e.kind, e.key, e.currency || ' event ' || e.number || ' at ' || e.at || ' us: the last event was '
                 || coalesce('at ' || s.last_event_at || ' us', 'never')
             FROM events e LEFT JOIN all_subjects s ON s.kind = e.kind AND s.key = e.key
             WHERE s.kind IS NULL OR e.at > s.last_event_at LIMIT 100",
        ),
    },
    Check {
        claim: "each authorization and each late credit is counted where it says, with its own amount",
        checked: "SELECT (SELECT count(*) FROM authorizations) + (SELECT count(*) FROM credits)",
        offenders: Offenders::OfSubjects(
            "SELECT p.value ->> 'kind', p.value ->> 'key', (p.value ->> 'currency') || ' event '
                 || (p.value ->> 'number') || ' is not that of authorization ' || a.id
             FROM authorizations a, json_each(a.counted) p
             LEFT JOIN events e ON e.kind = p.value ->> 'kind' AND e.key = p.value ->> 'key'
                 AND e.currency = p.value ->> 'currency' AND e.at = p.value ->> 'at'
                 AND e.number = p.value ->> 'number'
             WHERE e.authorization IS NOT a.id OR e.amount IS NOT a.amount OR e.currency IS NOT a.currency
             UNION ALL
             SELECT p.value ->> 'kind', p.value ->> 'key', (p.value ->> 'currency') || ' event '
                 || (p.value ->> 'number') || ' is not that of the late credit ' || c.id
             FROM credits c, json_each(c.counted) p
             LEFT JOIN events e ON e.kind = p.value ->> 'kind' AND e.key = p.value ->> 'key'
                 AND e.currency = p.value ->> 'currency' AND e.at = p.value ->> 'at'
                 AND e.number = p.value ->> 'number'
             WHERE e.authorization IS NOT c.authorization OR e.amount IS NOT c.amount OR e.currency IS NOT c.currency
             LIMIT 100",
        ),
    },
    Check {
        claim: "each event that counts is one that its authorization, or its late credit, was counted by",
        checked: "SELECT count(*) FROM events WHERE released IS NOT 'Always'",
        offenders: Offenders::OfSubjects(
            "SELECT e.kind, e.key, e.currency || ' event ' || e.number || ': authorization ' || e.authorization
                 || iif(a.id IS NULL, ' does not exist', ' is not counted there')
             FROM events e LEFT JOIN authorizations a ON a.id = e.authorization LEFT JOIN credits c ON c.authorization = a.id
             WHERE e.released IS NOT 'Always' AND NOT EXISTS (
                 SELECT 1 FROM (SELECT value FROM json_each(a.counted) UNION ALL SELECT value FROM json_each(c.counted)) p
                 WHERE p.value ->> 'kind' = e.kind AND p.value ->> 'key' = e.key
                     AND p.value ->> 'currency' = e.currency AND p.value ->> 'at' = e.at
                     AND p.value ->> 'number' = e.number)
             LIMIT 100",
        ),
    },
    // A subject applies its own releases only, so one that has been idle may be behind its account, or ahead of it:
    // then the event is still due, or the authorization still open. At the account itself there is no such lag.
    Check {
        claim: "exactly what expired, was voided, refused or taken back has been released; what is open is still due",
        checked: "SELECT count(*) FROM events",
        offenders: Offenders::OfSubjects(
            "WITH places AS (
                 SELECT p.value AS place, a.id AS authorization, a.state, a.expires_at,
                     CASE WHEN a.state IN ('Expired', 'Voided') THEN 'Expiry'
                          WHEN a.state = 'CreditRefused' THEN 'Always'
                          WHEN a.state = 'Credited' AND c.counted <> '[]' THEN 'Always'
                          WHEN a.state = 'Credited' AND c.state IN ('Reversed', 'SettlementFailed') THEN 'Reversal'
                     END AS released,
                     CASE WHEN a.state = 'Open' THEN a.expires_at
                          WHEN a.state = 'Credited' AND p.value ->> 'kind' = 'account' AND c.counted = '[]'
                                  AND c.state NOT IN ('Reversed', 'SettlementFailed') THEN a.expires_at
                     END AS due_at
                 FROM current_authorizations a CROSS JOIN json_each(a.counted) p
                 LEFT JOIN credits c ON c.id = a.credit
                 UNION ALL
                 SELECT p.value, c.authorization, 'late credit ' || c.state, NULL,
                     iif(c.state IN ('Reversed', 'SettlementFailed'), 'Reversal', NULL), NULL
                 FROM credits c CROSS JOIN json_each(c.counted) p)
             SELECT e.kind, e.key, e.currency || ' event ' || e.number || ' of authorization ' || p.authorization
                 || ' (' || p.state || '): released ' || coalesce(e.released, 'never') || ', due '
                 || coalesce(e.due_at || ' us', 'never') || '; expected ' || coalesce(p.released, 'never') || ', due '
                 || coalesce(p.due_at || ' us', 'never')
             FROM places p JOIN events e ON e.kind = p.place ->> 'kind' AND e.key = p.place ->> 'key'
                 AND e.currency = p.place ->> 'currency' AND e.at = p.place ->> 'at' AND e.number = p.place ->> 'number'
             WHERE (e.released IS NOT p.released OR e.due_at IS NOT p.due_at)
                 AND NOT (e.kind <> 'account' AND p.state = 'Expired' AND e.released IS NULL
                     AND e.due_at IS p.expires_at)
                 AND NOT (e.kind <> 'account' AND p.state = 'Open' AND e.released IS 'Expiry' AND e.due_at IS NULL)
             LIMIT 100",
        ),
    },
    Check {
        claim: "no authorization is open whose deadline the sweeps have passed",
        checked: "SELECT count(*) FROM authorizations WHERE state = 'Open'",
        offenders: Offenders::Rows(OPEN_THOUGH_THE_SWEEPS_HAVE_PASSED),
    },
];
