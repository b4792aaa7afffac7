//! What the access log may say of one request: written as filter state when the request is over, which is before Envoy writes
//! the line.

use std::rc::Rc;

use partywall_log_redaction::redactor::{Facts, Own};
use partywall_log_redaction::tenants::Directory;
use partywall_tenancy::TenantId;
use partywall_tenant_context::Request;
use proxy_wasm::traits::{Context, HttpContext};

use super::Setup;
use crate::config::Place;
use crate::host;

/// The path with its query.
const PATH: &str = "partywall.log.path";
/// The headers that were asked for, as an object of JSON.
const HEADERS: &str = "partywall.log.headers";
/// Of a call of gRPC its method, as `/package.Service/Method`.
const METHOD: &str = "partywall.log.grpc_method";
/// The fingerprint of the tenant that a filter let in.
const TENANT: &str = "partywall.tenant";

/// The proxy-wasm stream context.
pub(crate) struct Access {
    setup: Rc<Setup>,
}

impl Access {
    pub(crate) fn new(setup: Rc<Setup>) -> Self {
        Self { setup }
    }
}

impl Context for Access {}

impl HttpContext for Access {
    fn on_log(&mut self) {
        let Place::AccessLog(wanted) = &self.setup.config.place else { return };
        // INVARIANT: without rules nothing of the request is written down.
        let Ok(ready) = self.setup.ready() else { return };
        let headers = host::request_headers();
        let request = Request::from_headers(&headers);
        let directory = ready.directory();
        let print = host::property(&[TENANT]).unwrap_or_default();
        let own = directory.by_fingerprint(&print.to_ascii_lowercase()).map_or(Own::Record, Own::Tenant);
        let mut redactor = ready.redactor(&Facts::new("access_log", own));
        let substitute = |word: &str| {
            TenantId::parse(word).ok()?;
            let tenant = directory.by_id(word.as_bytes())?;
            directory.fingerprint(tenant).map(|print| print.to_string())
        };
        let path = redactor.logged_path(request.path, substitute);
        host::set_property(PATH, path.as_bytes());
        if request.headers.all("content-type").any(|media| media.starts_with(b"application/grpc")) {
            let only = path.split('?').next().unwrap_or_default();
            host::set_property(METHOD, only.as_bytes());
        }
        let values = wanted.iter().filter_map(|name| {
            let values: Vec<&[u8]> = request.headers.all(name).collect();
            (!values.is_empty()).then(|| (name.as_str(), values.join(&b", "[..])))
        });
        let said = redactor.logged_headers(values, substitute);
        host::set_property(HEADERS, &said);
        self.setup.tell_found("access_log", &redactor.take_counts());
        ready.give_back(redactor);
    }
}
