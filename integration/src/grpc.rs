//! gRPC over HTTP/2 by its frames (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>): an app and a
//! caller. A message is any bytes here.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use axum::http::{HeaderMap, HeaderValue, Request};

use crate::http2::{self, Answer, Reply, text};

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Call {
    /// `grpc-status`, wherever it stood.
    pub status: String,
    /// `grpc-message`.
    pub message: String,
    /// The messages that came before it.
    pub messages: Vec<Vec<u8>>,
    /// The answer as it came.
    pub answer: Answer,
}

/// Calls `path` (`/package.Service/Method`) with one message, and reads any number of them.
pub fn call(to: SocketAddr, authority: &str, path: &str, headers: &[(&str, &str)], message: &[u8]) -> Result<Call> {
    let request = Request::post(format!("http://{authority}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = http2::send(to, None, request.body(())?, &[&frame(message)], None)?;
    // Trailers-only: what would be trailers stands in the headers, and nothing follows.
    let last = if answer.headers_only { &answer.headers } else { &answer.trailers };
    let (status, message) = (text(last, "grpc-status"), text(last, "grpc-message"));
    Ok(Call { status, message, messages: messages(&answer.body)?, answer })
}

/// A good answer with these messages.
pub fn reply<M: AsRef<[u8]>>(messages: &[M]) -> Reply {
    let one = |name: &'static str, value: &'static str| -> HeaderMap {
        [(axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    };
    Reply {
        headers: one("content-type", "application/grpc"),
        body: messages.iter().map(|message| frame(message.as_ref())).collect(),
        trailers: one("grpc-status", "0"),
        stays_open: false,
    }
}

/// One message as it travels: not compressed, its length, itself.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// The messages in a body.
pub fn messages(mut body: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    while let Some((head, rest)) = body.split_first_chunk::<5>() {
        let [0, length @ ..] = *head else { bail!("a compressed message") };
        let length = usize::try_from(u32::from_be_bytes(length))?;
        found.push(rest.get(..length).context("a message that is cut off")?.to_vec());
        body = rest.get(length..).unwrap_or_default();
    }
    if body.is_empty() { Ok(found) } else { bail!("{} bytes too many", body.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_are_written() {
        let two = [frame(b"one"), frame(b"")].concat();
        assert_eq!(messages(&two).unwrap(), [b"one".to_vec(), Vec::new()]);
        assert!(messages(&two[..6]).is_err());
        assert!(messages(&two[..9]).is_err());
    }
}
