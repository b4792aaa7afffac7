//! Messages as `kafka-protocol` has them.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::read::Api;
use super::tree::Tree;
use super::writer::Side;

/// A message as the oracle has it.
pub enum Known {
    Request(RequestHeader, RequestKind),
    Response(ResponseHeader, ResponseKind),
}

impl Known {
    pub fn tree(&self) -> Tree {
        match self {
            Known::Request(header, body) => Tree::List(vec![Tree::of(header), Tree::of(body)]),
            Known::Response(header, body) => Tree::List(vec![Tree::of(header), Tree::of(body)]),
        }
    }
}

/// A frame without its length, decoded; the error says so where the oracle does not know the version.
pub fn oracle(api: &Api, version: u8, side: Side, frame: &[u8]) -> Result<Known, String> {
    let key = ApiKey::try_from(api.key).map_err(|()| "no such API".to_owned())?;
    let version = i16::from(version);
    let mut bytes = Bytes::copy_from_slice(frame);
    let error = |error| {
        let error = format!("{error:#}");
        if error.contains("specified version not supported") { "no such version".to_owned() } else { error }
    };
    let known = match side {
        Side::Request => {
            let header = RequestHeader::decode(&mut bytes, key.request_header_version(version)).map_err(error)?;
            Known::Request(header, RequestKind::decode(key, &mut bytes, version).map_err(error)?)
        }
        Side::Response => {
            let header = ResponseHeader::decode(&mut bytes, key.response_header_version(version)).map_err(error)?;
            Known::Response(header, ResponseKind::decode(key, &mut bytes, version).map_err(error)?)
        }
    };
    if bytes.is_empty() { Ok(known) } else { Err(format!("{} bytes left over", bytes.len())) }
}

/// The frame again, without its length.
pub fn encoded(api: &Api, version: u8, known: &Known) -> Vec<u8> {
    let key = ApiKey::try_from(api.key).unwrap();
    let version = i16::from(version);
    let mut out = BytesMut::new();
    match known {
        Known::Request(header, body) => {
            header.encode(&mut out, key.request_header_version(version)).unwrap();
            body.encode(&mut out, version).unwrap();
        }
        Known::Response(header, body) => {
            header.encode(&mut out, key.response_header_version(version)).unwrap();
            body.encode(&mut out, version).unwrap();
        }
    }
    out.to_vec()
}
