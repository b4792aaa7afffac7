//! What there is outside the module. Everything is bounded by what a test puts in, and nothing changes by itself.

use std::collections::{BTreeMap, VecDeque};

use super::Plugin;

/// Names in lower case with their values, in order.
pub type Headers = Vec<(String, Vec<u8>)>;

/// Which header map, as the ABI numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Map {
    Request = 0,
    Response = 2,
    Call = 6,
}

impl Map {
    pub(super) fn from_number(number: u32) -> Option<Self> {
        [Self::Request, Self::Response, Self::Call].into_iter().find(|map| *map as u32 == number)
    }
}

/// An answer of the module's own.
#[derive(Clone, Debug)]
pub struct LocalReply {
    /// The status.
    pub status: u32,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// The outside.
pub struct World {
    pub(super) configuration: Vec<u8>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) now_ms: u64,
    /// Whether the host has `verify_signature`.
    pub(super) signatures: bool,
    /// By path, its parts joined by NUL: as the ABI writes it.
    properties: BTreeMap<String, Vec<u8>>,
    state: BTreeMap<String, Vec<u8>>,
    maps: BTreeMap<Map, Headers>,
    pub(super) call_body: Vec<u8>,
    /// What passes through a connection in the callback that runs.
    pub(super) stream_data: Vec<u8>,
    closed: bool,
    shared: BTreeMap<String, (Vec<u8>, u32)>,
    metrics: Vec<(String, u64)>,
    files: BTreeMap<String, Vec<u8>>,
    under_way: VecDeque<(u32, String)>,
    last_token: u32,
    reply: Option<LocalReply>,
    log: Vec<String>,
    calls: BTreeMap<&'static str, u32>,
    random: u64,
}

impl World {
    pub(super) fn new(plugin: &Plugin<'_>) -> Self {
        let mut world = Self {
            configuration: plugin.configuration.as_bytes().to_vec(),
            environment: plugin.environment.to_vec(),
            now_ms: plugin.now * 1000,
            signatures: true,
            properties: BTreeMap::new(),
            state: BTreeMap::new(),
            maps: BTreeMap::new(),
            call_body: Vec::new(),
            stream_data: Vec::new(),
            closed: false,
            shared: BTreeMap::new(),
            metrics: Vec::new(),
            files: plugin.files.clone(),
            under_way: VecDeque::new(),
            last_token: 0,
            reply: None,
            log: Vec::new(),
            calls: BTreeMap::new(),
            random: 0,
        };
        world.set_property(&["plugin_root_id"], plugin.root_id);
        world
    }

    /// Sets what the host says about the connection, the route or itself.
    pub fn set_property(&mut self, path: &[&str], value: impl Into<Vec<u8>>) {
        self.properties.insert(path.join("\0"), value.into());
    }

    /// Gives the plugin another configuration, to be asked for; what was logged is forgotten.
    pub(super) fn configure(&mut self, configuration: &str) {
        self.configuration = configuration.as_bytes().to_vec();
        self.log.clear();
    }

    /// Answers HTTP calls with these files from now on.
    pub fn serve(&mut self, files: BTreeMap<String, Vec<u8>>) {
        self.files = files;
    }

    /// Takes `verify_signature` away, or gives it back.
    pub fn check_signatures(&mut self, does: bool) {
        self.signatures = does;
    }

    /// What the module logged so far.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// The metrics the module defined, with their values.
    pub fn metrics(&self) -> &[(String, u64)] {
        &self.metrics
    }

    pub(super) fn pass(&mut self, milliseconds: u64) {
        self.now_ms += milliseconds;
    }

    // --- counting

    pub(super) fn called(&mut self, name: &'static str) {
        *self.calls.entry(name).or_default() += 1;
    }

    pub(super) fn take_calls(&mut self) -> BTreeMap<&'static str, u32> {
        std::mem::take(&mut self.calls)
    }

    // --- one stream at a time

    pub(super) fn begin_stream(&mut self, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        self.maps.insert(Map::Request, headers.collect());
        self.maps.remove(&Map::Response);
        self.state.clear();
        self.reply = None;
    }

    pub(super) fn begin_response(&mut self, reply: Option<&LocalReply>) {
        let status = reply.map_or(200, |reply| reply.status);
        let mut headers = vec![(":status".to_owned(), status.to_string().into_bytes())];
        headers.extend(reply.iter().flat_map(|reply| reply.headers.iter().cloned()));
        self.maps.insert(Map::Response, headers);
    }

    pub(super) fn end_stream(&mut self) -> (Headers, BTreeMap<String, Vec<u8>>) {
        (self.maps.remove(&Map::Request).unwrap_or_default(), std::mem::take(&mut self.state))
    }

    // --- connections

    /// Closes the connection that a callback is about.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether it was closed since this was asked last.
    pub(super) fn take_closed(&mut self) -> bool {
        std::mem::take(&mut self.closed)
    }

    pub(super) fn reply(&self) -> Option<&LocalReply> {
        self.reply.as_ref()
    }

    pub(super) fn answer(&mut self, reply: LocalReply) {
        self.reply = Some(reply);
    }

    // --- what the module asks for

    pub(super) fn map(&mut self, map: Map) -> &mut Headers {
        self.maps.entry(map).or_default()
    }

    /// What a filter wrote is found under its own name before what the host knows.
    pub(super) fn property(&self, path: &str) -> Option<&Vec<u8>> {
        self.state.get(path).or_else(|| self.properties.get(path))
    }

    pub(super) fn set_state(&mut self, name: String, value: Vec<u8>) {
        self.state.insert(name, value);
    }

    /// The value and its version; a value that was never written has none.
    pub(super) fn shared(&self, key: &str) -> Option<&(Vec<u8>, u32)> {
        self.shared.get(key)
    }

    /// Writes shared data; with a version other than 0 only over that very version.
    pub(super) fn share(&mut self, key: String, value: Vec<u8>, version: u32) -> bool {
        let held = self.shared.get(&key).map_or(0, |(_, held)| *held);
        if version != 0 && version != held {
            return false;
        }
        self.shared.insert(key, (value, held + 1));
        true
    }

    pub(super) fn define_metric(&mut self, name: String) -> u32 {
        let at = self.metrics.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.metrics.push((name, 0));
            self.metrics.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    pub(super) fn metric(&mut self, id: u32) -> Option<&mut u64> {
        self.metrics.get_mut(usize::try_from(id).ok()?).map(|(_, value)| value)
    }

    pub(super) fn write_log(&mut self, message: String) {
        self.log.push(message);
    }

    /// Numbers that look random and are the same in every run (SplitMix64).
    pub(super) fn random(&mut self) -> [u8; 8] {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }

    // --- HTTP calls of the module

    pub(super) fn start_call(&mut self, path: String) -> u32 {
        self.last_token += 1;
        self.under_way.push_back((self.last_token, path));
        self.last_token
    }

    /// Puts the answer of the oldest call in place and gives its token.
    pub(super) fn answer_next_call(&mut self) -> Option<u32> {
        let (token, path) = self.under_way.pop_front()?;
        let file = self.files.get(&path).cloned();
        let status: &[u8] = if file.is_some() { b"200" } else { b"404" };
        self.maps.insert(Map::Call, vec![(":status".to_owned(), status.to_vec())]);
        self.call_body = file.unwrap_or_default();
        Some(token)
    }

    pub(super) fn call_headers(&self) -> usize {
        self.maps.get(&Map::Call).map_or(0, Vec::len)
    }

    pub(super) fn call_body(&self) -> usize {
        self.call_body.len()
    }
}
