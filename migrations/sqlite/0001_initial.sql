-- Times are microseconds since 1970 in UTC, amounts minor units, identifiers hyphenated UUIDs, lists JSON.
-- Every table that grows leads with the key of its subject or of the record itself (a posting's entry).

CREATE TABLE batches (
    id           TEXT PRIMARY KEY,
    committed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far this program has come with what it does by itself: up to `swept` no authorization is open any more.
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT;

CREATE TABLE rule_sets (
    version       TEXT PRIMARY KEY,
    text          TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which servers run, and by what they decide: see src/peers.rs.
CREATE TABLE servers (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    rules_version TEXT NOT NULL,
    settings      TEXT NOT NULL,
    started_at    INTEGER NOT NULL,
    seen_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE persons (
    id        TEXT PRIMARY KEY,
    data      TEXT NOT NULL,
    documents TEXT NOT NULL
) STRICT;

-- Who is found by which phone, email or document.
CREATE TABLE directory (
    kind   TEXT NOT NULL,
    value  TEXT NOT NULL,
    person TEXT NOT NULL,
    PRIMARY KEY (kind, value, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX directory_by_person ON directory (person);

-- An account is what limits count by, too: with it stand the heads of its series and its newest records, in the one row
-- that every call on it reads and writes.
-- With a rowid: else a row of more than a kilobyte would have a page of its own.
CREATE TABLE accounts (
    id           TEXT PRIMARY KEY,
    person       TEXT NOT NULL,
    currency     TEXT NOT NULL,
    status       TEXT NOT NULL,
    tier         TEXT NOT NULL,
    display_name TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    balance      INTEGER NOT NULL,
    pending      INTEGER NOT NULL,
    receivable   INTEGER NOT NULL,
    opening_balance INTEGER NOT NULL,
    last_event_at INTEGER NOT NULL,
    series       TEXT NOT NULL DEFAULT '{}',
    unfiled      TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX accounts_by_person ON accounts (person);
CREATE INDEX accounts_by_age ON accounts (created_at, id);

-- Senders and receivers. The key comes before its kind: most comparisons in a tree then end at the first column.
-- With a rowid, as accounts.
CREATE TABLE subjects (
    kind          TEXT NOT NULL,
    key           TEXT NOT NULL,
    last_event_at INTEGER NOT NULL,
    series        TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (key, kind)
) STRICT;

-- Whatever limits count by, side by side.
CREATE VIEW all_subjects AS
SELECT 'account' AS kind, id AS key, last_event_at, series FROM accounts
UNION ALL SELECT kind, key, last_event_at, series FROM subjects;

-- What each subject has counted in each currency, a row for each.
CREATE VIEW series AS
SELECT s.kind, s.key, h.key AS currency, h.value ->> 'events' AS events, h.value ->> 'amount' AS amount,
    h.value ->> 'first_at' AS first_at,
    json_patch('{"expiry":{"count":0,"amount":0},"reversal":{"count":0,"amount":0},"always":{"count":0,"amount":0}}',
        coalesce(h.value -> 'released', '{}')) AS released,
    coalesce(h.value ->> '$.open.count', 0) AS open, h.value ->> '$.open.at' AS open_since,
    h.value ->> '$.open.due_at' AS open_until, coalesce(h.value -> 'starts', '[]') AS starts
FROM all_subjects s, json_each(s.series) h;

-- What it had counted up to the start of each window that it was last counted over, and when it went on.
CREATE VIEW window_starts AS
SELECT s.kind, s.key, s.currency, w.value ->> 'upto' AS upto, w.value ->> 'events' AS events,
    w.value ->> 'amount' AS amount, w.value ->> 'next_at' AS next_at,
    json_patch('{"expiry":{"count":0,"amount":0},"reversal":{"count":0,"amount":0},"always":{"count":0,"amount":0}}',
        coalesce(w.value -> 'released', '{}')) AS released
FROM series s, json_each(s.starts) w;

-- In the order of time, which is that of their numbers: a window's start is found, and an event appended, in one tree.
CREATE TABLE events (
    kind          TEXT NOT NULL,
    key           TEXT NOT NULL,
    currency      TEXT NOT NULL,
    at            INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    amount        INTEGER NOT NULL,
    running       INTEGER NOT NULL,
    authorization TEXT NOT NULL,
    due_at        INTEGER,
    released      TEXT,
    late          INTEGER NOT NULL,
    PRIMARY KEY (key, kind, currency, at, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_overdue ON events (due_at) WHERE kind <> 'account' AND due_at IS NOT NULL;

-- How much was released in each block of events: see domain/subject.rs.
CREATE TABLE release_nodes (
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    currency TEXT NOT NULL,
    level    INTEGER NOT NULL,
    block    INTEGER NOT NULL,
    released TEXT NOT NULL,
    count    INTEGER NOT NULL,
    amount   INTEGER NOT NULL,
    PRIMARY KEY (key, kind, currency, level, block, released)
) STRICT, WITHOUT ROWID;

-- What a call left behind, and what became of it without a credit: that one was used up is said by its credit alone, so
-- a credit changes no row here.
CREATE TABLE authorizations (
    id            TEXT PRIMARY KEY,
    account       TEXT,
    amount        INTEGER NOT NULL,
    currency      TEXT,
    exchange_rate TEXT,
    at            INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    state         TEXT NOT NULL,
    sender        TEXT,
    counted       TEXT NOT NULL,
    bound_credit  TEXT
) STRICT, WITHOUT ROWID;
-- An account's open ones are found by its events; most are used up before they expire.
CREATE INDEX authorizations_expired ON authorizations (account, amount, currency, at) WHERE state = 'Expired';
-- Those that a credit has used up stay in it: sweeps look at them in the order of their deadlines (marks).
CREATE INDEX authorizations_by_deadline ON authorizations (expires_at, id) WHERE state = 'Open';

CREATE TABLE credits (
    id              TEXT PRIMARY KEY,
    account         TEXT NOT NULL,
    authorization   TEXT NOT NULL UNIQUE,
    amount          INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    exchange_rate   TEXT,
    at              INTEGER NOT NULL,
    state           TEXT NOT NULL,
    referenced      INTEGER NOT NULL,
    late            TEXT,
    reason          TEXT,
    note            TEXT,
    reversal        TEXT,
    idempotency_key TEXT,
    counted         TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credits_unreferenced ON credits (account, amount, currency, at) WHERE referenced = 0;
CREATE INDEX credits_in_progress ON credits (at) WHERE state = 'InProgress';

-- Authorizations as they now are, with what their credits say of them.
CREATE VIEW current_authorizations AS
SELECT a.id, a.account, a.amount, a.currency, a.exchange_rate, a.at, a.expires_at,
    CASE WHEN c.id IS NULL THEN a.state WHEN c.state = 'Refused' THEN 'CreditRefused' ELSE 'Credited' END AS state,
    a.sender, a.counted, c.id AS credit, coalesce(a.bound_credit, iif(c.referenced, c.id, NULL)) AS bound_credit
FROM authorizations a LEFT JOIN credits c ON c.authorization = a.id AND c.account = a.account;

-- What waits for its credit, and until when: of an account what its open authorizations are counted as, of others what
-- says so itself.
CREATE VIEW waiting AS
SELECT 'account' AS kind, account AS key, currency, at, expires_at AS due_at
FROM current_authorizations WHERE state = 'Open'
UNION ALL SELECT kind, key, currency, at, due_at FROM events WHERE kind <> 'account' AND due_at IS NOT NULL;

CREATE TABLE reversals (
    id       TEXT PRIMARY KEY,
    credit   TEXT NOT NULL UNIQUE,
    account  TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    currency TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reversals_by_account ON reversals (account, at);

CREATE TABLE ambiguous_credits (
    id            TEXT PRIMARY KEY,
    account       TEXT NOT NULL,
    amount        INTEGER NOT NULL,
    currency      TEXT NOT NULL,
    exchange_rate TEXT,
    at            INTEGER NOT NULL,
    answered_with TEXT,
    state         TEXT NOT NULL,
    credit        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX ambiguous_credits_by_account ON ambiguous_credits (account, at);

-- Entries and postings are only ever added (decision 12).
CREATE TABLE entries (
    account  TEXT NOT NULL,
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    credit   TEXT,
    currency TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entries_once_per_credit ON entries (credit, kind) WHERE credit IS NOT NULL;

CREATE TABLE postings (
    account  TEXT NOT NULL,
    entry    TEXT NOT NULL,
    book     TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount   INTEGER NOT NULL,
    PRIMARY KEY (entry, book)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are only added'); END;
CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are only added'); END;
CREATE TRIGGER postings_stay BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings are only added'); END;
CREATE TRIGGER postings_are_kept BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings are only added'); END;

CREATE TABLE decisions (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    account       TEXT,
    at            INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    approved      INTEGER NOT NULL,
    reason        TEXT,
    note          TEXT,
    reference     TEXT,
    amount        INTEGER,
    currency      TEXT,
    exchange_rate TEXT,
    rules_version TEXT,
    findings      TEXT NOT NULL,
    request       TEXT NOT NULL
) STRICT;

-- What an account's decisions and entries are found by, and its authorizations and credits, too: each has its decision
-- under its own id. The newest stand in the account's row until they are filed here; an authorization that was approved is
-- found by its event: see domain/record.rs.
CREATE TABLE account_records (
    account  TEXT NOT NULL,
    at       INTEGER NOT NULL,
    id       TEXT NOT NULL,
    decision TEXT,
    posted   INTEGER NOT NULL,
    PRIMARY KEY (account, at, id)
) STRICT, WITHOUT ROWID;

CREATE VIEW all_account_records AS
SELECT account, at, id, decision, posted FROM account_records
UNION ALL
SELECT a.id, r.value ->> 0, r.value ->> 1, r.value ->> 2, r.value ->> 3 FROM accounts a, json_each(a.unfiled) r
UNION ALL
SELECT a.id, e.at, e.authorization, 'Authorization', 0
FROM accounts a JOIN events e ON e.kind = 'account' AND e.key = a.id AND e.currency = a.currency AND NOT e.late;

CREATE TABLE account_changes (
    account     TEXT NOT NULL,
    id          TEXT NOT NULL,
    at          INTEGER NOT NULL,
    who         TEXT NOT NULL,
    action      TEXT NOT NULL,
    why         TEXT NOT NULL,
    target      TEXT,
    change      TEXT NOT NULL,
    case_number TEXT,
    review_date TEXT,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolments (
    token_hash TEXT PRIMARY KEY,
    person     TEXT NOT NULL,
    documents  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    account    TEXT
) STRICT;
CREATE INDEX enrolments_by_expiry ON enrolments (expires_at);

CREATE TABLE idempotency (
    path      TEXT NOT NULL,
    key       TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (path, key)
) STRICT;
CREATE INDEX idempotency_by_time ON idempotency (at);
