# Builds and runs vna-partner. Every step is one that can be run by hand; no secret is ever part of the image:
# keys come at run time, best as files (VNA_SIGNING_KEYS_FILE, VNA_ADMIN_KEYS_FILE).

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin vna-partner

FROM debian:bookworm-slim
# Fixed ids, so that a mounted volume can be given to them; no shell, no home.
RUN groupadd --system --gid 10001 vna \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/vna --shell /usr/sbin/nologin vna \
 && install --directory --owner=vna --group=vna --mode=0750 /var/lib/vna
# What a Postgres with a public certificate is checked against (sslmode=verify-full); the build's image has it for cargo.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/vna-partner /usr/local/bin/vna-partner

USER 10001:10001
WORKDIR /var/lib/vna
VOLUME /var/lib/vna
# No DATABASE_URL, which would stand against a DATABASE_URL_FILE: without either it is SQLite's file in this folder.
ENV VNA_BIND=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["vna-partner", "healthcheck"]
ENTRYPOINT ["vna-partner"]
CMD ["serve"]
