# kwta-server, its trainer and the command line on a slim Debian. docs/operations.md says how to run it.
#
#   docker build -t kwta .
#   docker build -t kwta --build-arg BASE=debian:trixie-slim .
#
# Both stages have one base. The digest is that of the tag when this line was written: take newer ones on purpose.
ARG BASE=docker.io/library/debian:bookworm-20250520-slim@sha256:90522eeb7e5923ee2b871c639059537b30521272f10ca86fdbbbb2b75a8c40cd

# hadolint ignore=DL3006
FROM ${BASE} AS build
WORKDIR /src
COPY scripts/setup scripts/setup
RUN scripts/setup --build
COPY CMakeLists.txt README.md CHANGELOG.md ./
COPY cmake cmake
COPY proto proto
COPY core core
COPY command_line command_line
COPY client client
COPY server server
COPY docs docs
COPY deploy/backup deploy/backup
COPY deploy/kwta-server.toml deploy/kwta-server.toml
COPY deploy/systemd deploy/systemd
# The packages know what they depend on, whatever the base calls it.
WORKDIR /src/build
RUN --mount=type=cache,target=/root/.cache/ccache \
    cmake -S .. -B . -G Ninja -DCMAKE_BUILD_TYPE=Release -DKWTA_TESTS=OFF \
    && cmake --build . \
    && cpack -D "CPACK_COMPONENTS_ALL=server;cli" -D CPACK_OUTPUT_FILE_PREFIX=/packages

# hadolint ignore=DL3006
FROM ${BASE} AS root
# The number is fixed, so that volumes keep their owner and Kubernetes can check that it is not root.
RUN groupadd --system --gid 8500 kwta \
    && useradd --system --uid 8500 --gid kwta --no-create-home --home-dir /var/lib/kwta --shell /usr/sbin/nologin kwta
# Not by a mount: some builders then do not see that the packages have changed.
COPY --from=build /packages /packages
# Versions come with the base's release of Debian, which only mends them.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends /packages/kwta-server_*.deb /packages/kwta_*.deb \
    && rm -rf /var/lib/apt/lists/*
COPY deploy/image/gather /usr/local/bin/gather
RUN gather /image /usr/bin/kwta /usr/bin/kwta-server /usr/bin/kwta-trainer \
    && install -d -o kwta -g kwta -m 0700 /image/var/lib/kwta

# What the programs load, half of what a slim Debian with their packages takes; and no shell for whoever gets in.
FROM scratch
COPY --from=root /image /
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kwta" \
      org.opencontainers.image.description="Trains sparse encoders and serves their features over gRPC" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.documentation="docs/operations.md"
# A container's loopback address reaches nobody. The server still wants TLS and tokens, or KWTA_INSECURE=true.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    KWTA_STATE_DIR=/var/lib/kwta \
    KWTA_LISTEN=0.0.0.0:8500 \
    KWTA_HTTP=0.0.0.0:8501
WORKDIR /var/lib/kwta
VOLUME /var/lib/kwta
EXPOSE 8500 8501
USER 8500:8500
STOPSIGNAL SIGTERM
# As kwta reaches the server: with TLS, KWTA_TLS_CA and KWTA_SERVER=NAME:8500 belong into the environment too, with tokens
# KWTA_TOKEN_FILE.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["kwta", "status"]
ENTRYPOINT ["/usr/bin/kwta-server"]
