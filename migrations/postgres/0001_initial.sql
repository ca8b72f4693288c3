-- Times are microseconds since 1970 in UTC, amounts minor units, lists JSON.
-- Every table that grows leads with the key of its subject or of the record itself (a posting's entry). Texts that are
-- looked up or sorted compare byte by byte (COLLATE "C"), whatever the database's language.

CREATE TABLE batches (
    id           uuid PRIMARY KEY,
    committed_at bigint NOT NULL
);
CREATE INDEX batches_by_time ON batches (committed_at);

-- How far this program has come with what it does by itself: up to `swept` no authorization is open any more.
CREATE TABLE marks (
    name text COLLATE "C" PRIMARY KEY,
    at   bigint NOT NULL
);

CREATE TABLE rule_sets (
    version       text COLLATE "C" PRIMARY KEY,
    text          text NOT NULL,
    first_seen_at bigint NOT NULL
);

-- Which servers run, and by what they decide: see src/peers.rs.
CREATE TABLE servers (
    id            uuid PRIMARY KEY,
    name          text COLLATE "C" NOT NULL,
    version       text NOT NULL,
    rules_version text COLLATE "C" NOT NULL,
    settings      jsonb NOT NULL,
    started_at    bigint NOT NULL,
    seen_at       bigint NOT NULL
);

CREATE TABLE persons (
    id        uuid PRIMARY KEY,
    data      jsonb NOT NULL,
    documents jsonb NOT NULL
);

-- Who is found by which phone, email or document.
CREATE TABLE directory (
    kind   text COLLATE "C" NOT NULL,
    value  text COLLATE "C" NOT NULL,
    person uuid NOT NULL,
    PRIMARY KEY (kind, value, person)
);
CREATE INDEX directory_by_person ON directory (person);

-- An account is what limits count by, too: with it stand the heads of its series and its newest records, in the one row
-- that every call on it locks, reads and writes. What is read and written whole is json, which is not taken apart. Half of
-- each page is left free: a row that is written anew on its page changes no index.
CREATE TABLE accounts (
    id           text COLLATE "C" PRIMARY KEY,
    person       uuid NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    status       text COLLATE "C" NOT NULL,
    tier         text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    created_at   bigint NOT NULL,
    balance      bigint NOT NULL,
    pending      bigint NOT NULL,
    receivable   bigint NOT NULL,
    opening_balance bigint NOT NULL,
    last_event_at bigint NOT NULL,
    series       json NOT NULL DEFAULT '{}',
    unfiled      json NOT NULL DEFAULT '[]'
) WITH (fillfactor = 50);
CREATE INDEX accounts_by_person ON accounts (person);
-- Without the id: on an empty table that was vacuumed, a look-up by it would be planned as a scan of this index.
CREATE INDEX accounts_by_age ON accounts (created_at);

-- Senders and receivers, and a row for each part of the directory that was ever locked.
-- The key comes before its kind: most comparisons in a tree then end at the first column. Pages and json as in accounts.
CREATE TABLE subjects (
    kind          text COLLATE "C" NOT NULL,
    key           text COLLATE "C" NOT NULL,
    last_event_at bigint NOT NULL,
    series        json NOT NULL DEFAULT '{}',
    PRIMARY KEY (key, kind)
) WITH (fillfactor = 50);

-- Whatever limits count by, side by side. The directory's locks, too.
CREATE VIEW all_subjects AS
SELECT 'account' AS kind, id AS key, last_event_at, series FROM accounts
UNION ALL SELECT kind, key, last_event_at, series FROM subjects;

-- What each subject has counted in each currency, a row for each.
CREATE VIEW series AS
SELECT s.kind, s.key, h.key AS currency, (h.value ->> 'events')::bigint AS events,
    (h.value ->> 'amount')::bigint AS amount, (h.value ->> 'first_at')::bigint AS first_at,
    '{"expiry":{"count":0,"amount":0},"reversal":{"count":0,"amount":0},"always":{"count":0,"amount":0}}'::jsonb
        || coalesce((h.value -> 'released')::jsonb, '{}') AS released,
    coalesce((h.value #>> '{open,count}')::bigint, 0) AS open, (h.value #>> '{open,at}')::bigint AS open_since,
    (h.value #>> '{open,due_at}')::bigint AS open_until, coalesce(h.value -> 'starts', '[]') AS starts
FROM all_subjects s, json_each(s.series) h;

-- What it had counted up to the start of each window that it was last counted over, and when it went on.
CREATE VIEW window_starts AS
SELECT s.kind, s.key, s.currency, (w.value ->> 'upto')::bigint AS upto, (w.value ->> 'events')::bigint AS events,
    (w.value ->> 'amount')::bigint AS amount, (w.value ->> 'next_at')::bigint AS next_at,
    '{"expiry":{"count":0,"amount":0},"reversal":{"count":0,"amount":0},"always":{"count":0,"amount":0}}'::jsonb
        || coalesce((w.value -> 'released')::jsonb, '{}') AS released
FROM series s, json_array_elements(s.starts) w;

-- In the order of time, which is that of their numbers: a window's start is found, and an event appended, in one tree. The
-- key's index holds all that is summed, and counted for lists: the events of one account lie far apart in the table.
CREATE TABLE events (
    kind          text COLLATE "C" NOT NULL,
    key           text COLLATE "C" NOT NULL,
    currency      text COLLATE "C" NOT NULL,
    at            bigint NOT NULL,
    number        bigint NOT NULL,
    amount        bigint NOT NULL,
    running       bigint NOT NULL,
    "authorization" uuid NOT NULL,
    due_at        bigint,
    released      text COLLATE "C",
    late          boolean NOT NULL,
    PRIMARY KEY (key, kind, currency, at, number) INCLUDE (amount, running, released, late)
);
CREATE INDEX events_overdue ON events (due_at) WHERE kind <> 'account' AND due_at IS NOT NULL;

-- How much was released in each block of events: see domain/subject.rs.
CREATE TABLE release_nodes (
    kind     text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    level    bigint NOT NULL,
    block    bigint NOT NULL,
    released text COLLATE "C" NOT NULL,
    count    bigint NOT NULL,
    amount   bigint NOT NULL,
    PRIMARY KEY (key, kind, currency, level, block, released)
);

-- What a call left behind, and what became of it without a credit: that one was used up is said by its credit alone, so
-- a credit changes no row here.
CREATE TABLE authorizations (
    id            uuid PRIMARY KEY,
    account       text COLLATE "C",
    amount        bigint NOT NULL,
    currency      text COLLATE "C",
    exchange_rate text COLLATE "C",
    at            bigint NOT NULL,
    expires_at    bigint NOT NULL,
    state         text COLLATE "C" NOT NULL,
    sender        text,
    counted       json NOT NULL,
    bound_credit  uuid
);
-- An account's open ones are found by its events; most are used up before they expire.
CREATE INDEX authorizations_expired ON authorizations (account, amount, currency, at) WHERE state = 'Expired';
-- Those that a credit has used up stay in it: sweeps look at them in the order of their deadlines (marks).
CREATE INDEX authorizations_by_deadline ON authorizations (expires_at, id) WHERE state = 'Open';

CREATE TABLE credits (
    id              uuid PRIMARY KEY,
    account         text COLLATE "C" NOT NULL,
    "authorization" uuid NOT NULL UNIQUE,
    amount          bigint NOT NULL,
    currency        text COLLATE "C" NOT NULL,
    exchange_rate   text COLLATE "C",
    at              bigint NOT NULL,
    state           text COLLATE "C" NOT NULL,
    referenced      boolean NOT NULL,
    late            text,
    reason          text,
    note            text,
    reversal        uuid,
    idempotency_key text,
    counted         json NOT NULL
);
CREATE INDEX credits_unreferenced ON credits (account, amount, currency, at) WHERE NOT referenced;
CREATE INDEX credits_in_progress ON credits (at, id) WHERE state = 'InProgress';

-- Authorizations as they now are, with what their credits say of them.
CREATE VIEW current_authorizations AS
SELECT a.id, a.account, a.amount, a.currency, a.exchange_rate, a.at, a.expires_at,
    CASE WHEN c.id IS NULL THEN a.state WHEN c.state = 'Refused' THEN 'CreditRefused' ELSE 'Credited' END AS state,
    a.sender, a.counted, c.id AS credit,
    coalesce(a.bound_credit, CASE WHEN c.referenced THEN c.id END) AS bound_credit
FROM authorizations a LEFT JOIN credits c ON c."authorization" = a.id AND c.account = a.account;

-- What waits for its credit, and until when: of an account what its open authorizations are counted as, of others what
-- says so itself.
CREATE VIEW waiting AS
SELECT 'account' AS kind, account AS key, currency, at, expires_at AS due_at
FROM current_authorizations WHERE state = 'Open'
UNION ALL SELECT kind, key, currency, at, due_at FROM events WHERE kind <> 'account' AND due_at IS NOT NULL;

CREATE TABLE reversals (
    id       uuid PRIMARY KEY,
    credit   uuid NOT NULL UNIQUE,
    account  text COLLATE "C" NOT NULL,
    amount   bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    at       bigint NOT NULL
);
CREATE INDEX reversals_by_account ON reversals (account, at, id);

CREATE TABLE ambiguous_credits (
    id            uuid PRIMARY KEY,
    account       text COLLATE "C" NOT NULL,
    amount        bigint NOT NULL,
    currency      text COLLATE "C" NOT NULL,
    exchange_rate text COLLATE "C",
    at            bigint NOT NULL,
    answered_with uuid,
    state         text COLLATE "C" NOT NULL,
    credit        uuid
);
CREATE INDEX ambiguous_credits_by_account ON ambiguous_credits (account, at, id);

-- Entries and postings are only ever added (decision 12).
CREATE TABLE entries (
    account  text COLLATE "C" NOT NULL,
    id       uuid PRIMARY KEY,
    kind     text COLLATE "C" NOT NULL,
    credit   uuid,
    currency text COLLATE "C" NOT NULL,
    at       bigint NOT NULL
);
CREATE UNIQUE INDEX entries_once_per_credit ON entries (credit, kind) WHERE credit IS NOT NULL;

CREATE TABLE postings (
    account  text COLLATE "C" NOT NULL,
    entry    uuid NOT NULL,
    book     text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    amount   bigint NOT NULL,
    PRIMARY KEY (entry, book)
);

CREATE FUNCTION only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are only added', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION only_added();
CREATE TRIGGER entries_are_kept BEFORE TRUNCATE ON entries EXECUTE FUNCTION only_added();
CREATE TRIGGER postings_stay BEFORE UPDATE OR DELETE ON postings FOR EACH ROW EXECUTE FUNCTION only_added();
CREATE TRIGGER postings_are_kept BEFORE TRUNCATE ON postings EXECUTE FUNCTION only_added();

-- What rules found is written with every call and read by people alone: kept as it is, not taken apart (jsonb).
CREATE TABLE decisions (
    id            uuid PRIMARY KEY,
    kind          text COLLATE "C" NOT NULL,
    account       text COLLATE "C",
    at            bigint NOT NULL,
    received_at   bigint NOT NULL,
    approved      boolean NOT NULL,
    reason        text COLLATE "C",
    note          text,
    reference     uuid,
    amount        bigint,
    currency      text COLLATE "C",
    exchange_rate text COLLATE "C",
    rules_version text COLLATE "C",
    findings      json NOT NULL,
    request       text NOT NULL
);

-- What an account's decisions and entries are found by, and its authorizations and credits, too: each has its decision
-- under its own id. The newest stand in the account's row until they are filed here; an authorization that was approved is
-- found by its event: see domain/record.rs.
CREATE TABLE account_records (
    account  text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    id       uuid NOT NULL,
    decision text COLLATE "C",
    posted   boolean NOT NULL,
    PRIMARY KEY (account, at, id) INCLUDE (decision, posted)
);

CREATE VIEW all_account_records AS
SELECT account, at, id, decision, posted FROM account_records
UNION ALL
SELECT a.id, (r.value ->> 0)::bigint, (r.value ->> 1)::uuid, r.value ->> 2, (r.value ->> 3)::boolean
FROM accounts a, json_array_elements(a.unfiled) r
UNION ALL
SELECT a.id, e.at, e."authorization", 'Authorization', false
FROM accounts a JOIN events e ON e.kind = 'account' AND e.key = a.id AND e.currency = a.currency AND NOT e.late;

CREATE TABLE account_changes (
    account     text COLLATE "C" NOT NULL,
    id          uuid NOT NULL,
    at          bigint NOT NULL,
    who         text NOT NULL,
    action      text NOT NULL,
    why         text NOT NULL,
    target      uuid,
    change      text NOT NULL,
    case_number text,
    review_date text,
    PRIMARY KEY (account, id)
);

CREATE TABLE enrolments (
    token_hash text COLLATE "C" PRIMARY KEY,
    person     jsonb NOT NULL,
    documents  jsonb NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    account    text COLLATE "C"
);
CREATE INDEX enrolments_by_expiry ON enrolments (expires_at);

CREATE TABLE idempotency (
    path      text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    body_hash text NOT NULL,
    outcome   jsonb NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (path, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);
