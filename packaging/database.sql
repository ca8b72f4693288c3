-- The role and the database of the servers, made at a new cluster's first start: psql runs this as the superuser.
\set password `cat "$VNA_DATABASE_PASSWORD_FILE"`
-- Fails where the file cannot be read: the role would have no password.
SELECT 1 / (:'password' <> '')::int AS password_is_there;
CREATE ROLE vna LOGIN PASSWORD :'password';
CREATE DATABASE vna OWNER vna TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE vna FROM PUBLIC;
