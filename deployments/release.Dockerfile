# The image of a release: goreleaser puts the programs that it has built beside this file.
FROM gcr.io/distroless/static-debian12:nonroot
WORKDIR /pqlstream
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/pqlstream /usr/local/bin/pqlstream
COPY config config
USER nonroot
EXPOSE 7480 9464
# 0 where it is ready; otherwise it says what it waits for.
HEALTHCHECK --interval=10s --timeout=5s --start-period=1m CMD ["/usr/local/bin/pqlstream", "ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/pqlstream"]
CMD ["run", "--config", "config/pqlstream.yaml"]
