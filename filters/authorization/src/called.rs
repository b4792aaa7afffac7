//! As which operation a request is looked for: by HTTP's own method, or as a call of gRPC.

use partywall_tenancy::EventCluster;

/// Where a method of HTTP stands, this says that it is a call of gRPC. Its path is `/package.Service/Method`.
pub const GRPC: &str = "GRPC";

/// Where a method of HTTP stands, this says that no operation covers the request, and its route says what it asks for.
/// Its path is the action and the resource, as `/orders:report/Report`.
pub const ROUTE: &str = "ROUTE";

const TYPE: &[u8] = b"application/grpc";

/// The method by which a request of HTTP's `method` with these values of `content-type` is looked for: [`GRPC`] for a
/// call of gRPC, which is a POST of its content type; else `method`. The error says why nobody can tell.
///
/// INVARIANT: no request that a service could take for a call of gRPC is looked for as something else that is a POST, nor
/// the other way round. `application/grpc-web` is another protocol, and an ordinary POST.
pub fn called<'m, 'v>(
    method: &'m str,
    content_types: impl IntoIterator<Item = &'v [u8]>,
) -> Result<&'m str, &'static str> {
    if method == GRPC {
        return Err("`GRPC` is no method of HTTP");
    }
    if method == ROUTE {
        return Err("`ROUTE` is no method of HTTP");
    }
    if method == EventCluster::METHOD {
        return Err("`KAFKA` is no method of HTTP");
    }
    if method != "POST" {
        return Ok(method);
    }
    let mut content_types = content_types.into_iter();
    let Some(content_type) = content_types.next() else { return Ok(method) };
    if content_types.next().is_some() {
        return Err("several content types");
    }
    let named = content_type.windows(TYPE.len()).position(|part| part.eq_ignore_ascii_case(TYPE));
    match (named, content_type.get(TYPE.len())) {
        (None, _) => Ok(method),
        // Envoy joins what stands twice by a comma.
        _ if content_type.contains(&b',') => Err("several content types"),
        (Some(0), None | Some(b'+' | b';')) => Ok(GRPC),
        (Some(0), Some(b'-')) => Ok(method),
        _ => Err("a content type that some take for gRPC's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, content_types: &[&str]) -> Result<String, ()> {
        called(method, content_types.iter().map(|value| value.as_bytes())).map(str::to_owned).map_err(|_| ())
    }

    #[test]
    fn a_call_of_grpc_is_a_post_of_its_type_and_nothing_else_is() {
        for content_type in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc;charset=utf-8",
            "Application/gRPC",
            "application/grpc+json; a=b",
        ] {
            assert_eq!(of("POST", &[content_type]), Ok("GRPC".into()), "{content_type}");
            assert_eq!(of("GET", &[content_type]), Ok("GET".into()), "{content_type}");
        }
        for content_type in
            ["", "application/json", "application/grpc-web", "application/grpc-web-text+proto", "text/grpc"]
        {
            assert_eq!(of("POST", &[content_type]), Ok("POST".into()), "{content_type}");
        }
        assert_eq!(of("POST", &[]), Ok("POST".into()));
    }

    #[test]
    fn what_could_be_either_is_neither() {
        for content_types in [
            &["application/grpc", "application/grpc"][..],
            &["application/json", "application/grpc"],
            &["application/grpc", "application/json"],
            &["application/json,application/grpc"],
            &["application/grpc,application/json"],
            &["application/grpc+proto, application/json"],
            &["application/grpc-web,application/grpc"],
            &["application/grpcx"],
            &["application/grpc x"],
            &["application/grpc\t"],
            &[" application/grpc"],
            &["multipart/mixed; type=application/grpc"],
        ] {
            assert_eq!(of("POST", content_types), Err(()), "{content_types:?}");
        }
        assert_eq!((of("GRPC", &[]), of("ROUTE", &[]), of("KAFKA", &[])), (Err(()), Err(()), Err(())));
        assert_eq!(of("GRPC", &["application/grpc"]), Err(()));
    }
}
