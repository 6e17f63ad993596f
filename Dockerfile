# The gateway: built on Debian, run on Debian slim by a user without rights.
FROM rust:1-slim-bookworm AS build
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends cmake g++ make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked && strip --strip-debug target/release/ringlift

FROM debian:bookworm-slim
RUN useradd --system --home-dir /var/lib/ringlift --create-home --shell /usr/sbin/nologin ringlift \
 && install -d -o ringlift -m 700 /keys
COPY --from=build /src/target/release/ringlift /usr/bin/ringlift
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/ringlift/
USER ringlift
WORKDIR /var/lib/ringlift
VOLUME /var/lib/ringlift
# SIP over UDP and TCP, SIP over TLS, the API and its page, browsers' media, telephones' media.
EXPOSE 5060/udp 5060/tcp 5061/tcp 8080/tcp 8189/udp 8189/tcp 20000-29999/udp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/ringlift"]
CMD ["serve"]
