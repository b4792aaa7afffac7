//! A module for Envoy that decides the same requests again and again: `cargo xtask bench policy`. No part of the product.
//!
//! The plugin configuration is the [`Material`]. A request with the path `/answers` gets what was decided about each
//! case; one with `/<way>/<n>` makes `n` decisions. How long they take is measured from outside, as the CPU time of the
//! worker: a clock in here would count what others did with the CPU meanwhile.

#[cfg(feature = "interpreter")]
mod interpreter;
mod material;
#[cfg(not(feature = "interpreter"))]
mod program;

#[cfg(feature = "interpreter")]
use interpreter::Judge;
#[cfg(not(feature = "interpreter"))]
use program::Judge;

use std::rc::Rc;

use material::Material;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use serde_json::json;

/// What was decided about one case: whether it is allowed, and by which policies.
#[derive(serde::Serialize)]
struct Answer {
    allowed: bool,
    determining: Vec<String>,
    errors: usize,
}

#[derive(Default)]
struct Root(Option<Rc<Judge>>);

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        let read = serde_json::from_slice(&configuration).map_err(|e| e.to_string());
        match read.and_then(|material: Material| Judge::new(material)) {
            Ok(judge) => self.0 = Some(Rc::new(judge)),
            Err(error) => log(&error),
        }
        self.0.is_some()
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream(self.0.clone()?)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream(Rc<Judge>);

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let body = self.told(&path);
        let status = if body.is_null() { 404 } else { 200 };
        self.send_http_response(status, Vec::new(), Some(body.to_string().as_bytes()));
        Action::Pause
    }
}

impl Stream {
    fn told(&self, path: &str) -> serde_json::Value {
        if path == "/answers" {
            let answers: Result<Vec<Answer>, String> = (0..self.0.cases()).map(|at| self.0.answer(at)).collect();
            return answers.map_or_else(|error| json!({ "error": error }), |answers| json!(answers));
        }
        let mut parts = path.trim_start_matches('/').split('/');
        let (what, count) = (parts.next().unwrap_or_default(), parts.next().and_then(|n| n.parse().ok()));
        let Some(count) = count.filter(|_| self.0.knows(what)) else { return serde_json::Value::Null };
        json!({ "allowed": self.0.decide(what, count) })
    }
}

fn log(error: &str) {
    let _ = proxy_wasm::hostcalls::log(LogLevel::Error, error);
}

#[allow(unsafe_code, missing_docs, reason = "the macro exports the C function that the ABI asks for")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::Root::default()));
    }}
}
