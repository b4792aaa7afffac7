//! The bodies that are sent, one for each carrier, as their clients send them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::telemetry::unfold::unfold;

/// Which protocol carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// gRPC over HTTP/2: one message a call.
    Grpc,
}

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Plain,
    /// gzip: of gRPC, the message is.
    Gzip,
    /// A block of snappy, which no header names.
    Snappy,
}

/// A carrier.
struct Carrier {
    word: &'static str,
    /// The file of its body, as the native bench names it.
    file: &'static str,
    protocol: Protocol,
    path: &'static str,
    media: &'static str,
    codings: &'static [Coding],
}

const EITHER: &[Coding] = &[Coding::Plain, Coding::Gzip];
const OTLP_CALL: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const PROTOBUF: &str = "application/x-protobuf";
const LINES_OF_JSON: &str = "application/x-ndjson";
/// Routes that the tenancy directory has beside the usual ones, as `redaction.yaml` has them.
pub(super) const ROUTES: &str =
    "routes: [{ path: /ingest/json, carrier: ndjson }, { path: /ingest/lines, carrier: lines }]";

#[rustfmt::skip]
const CARRIERS: [Carrier; 8] = [
    Carrier { word: "OTLP protobuf", file: "OTLP", protocol: Protocol::Http, path: "/v1/logs", media: PROTOBUF, codings: EITHER },
    Carrier { word: "OTLP JSON", file: "OTLP JSON", protocol: Protocol::Http, path: "/v1/logs", media: "application/json", codings: EITHER },
    Carrier { word: "OTLP gRPC", file: "OTLP", protocol: Protocol::Grpc, path: OTLP_CALL, media: "application/grpc", codings: EITHER },
    Carrier { word: "Loki protobuf", file: "Loki binary", protocol: Protocol::Http, path: "/loki/api/v1/push", media: PROTOBUF, codings: &[Coding::Snappy] },
    Carrier { word: "Loki JSON", file: "Loki", protocol: Protocol::Http, path: "/loki/api/v1/push", media: "application/json", codings: EITHER },
    Carrier { word: "_bulk", file: "_bulk", protocol: Protocol::Http, path: "/_bulk", media: LINES_OF_JSON, codings: EITHER },
    Carrier { word: "NDJSON", file: "NDJSON", protocol: Protocol::Http, path: "/ingest/json", media: LINES_OF_JSON, codings: EITHER },
    Carrier { word: "lines", file: "lines", protocol: Protocol::Http, path: "/ingest/lines", media: "text/plain", codings: EITHER },
];

/// A body that is sent again and again.
pub(super) struct Body {
    /// The carrier, and its encoding where it has one: as figures name it.
    pub(super) name: String,
    /// What carries it.
    pub(super) protocol: Protocol,
    /// Where it is sent.
    pub(super) path: &'static str,
    /// Its headers.
    pub(super) headers: Vec<(&'static str, &'static str)>,
    /// As it is sent.
    pub(super) bytes: Vec<u8>,
    /// How it is encoded.
    pub(super) coding: Coding,
    /// Its bytes without an encoding.
    pub(super) plain: usize,
}

/// All of them, of a folder that the native bench wrote.
pub(super) fn all(folder: &Path) -> Result<Vec<Body>> {
    let one = |(carrier, coding): (&'static Carrier, Coding)| {
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let (plain, grpc) = (read(carrier.file)?, carrier.protocol == Protocol::Grpc);
        let (word, plain_bytes) = (carrier.word, plain.len());
        let (name, header, bytes) = match coding {
            Coding::Plain => (word.to_owned(), None, plain),
            Coding::Snappy => (format!("{word}, snappy"), None, snap::raw::Encoder::new().compress_vec(&plain)?),
            Coding::Gzip => {
                let header = if grpc { "grpc-encoding" } else { "content-encoding" };
                (format!("{word}, gzip"), Some((header, "gzip")), read(&format!("{}.gz", carrier.file))?)
            }
        };
        let bytes = if grpc { framed(coding, &bytes)? } else { bytes };
        let mut headers = vec![("content-type", carrier.media)];
        headers.extend(header);
        let (protocol, path) = (carrier.protocol, carrier.path);
        Ok(Body { name, protocol, path, headers, bytes, coding, plain: plain_bytes })
    };
    let codings = |carrier: &'static Carrier| carrier.codings.iter().map(move |coding| (carrier, *coding));
    static ALL: &[Carrier] = &CARRIERS;
    ALL.iter().flat_map(codings).map(one).collect()
}

/// One message of gRPC, compressed or not.
fn framed(coding: Coding, message: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(message.len())?.to_be_bytes();
    Ok([&[u8::from(coding != Coding::Plain)], &length[..], message].concat())
}

impl Body {
    /// What arrived, without its encoding.
    pub(super) fn unfolded(&self, arrived: &[u8]) -> Result<Vec<u8>> {
        let arrived = match self.protocol {
            Protocol::Http => arrived,
            Protocol::Grpc => arrived.get(5..).context("no message")?,
        };
        match self.coding {
            Coding::Plain => unfold("", arrived),
            Coding::Gzip => unfold("gzip", arrived),
            Coding::Snappy => unfold("snappy", arrived),
        }
    }
}
