//! Conditional answers (RFC 9110, section 13).

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Bytes with their entity tag.
#[derive(Clone, Debug)]
pub(super) struct Content {
    bytes: Bytes,
    etag: String,
}

impl Content {
    /// The tag is a digest of the bytes: the same on every server, and across restarts.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let digest = Sha256::digest(&bytes);
        let hex: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Self { bytes: bytes.into(), etag: format!("\"{hex}\"") }
    }
}

pub(super) fn answer(content: Option<Content>, request: &HeaderMap) -> Response {
    let Some(content) = content else {
        return (StatusCode::NOT_FOUND, "not there yet\n").into_response();
    };
    let known =
        request.get_all(IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).any(|v| matches(v, &content.etag));
    let caching = [(ETAG, content.etag), (CACHE_CONTROL, "no-cache".to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, "application/octet-stream")], content.bytes).into_response()
}

/// Weak comparison, as `If-None-Match` asks (RFC 9110, section 13.1.2).
fn matches(condition: &str, etag: &str) -> bool {
    condition.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_matches_in_any_of_its_forms() {
        for (condition, known) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(matches(condition, "\"a\""), known, "{condition}");
        }
    }
}
