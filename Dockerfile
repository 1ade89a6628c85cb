# All programs of the pipeline in one image, with the redis-server that one container alone needs, and the certificate
# authorities that vouch for a real venue.
#
#   docker build -t arbees .                                    from scratch
#   docker run --rm --init --read-only --tmpfs /tmp:mode=1777 arbees launch --for 30s
#
# compose.yaml runs each process in a container of its own; CONTAINERS.md says how.
#
# PROGRAMS names an image that has the programs in /programs, in place of the stage that builds them:
#   tar --create --transform 's,^,programs/,' --directory target/release launcher ... | docker import - arbees-programs
#   docker build --build-arg PROGRAMS=arbees-programs -t arbees .
ARG DEBIAN=bookworm
ARG RUST=1
ARG PROGRAMS=build

FROM rust:${RUST}-slim-${DEBIAN} AS build
# SQLite and the cryptography are compiled from C.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package processes --package inspector --bins \
    && mkdir /programs \
    && find target/release -maxdepth 1 -type f -executable -exec cp -t /programs {} + \
    && strip --strip-debug /programs/*

FROM ${PROGRAMS} AS programs

FROM debian:${DEBIAN}-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ca-certificates redis-server \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && groupadd --gid 10001 arbees \
    && useradd --uid 10001 --gid arbees --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin arbees \
    && mkdir -p /opt/arbees/bin \
    && ln -s launcher /opt/arbees/bin/launch \
    && install -d -o arbees -g arbees -m 0700 /run/arbees
COPY --from=programs /programs/ /opt/arbees/bin/
COPY processes/pipelines/ /opt/arbees/processes/pipelines/
ENV PATH=/opt/arbees/bin:$PATH
USER arbees:arbees
CMD ["launch", "--help"]
