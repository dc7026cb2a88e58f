# certbearer from the static binary that `make static` writes to dist/. Nothing is
# pulled, and nothing else is in the image: no shell, no libraries, no certificates,
# for certbearer calls nobody. See docs/containers.md.
FROM scratch
ARG TARGETARCH
LABEL org.opencontainers.image.title="certbearer" \
      org.opencontainers.image.description="Envoy external authorization: a client certificate becomes a bearer token" \
      org.opencontainers.image.source="https://github.com/certbearer/certbearer" \
      org.opencontainers.image.licenses="Apache-2.0"
# The folders that volumes are mounted on: a new volume takes its owner from here.
COPY --chown=65532:65532 dist/skeleton/ /
COPY dist/linux-${TARGETARCH}/certbearer /usr/local/bin/certbearer
USER 65532:65532
WORKDIR /etc/certbearer
ENV PATH=/usr/local/bin CERTBEARER_CONFIG=/etc/certbearer/certbearer.yaml
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/usr/local/bin/certbearer", "ready"]
ENTRYPOINT ["/usr/local/bin/certbearer"]
CMD ["serve"]
