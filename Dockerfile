# The one image of Ebbflow: `ebbflow operator | copy | fetch | agent`, and the shim that `fetch` hands to the user's
# container. Build it with nothing but this repository:
#
#   docker build -t ebbflow:0.1.0 .          or: buildah bud -t ebbflow:0.1.0 .
#
# Arguments:
#   NODE_IMAGE      has node and npm; bundles
#   GO_IMAGE        has go >= 1.24; builds the shim
#   RUNTIME_IMAGE   has node (>= 26) in PATH; what the image stands on. Nothing is run in it: no shell is needed.
#
# Where neither base images can be pulled nor packages be fetched from inside a build, make the two trees outside and
# put them in the place of the stages that would (buildah >= 1.28, BuildKit); those stages are then not run:
#
#   buildah bud --build-context compiled=DIR --build-context shim=DIR --build-arg RUNTIME_IMAGE=… .
#
# with rootfs/ in each, laid out as the stages below leave it. docs/adr/0004-image.md says why.
ARG NODE_IMAGE=docker.io/library/node:26-bookworm-slim
ARG GO_IMAGE=docker.io/library/golang:1.26-bookworm
ARG RUNTIME_IMAGE=docker.io/library/node:26-bookworm-slim

FROM ${GO_IMAGE} AS shim
WORKDIR /src
COPY workers/shim/ ./
RUN CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath -ldflags='-s -w' -o /rootfs/usr/local/bin/ebbflow-shim .

FROM ${NODE_IMAGE} AS compiled
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY rolldown.config.ts ./
COPY operator ./operator
COPY workers ./workers
COPY cli ./cli
RUN npx rolldown -c rolldown.config.ts -d /rootfs/app \
 && mkdir -p /rootfs/usr/local/bin \
 && chmod 0755 /rootfs/app/entry.mjs \
 && ln -s /app/entry.mjs /rootfs/usr/local/bin/ebbflow

FROM ${RUNTIME_IMAGE} AS runtime
COPY --from=shim /rootfs/ /
COPY --from=compiled /rootfs/ /
ENV NODE_ENV=production
USER 65532:65532
WORKDIR /app
# The flag lets a rename rule that backtracks without end finish in linear time.
ENTRYPOINT ["node", "--enable-experimental-regexp-engine-on-excessive-backtracks", "/app/entry.mjs"]
