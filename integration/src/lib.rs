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
//! variant    a mesh that differs from the sample in what a test is about
//!   running    while it runs
//!   acting     a workload that acts for tenants by itself
//!   stand_in   an app of a test's own
//! cells      two cells of one service, of which one can be left behind
//! examples   docs/examples/: what users ask for, with the configuration and the answers
//! host       the module without an Envoy: in memory, each callback counted
//! bench      what things cost, in a real Envoy and in `host`
//! raw        a client that sends exactly the bytes it is given, plain or with a certificate of its choice
//! http2      the same frame by frame, and an app
//!   grpc       calls and answers in it
//! case_files cases as files
//! audit      `partywall audit verify`, and lines that somebody altered
//! attack     requests that could be read in two ways, as files under cases/attacks
//! roots      root contexts made by hand, as an attacker would
//! statement  bundles and overlays made by hand
//! decided    requests and what is decided about them, as files that `partywall test` plays, too
//! many_listeners one Envoy with a listener for each of many directories
//! many_policies a directory with thousands of them
//! kafka      brokers, and clients of several makes
//! telemetry  exporters, a proxy before a collector, and a collector that keeps all
//! bad_bundle what a bundle server does wrong, as files under cases/bundles
//!   bad_server the server that does it
//! ```
//!
//! Nothing of ours is linked, so the product and its judge cannot share a mistake.

pub mod access_log;
pub mod acting;
pub mod artefacts;
pub mod attack;
pub mod audit;
pub mod bad_bundle;
pub mod bad_server;
pub mod bench;
pub mod bootstrap;
pub mod case_files;
pub mod cells;
pub mod certificates;
pub mod cli;
pub mod decided;
pub mod envoy;
pub mod examples;
pub mod grpc;
pub mod host;
pub mod http2;
pub mod issuers;
pub mod kafka;
pub mod many_listeners;
pub mod many_policies;
pub mod mesh;
pub mod play;
pub mod ports;
pub mod process;
pub mod raw;
pub mod report;
pub mod roots;
pub mod running;
pub mod served;
pub mod services;
pub mod site;
pub mod stand_in;
pub mod statement;
pub mod story;
pub mod telemetry;
pub mod tls_edge;
pub mod variant;
pub mod wait;
pub mod websocket;
