# A container with Attune installed. Not built in this project's own CI, which has no container engine.
#   docker build -t attune . && docker run --rm -v "$PWD:/data" -w /data attune --help
FROM swift:6.1-bookworm AS build
WORKDIR /attune
COPY . .
RUN apt-get update -qq && apt-get install -y -qq make && make && make install PREFIX=/opt/attune

FROM swift:6.1-bookworm-slim
COPY --from=build /attune/Makefile /tmp/
RUN apt-get update -qq && apt-get install -y -qq make && make -C /tmp packages \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/attune /usr/local
ENTRYPOINT ["attune"]
