-- The role and the database of the servers, made at a new cluster's first start: psql runs this as the superuser.
\set password `cat "$VNA_DATABASE_PASSWORD_FILE"`
CREATE ROLE vna LOGIN PASSWORD :'password';
CREATE DATABASE vna OWNER vna TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE vna FROM PUBLIC;
