//! A module for Envoy that goes over the same texts again and again: `cargo xtask bench redaction`. No part of the product.
//!
//! The texts and what is done with them are those of the native bench, `filters/log-redaction/benches`, file by file. A
//! request with the path `/<what>/<n>` makes `n` passes, and is answered with the bytes of one and how much it found, as the
//! native bench answers. How long they take is measured from outside, as the CPU time of the worker: a clock in here would
//! count what others did with the CPU meanwhile.

#[path = "../../../filters/log-redaction/benches/redaction/detection.rs"]
mod detection;
#[path = "../../../filters/log-redaction/tests/labelled/mod.rs"]
mod labelled;
#[path = "../../../filters/log-redaction/benches/redaction/sixteen.rs"]
mod sixteen;
#[path = "../../../filters/log-redaction/benches/redaction/texts.rs"]
mod texts;

use std::cell::RefCell;
use std::rc::Rc;

use partywall_log_redaction::detect::{Detectors, Selection};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use texts::{Text, attributes, lines};

/// How many bytes of texts there are: as many as the native bench has when it is asked.
const SIZE: usize = 1 << 20;

/// What a path begins with, the bytes of a pass, and one pass.
struct Pass {
    name: &'static str,
    bytes: usize,
    pass: Box<dyn FnMut() -> usize>,
}

/// All that is there. What it is made of stays as long as the VM does.
fn all() -> Result<Vec<Pass>, String> {
    let detectors: &Detectors =
        Box::leak(Box::new(Detectors::new(&Selection::default()).map_err(|error| error.to_string())?));
    let (lines, attributes): (&[Text], &[Text]) = (lines(SIZE).leak(), attributes(SIZE).leak());
    let size = |texts: &[Text]| texts.iter().map(|(_, text)| text.len()).sum::<usize>();
    let pass = |name, texts, pass| Pass { name, bytes: size(texts), pass };
    Ok(vec![
        pass("lines", lines, Box::new(detection::pass(detectors, lines)) as Box<dyn FnMut() -> usize>),
        pass("attributes", attributes, Box::new(detection::pass(detectors, attributes))),
        pass("automaton", lines, Box::new(sixteen::at_once(lines))),
        pass("sixteen", lines, Box::new(sixteen::in_turn(lines))),
    ])
}

type Passes = Rc<RefCell<Vec<Pass>>>;

#[derive(Default)]
struct Root(Option<Passes>);

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        match all() {
            Ok(passes) => self.0 = Some(Rc::new(RefCell::new(passes))),
            Err(error) => {
                let _ = proxy_wasm::hostcalls::log(LogLevel::Error, &error);
            }
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

struct Stream(Passes);

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let (status, told) = self.told(&path).map_or((404, String::new()), |told| (200, told));
        self.send_http_response(status, Vec::new(), Some(told.as_bytes()));
        Action::Pause
    }
}

impl Stream {
    /// Makes the passes, and tells of the last one.
    fn told(&self, path: &str) -> Option<String> {
        let (name, count) = path.strip_prefix('/')?.split_once('/')?;
        let count: usize = count.parse().ok()?;
        let mut all = self.0.borrow_mut();
        let asked = all.iter_mut().find(|one| one.name == name)?;
        let mut found = 0;
        for _ in 0..count {
            found = (asked.pass)();
        }
        Some(format!("{} {found}", asked.bytes))
    }
}

#[allow(unsafe_code, missing_docs, reason = "the macro exports the C function that the ABI asks for")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::Root::default()));
    }}
}
