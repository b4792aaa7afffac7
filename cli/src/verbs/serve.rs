//! `partywall serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::exit::{Failure, Outcome};
use crate::keys;
use crate::server;

/// Serve bundles, candidates and their overlay, and re-issue the overlay
///
/// Serves `DIR/tenancy.<audience>.bundle`, DIR/tenancy.overlay and DIR/tenancy.grants with ETags,
/// and `DIR/tenancy.<audience>.candidate` where there is one.
/// The overlay is signed anew every 15 s, and at once when DIR/overlay.yaml changes; while that file
/// is broken, what was withdrawn before stays withdrawn. The first line printed says where it
/// listens. All files are signed and not secret, yet this is a server for a desk: elsewhere any HTTP
/// server or bucket will do.
#[derive(clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  partywall serve served --overlay-key keys/overlay-1.key
  partywall serve served --overlay-key keys/overlay-1.key --listen 127.0.0.1:9090
  curl -si http://127.0.0.1:9090/tenancy.overlay -o overlay"
)]
pub(crate) struct Args {
    /// The folder that `partywall compile` writes to
    dir: PathBuf,
    /// The private key that signs overlays
    #[arg(long, value_name = "FILE")]
    overlay_key: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Also listen where other machines can connect
    #[arg(long)]
    allow_remote: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return Err(Failure::usage(format!(
            "--listen {} can be reached by other machines; say --allow-remote if that is meant",
            args.listen
        )));
    }
    let key = keys::read_private(&args.overlay_key).map_err(Failure::invalid)?;
    server::run(&args.dir, key, args.listen)
}
