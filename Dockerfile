# Larder in one image. Building asks one registry, the one that npm on this machine is configured with:
#   docker build -t larder .
#   docker build -t larder --secret id=npmrc,src=$HOME/.npmrc .     where the site has its own
#   docker build -t larder --secret id=ca,src=site-ca.pem .         where its certificate is the site's own (PEM)
# Nothing is asked when it runs airgapped. The Node is the one that the tests run on (package-lock.json).
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS packages
WORKDIR /larder
COPY package.json package-lock.json .npmrc ./
# Left out: what only tests need, and the Node that npm would bring, since the image has it. Versions are those of the
# lock file. The settings of npm, with their tokens, are there while this runs and stay in no layer; a file of authorities
# that was not given is passed over with a warning.
RUN --mount=type=secret,id=npmrc \
    --mount=type=secret,id=ca \
    NPM_CONFIG_USERCONFIG=/run/secrets/npmrc NODE_EXTRA_CA_CERTS=/run/secrets/ca \
    npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${NODE_IMAGE}
WORKDIR /larder
COPY --from=packages /larder/node_modules node_modules
COPY package.json ./
COPY config config
COPY shared shared
COPY services services
RUN ln -s /larder/services/cli/larder.mjs /usr/local/bin/larder \
 && mkdir -p /var/lib/larder \
 && chown node:node /var/lib/larder

# An embedded store in the volume; with an engine (LARDER_STORE=s3://…) its index and the downloads under way.
ENV NODE_ENV=production \
    NODE_OPTIONS=--max-semi-space-size=4 \
    LARDER_LISTEN=0.0.0.0 \
    LARDER_STORE=/var/lib/larder \
    LARDER_WORK_DIR=/var/lib/larder
VOLUME /var/lib/larder
# huggingface, pypi, ngc, npm, oci, s3; and /livez, /readyz, /metrics for those who watch
EXPOSE 8081 8082 8083 4873 5000 9000 9090

USER node
ENTRYPOINT ["larder"]
CMD ["serve"]
