# What docker-compose.yml builds: both modules, the command line, and the two demo apps. No Envoy in it.
FROM rust:1.95-bookworm AS build
WORKDIR /partywall
COPY . .
RUN cargo build --locked --release --package partywall-cli --package partywall-integration \
 && cargo build --locked --package partywall-module --target wasm32-wasip1 --profile module \
      --no-default-features --features redaction \
 && cp target/wasm32-wasip1/module/partywall_module.wasm partywall-redaction.wasm \
 && cargo build --locked --package partywall-module --target wasm32-wasip1 --profile module

FROM debian:bookworm-slim
COPY --from=build /partywall/target/release/partywall /partywall/target/release/demo-service /partywall/target/release/demo-site /usr/local/bin/
COPY --from=build /partywall/target/wasm32-wasip1/module/partywall_module.wasm /usr/local/lib/partywall.wasm
COPY --from=build /partywall/partywall-redaction.wasm /usr/local/lib/partywall-redaction.wasm
COPY envoy-config/tenancy /etc/tenancy
