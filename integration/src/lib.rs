//! Black box: the built module in a real Envoy, by HTTP and by running binaries.
//!
//! ```text
//! story      what is asked and what must come of it, as data
//!   play     asks it of a mesh, reads the access log of every hop
//! mesh       three Envoys, two apps, a bundle server, on free ports
//!   site       one directory: keys, certificates, tokens, the compiled tenancy directory
//!   bootstrap  envoy-config/ with addresses and paths replaced
//!   envoy      one Envoy: readiness, access log, metrics
//!   services   the two apps, which know nothing of tenants
//! host       the module without an Envoy: in memory, each callback counted
//! bench      what things cost, in a real Envoy and in `host`
//! raw        a client that sends exactly the bytes it is given, plain or with a certificate of its choice
//! ```
//!
//! Nothing of ours is linked, so the product and its judge cannot share a mistake.

pub mod access_log;
pub mod artefacts;
pub mod bench;
pub mod bootstrap;
pub mod certificates;
pub mod cli;
pub mod envoy;
pub mod host;
pub mod issuers;
pub mod mesh;
pub mod play;
pub mod ports;
pub mod process;
pub mod raw;
pub mod report;
pub mod served;
pub mod services;
pub mod site;
pub mod story;
pub mod variant;
pub mod wait;
