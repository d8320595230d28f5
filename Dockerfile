# The executable and CA certificates on a small base, as a user without rights.
#
#   docker build -t weir .
#   docker run -v ./cluster.json:/etc/weir/cluster.json:ro -e WEIR_SECRET -e WEIR_NODE=a --network host weir

FROM node:20-bookworm-slim AS build
# libatomic1 is what the project's own Node needs beside the C and C++ libraries; binutils has strip.
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils libatomic1 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /weir
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
RUN npm run build

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libatomic1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home weir
COPY --from=build /weir/dist/weir /usr/local/bin/weir
USER 10001
EXPOSE 7070
STOPSIGNAL SIGTERM
# This node answers; whether it may serve is /readyz, for load balancers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s \
  CMD ["weir", "status", "--own", "--config", "/etc/weir/cluster.json"]
ENTRYPOINT ["weir"]
CMD ["serve", "--config", "/etc/weir/cluster.json"]
