# The executable on a base with nothing but the C and C++ libraries and CA certificates: no shell, no package manager, no user with rights.
#
#   docker build --build-arg WEIR_COMMIT="$(git rev-parse --short=12 HEAD)" -t weir .
#   docker run --read-only -v ./cluster.json:/etc/weir/cluster.json:ro -v weir-data:/var/lib/weir -e WEIR_SECRET -e WEIR_NODE=a --network host weir

FROM node:24-trixie-slim AS build
# binutils has strip; libatomic1 is what the project's own Node needs beside the C and C++ libraries, here and in the final image.
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils libatomic1 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /weir
COPY package.json package-lock.json .npmrc LICENSE ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
ARG WEIR_COMMIT
RUN npm run build
# The parts of the final image that its base lacks, as they are to lie in it.
RUN mkdir -p /image/usr/lib /image/usr/local/bin /image/usr/share/doc/weir /image/usr/share/doc/libatomic1 /image/etc/weir /image/var/lib/weir \
 && cp --dereference "/usr/lib/$(uname -m)-linux-gnu/libatomic.so.1" /image/usr/lib/ \
 && cp dist/weir /image/usr/local/bin/ \
 && cp dist/licenses.txt dist/sbom.cdx.json /image/usr/share/doc/weir/ \
 && cp --dereference /usr/share/doc/libatomic1/copyright /image/usr/share/doc/libatomic1/ \
 && chown 65532:65532 /image/var/lib/weir

# Of the same Debian release as the libraries above.
FROM gcr.io/distroless/cc-debian13:nonroot
ARG WEIR_VERSION=0.1.0
ARG WEIR_COMMIT
LABEL org.opencontainers.image.title="weir" \
      org.opencontainers.image.description="A replicated, in-memory write-back buffer in front of an object store" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${WEIR_VERSION}" \
      org.opencontainers.image.revision="${WEIR_COMMIT}"
COPY --from=build /image/ /
# In numbers, so that Kubernetes can see that it is not root.
USER 65532:65532
# The journals: "data" in cluster.json names it. All else may be read-only.
VOLUME /var/lib/weir
EXPOSE 7070
STOPSIGNAL SIGTERM
# The node answers. Whether it may be sent requests is /readyz, for load balancers: a node that waits for its store must not be restarted.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["weir", "health", "--config", "/etc/weir/cluster.json"]
ENTRYPOINT ["weir"]
CMD ["serve", "--config", "/etc/weir/cluster.json"]
