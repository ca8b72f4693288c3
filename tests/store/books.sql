-- Small books that are sound, for tests: one credit that stands, one reversed, one refused, one let in late; one open
-- authorization, one expired, and a debit.
INSERT INTO persons VALUES ('00000000-0000-7000-8000-000000000001',
    '{"PhoneNumber":"+525555123456","Email":null,"FirstName":"Ana","MiddleName":null,"LastName":"Lopez","LastName2":null,"Gender":"Female","BirthDate":"1990-01-31","Address":{"Address1":"Calle 1","Address2":null,"ZipCode":"06600","City":"CDMX","CountryCode":"MX","StateCode":"CMX"}}',
    '[{"DocumentType":"INE_IFE","Number":"123"}]');
INSERT INTO directory VALUES ('phone', '+525555123456', '00000000-0000-7000-8000-000000000001');

INSERT INTO accounts VALUES
    ('4000', '00000000-0000-7000-8000-000000000001', 'MXN', 'Active', 'standard', 'MC-4000', 1, 1307, 0, 0, 7, 100,
     '{"MXN":{"events":7,"amount":3400,"first_at":10,"open":{"count":1,"at":10,"due_at":200},"released":{"expiry":{"count":1,"amount":300},"reversal":{"count":1,"amount":500},"always":{"count":2,"amount":1100}},"starts":[{"upto":15,"events":1,"amount":1000,"next_at":20},{"upto":30,"events":4,"amount":2600,"released":{"reversal":{"count":1,"amount":500},"always":{"count":2,"amount":1100}},"next_at":50}]}}',
     '[[35,"00000000-0000-7000-8000-00000000c003","Credit",false],[90,"00000000-0000-7000-8000-00000000c004","Credit",true],[99,"00000000-0000-7000-8000-00000000f001",null,true]]'),
    ('4001', '00000000-0000-7000-8000-000000000001', 'MXN', 'Blocked', 'gold', 'MC-4001', 2, 0, 0, 0, 0, 0, '{}', '[]');

INSERT INTO subjects VALUES
    ('sender', '+15550100|1980-02-02', 100, '{"MXN":{"events":1,"amount":300,"first_at":50,"open":{"count":1,"at":50,"due_at":60}}}');

INSERT INTO events VALUES
    ('account', '4000', 'MXN', 10, 1, 1000, 1000, '00000000-0000-7000-8000-00000000a001', 110, NULL, FALSE),
    ('account', '4000', 'MXN', 20, 2,  500, 1500, '00000000-0000-7000-8000-00000000a002', NULL, 'Reversal', FALSE),
    ('account', '4000', 'MXN', 30, 3,  700, 2200, '00000000-0000-7000-8000-00000000a003', NULL, 'Always', FALSE),
    ('account', '4000', 'MXN', 30, 4,  400, 2600, '00000000-0000-7000-8000-00000000a004', NULL, 'Always', FALSE),
    ('account', '4000', 'MXN', 50, 5,  300, 2900, '00000000-0000-7000-8000-00000000a005', NULL, 'Expiry', FALSE),
    ('account', '4000', 'MXN', 90, 6,  400, 3300, '00000000-0000-7000-8000-00000000a004', NULL, NULL, TRUE),
    ('account', '4000', 'MXN', 95, 7,  100, 3400, '00000000-0000-7000-8000-00000000a006', 200, NULL, FALSE),
    ('sender', '+15550100|1980-02-02', 'MXN', 50, 1, 300, 300, '00000000-0000-7000-8000-00000000a005', 60, NULL, FALSE);

WITH levels (level) AS (VALUES (1), (2), (3), (4)),
     tallies (released, count, amount) AS (VALUES ('Expiry', 1, 300), ('Reversal', 1, 500), ('Always', 2, 1100))
INSERT INTO release_nodes SELECT 'account', '4000', 'MXN', level, 0, released, count, amount FROM levels, tallies;

INSERT INTO authorizations VALUES
    ('00000000-0000-7000-8000-00000000a001', '4000', 1000, 'MXN', '17.25', 10, 110, 'Open', NULL,
     '[{"kind":"account","key":"4000","currency":"MXN","at":10,"number":1}]', NULL),
    ('00000000-0000-7000-8000-00000000a002', '4000', 500, 'MXN', NULL, 20, 120, 'Open', NULL,
     '[{"kind":"account","key":"4000","currency":"MXN","at":20,"number":2}]',
     '00000000-0000-7000-8000-00000000c001'),
    ('00000000-0000-7000-8000-00000000a003', '4000', 700, 'MXN', NULL, 30, 130, 'Open', NULL,
     '[{"kind":"account","key":"4000","currency":"MXN","at":30,"number":3}]', NULL),
    ('00000000-0000-7000-8000-00000000a004', '4000', 400, 'MXN', NULL, 30, 40, 'Expired', NULL,
     '[{"kind":"account","key":"4000","currency":"MXN","at":30,"number":4}]', NULL),
    ('00000000-0000-7000-8000-00000000a005', '4000', 300, 'MXN', NULL, 50, 60, 'Expired', '+15550100|1980-02-02',
     '[{"kind":"account","key":"4000","currency":"MXN","at":50,"number":5},{"kind":"sender","key":"+15550100|1980-02-02","currency":"MXN","at":50,"number":1}]', NULL),
    ('00000000-0000-7000-8000-00000000a006', '4000', 100, 'MXN', NULL, 95, 200, 'Open', NULL,
     '[{"kind":"account","key":"4000","currency":"MXN","at":95,"number":7}]', NULL),
    ('00000000-0000-7000-8000-00000000a007', NULL, 0, NULL, NULL, 96, 96, 'Refused', NULL, '[]', NULL);

INSERT INTO credits VALUES
    ('00000000-0000-7000-8000-00000000c001', '4000', '00000000-0000-7000-8000-00000000a001', 1000, 'MXN', '17.25', 15,
     'Approved', TRUE, NULL, NULL, NULL, NULL, 'key-1', '[]'),
    ('00000000-0000-7000-8000-00000000c002', '4000', '00000000-0000-7000-8000-00000000a002', 500, 'MXN', NULL, 25,
     'Reversed', FALSE, NULL, NULL, NULL, '00000000-0000-7000-8000-00000000e001', NULL, '[]'),
    ('00000000-0000-7000-8000-00000000c003', '4000', '00000000-0000-7000-8000-00000000a003', 700, 'MXN', NULL, 35,
     'Refused', TRUE, NULL, 'AccountBlocked', 'the account is Blocked', NULL, NULL, '[]'),
    ('00000000-0000-7000-8000-00000000c004', '4000', '00000000-0000-7000-8000-00000000a004', 400, 'MXN', NULL, 90,
     'Approved', TRUE, 'Rechecked', NULL, NULL, NULL, NULL,
     '[{"kind":"account","key":"4000","currency":"MXN","at":90,"number":6}]');

INSERT INTO reversals VALUES
    ('00000000-0000-7000-8000-00000000e001', '00000000-0000-7000-8000-00000000c002', '4000', 500, 'MXN', 28);

INSERT INTO ambiguous_credits VALUES
    ('00000000-0000-7000-8000-00000000d001', '4000', 500, 'MXN', NULL, 26, NULL, 'Waiting', NULL);

INSERT INTO entries VALUES
    ('4000', '00000000-0000-7000-8000-000000000001', 'Opening', NULL, 'MXN', 1),
    ('4000', '00000000-0000-7000-8000-00000000c001', 'Credit', '00000000-0000-7000-8000-00000000c001', 'MXN', 15),
    ('4000', '00000000-0000-7000-8000-00000000c002', 'Credit', '00000000-0000-7000-8000-00000000c002', 'MXN', 25),
    ('4000', '00000000-0000-7000-8000-00000000c004', 'Credit', '00000000-0000-7000-8000-00000000c004', 'MXN', 90),
    ('4000', '00000000-0000-7000-8000-00000000e001', 'Reversal', '00000000-0000-7000-8000-00000000c002', 'MXN', 28),
    ('4000', '00000000-0000-7000-8000-00000000f001', 'Debit', NULL, 'MXN', 99);

INSERT INTO postings VALUES
    ('4000', '00000000-0000-7000-8000-000000000001', 'Available', 'MXN', 7),
    ('4000', '00000000-0000-7000-8000-000000000001', 'Opening', 'MXN', -7),
    ('4000', '00000000-0000-7000-8000-00000000c001', 'Available', 'MXN', 1000),
    ('4000', '00000000-0000-7000-8000-00000000c001', 'Clearing', 'MXN', -1000),
    ('4000', '00000000-0000-7000-8000-00000000c002', 'Available', 'MXN', 500),
    ('4000', '00000000-0000-7000-8000-00000000c002', 'Clearing', 'MXN', -500),
    ('4000', '00000000-0000-7000-8000-00000000c004', 'Available', 'MXN', 400),
    ('4000', '00000000-0000-7000-8000-00000000c004', 'Clearing', 'MXN', -400),
    ('4000', '00000000-0000-7000-8000-00000000e001', 'Available', 'MXN', -500),
    ('4000', '00000000-0000-7000-8000-00000000e001', 'Clearing', 'MXN', 500),
    ('4000', '00000000-0000-7000-8000-00000000f001', 'Available', 'MXN', -100),
    ('4000', '00000000-0000-7000-8000-00000000f001', 'Payouts', 'MXN', 100);

INSERT INTO decisions VALUES
    ('00000000-0000-7000-8000-00000000a001', 'Authorization', '4000', 10, 10, TRUE, NULL, NULL, NULL, 1000, 'MXN', '17.25',
     'v1', '[]', '{ "Amount" : 10.00, "Note":"caf\u00e9", "Amount2":1e1 }'),
    ('00000000-0000-7000-8000-00000000a002', 'Authorization', '4000', 20, 20, TRUE, NULL, NULL, NULL, 500, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000a003', 'Authorization', '4000', 30, 30, TRUE, NULL, NULL, NULL, 700, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000a004', 'Authorization', '4000', 30, 30, TRUE, NULL, NULL, NULL, 400, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000a005', 'Authorization', '4000', 50, 50, TRUE, NULL, NULL, NULL, 300, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000a006', 'Authorization', '4000', 95, 95, TRUE, NULL, NULL, NULL, 100, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000c001', 'Credit', '4000', 15, 15, TRUE, NULL, NULL, '00000000-0000-7000-8000-00000000a001', 1000, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000c002', 'Credit', '4000', 25, 25, TRUE, NULL, NULL, '00000000-0000-7000-8000-00000000a002', 500, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000c003', 'Credit', '4000', 35, 35, FALSE, 'AccountBlocked', NULL, '00000000-0000-7000-8000-00000000a003', 700, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000c004', 'Credit', '4000', 90, 90, TRUE, NULL, NULL, '00000000-0000-7000-8000-00000000a004', 400, 'MXN', NULL, NULL, '[]', '{}'),
    ('00000000-0000-7000-8000-00000000a007', 'Authorization', NULL, 96, 96, FALSE, 'InvalidAccount', 'no account was found',
     NULL, NULL, NULL, NULL, NULL, '[]', '{}');

-- The older ones; the others stand in their account's row, and the authorizations among the events.
INSERT INTO account_records VALUES
    ('4000', 1, '00000000-0000-7000-8000-000000000001', NULL, TRUE),
    ('4000', 15, '00000000-0000-7000-8000-00000000c001', 'Credit', TRUE),
    ('4000', 25, '00000000-0000-7000-8000-00000000c002', 'Credit', TRUE),
    ('4000', 28, '00000000-0000-7000-8000-00000000e001', NULL, TRUE);

INSERT INTO account_changes VALUES
    ('4001', '00000000-0000-7000-8000-00000000b001', 50, 'ops', 'block', 'court order', NULL, 'Active -> Blocked', 'C-1',
     '2027-01-01');

INSERT INTO enrolments
SELECT 'aa', data, documents, 1, 2, NULL FROM persons;

INSERT INTO rule_sets VALUES ('v1', '# rules', 1);
INSERT INTO marks VALUES ('swept', 90);
INSERT INTO batches VALUES ('00000000-0000-7000-8000-00000000ba01', 99);
