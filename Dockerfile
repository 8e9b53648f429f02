# The image of every node of a fleet: root, worker, client. Build from the project's folder:
#
#   docker build -t fanfold .
#
# Where no registry can be reached, or packages come from a mirror:
#
#   docker build --build-arg BASE=my-debian:12 --build-arg MIRROR=http://mirror.example/debian -t fanfold .
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ARG MIRROR=
ARG JOBS=
WORKDIR /source
# Packages first: they change less often than the source.
COPY scripts/setup scripts/use-mirror scripts/
RUN scripts/use-mirror "${MIRROR}" && scripts/setup run
COPY . .
# A container's limit of processors does not show in nproc: JOBS says how many compile at once.
RUN cmake --preset release -D CMAKE_INSTALL_PREFIX=/usr/local \
 && cmake --build --preset release --parallel ${JOBS:-$(nproc)} --target fanfold fanfold_jobs \
 && cmake --install build/release --component program --strip --prefix /usr/local

FROM ${BASE}
ARG MIRROR=
COPY scripts/use-mirror /tmp/use-mirror
# Libraries alone; 10001 is no user of any host. /results is for whichever user a container is run as.
RUN /tmp/use-mirror "${MIRROR}" \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      libzmq5 libtbb12 libzstd1 libisal2 libxxhash0 libre2-9 libsimdjson14 zlib1g \
      libcpp-httplib0.11 libprometheus-cpp-core1.0 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /tmp/use-mirror /usr/share/doc/* /usr/share/locale/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fanfold \
 && mkdir -p /plugins /results /data && chown fanfold:fanfold /plugins && chmod 1777 /results
COPY --from=build /usr/local /usr/local

LABEL org.opencontainers.image.title="fanfold" \
      org.opencontainers.image.description="Scatter/gather compute engine: fan out, fold in"
USER 10001:10001
WORKDIR /data
# Jobs beside the built-in ones; results of runs; both outlive a container.
VOLUME ["/plugins", "/results"]
ENV FANFOLD_PLUGIN_PATH=/plugins
# Runs of a root, messages of the fleet, bundles, HTTP: see docs/containers.md.
EXPOSE 7117 7118 7200-7215
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 CMD ["fanfold", "health"]
ENTRYPOINT ["fanfold"]
CMD ["--help"]
