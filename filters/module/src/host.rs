//! The host, in the shape this module wants it: a call that fails is `None` or nothing. The SDK panics on
//! a status that the ABI does not list for a call; Envoy gives none.

use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

use crate::protobuf::write_field;

pub(crate) type Map = Vec<(String, Vec<u8>)>;

/// Milliseconds since the Unix epoch; 0 if the host does not say.
pub(crate) fn now_ms() -> u64 {
    let since = hostcalls::get_current_time().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    since.and_then(|d| u64::try_from(d.as_millis()).ok()).unwrap_or(0)
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    now_ms() / 1000
}

/// Random bytes; `None` when the host has no random source, which the caller must treat as a failure.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

pub(crate) fn log(level: LogLevel, message: &str) {
    let _ = hostcalls::log(level, message);
}

/// Whether the host prints what is logged at this level.
pub(crate) fn prints(level: LogLevel) -> bool {
    hostcalls::get_log_level().is_ok_and(|least| level as u32 >= least as u32)
}

pub(crate) fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}

/// A property that is a number (8 bytes, little endian).
pub(crate) fn property_number(path: &[&str]) -> Option<i64> {
    Some(i64::from_le_bytes(property(path)?.try_into().ok()?))
}

pub(crate) fn set_property(name: &str, value: &[u8]) {
    let _ = hostcalls::set_property(vec![name], Some(value));
}

/// Lets Envoy look for the route again, by the headers as they are now. A host without this function looks by itself
/// after headers were written, or has no routes.
pub(crate) fn clear_route_cache() {
    let _ = foreign("clear_route_cache", &[]);
}

/// Makes the filter state `name` one of the request instead of one of its filter chain, so that it is still
/// there after an internal redirect. A host without this function forgets it then.
pub(crate) fn declare_for_request(name: &str) {
    // envoy.source.extensions.common.wasm.DeclarePropertyArguments { string name = 1; LifeSpan span = 5; }
    let mut argument = Vec::new();
    write_field(&mut argument, 1, name.as_bytes());
    argument.extend_from_slice(&[5 << 3, 1]);
    let _ = foreign("declare_property", &argument);
}

pub(crate) fn request_headers() -> Map {
    hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap_or_default()
}

pub(crate) fn set_request_header(name: &str, value: &str) {
    let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value));
}

pub(crate) fn remove_request_header(name: &str) {
    let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
}

pub(crate) fn response_headers() -> Map {
    hostcalls::get_map_bytes(MapType::HttpResponseHeaders).unwrap_or_default()
}

pub(crate) fn remove_response_header(name: &str) {
    let _ = hostcalls::remove_map_value(MapType::HttpResponseHeaders, name);
}

/// The first bytes of the request's body.
pub(crate) fn request_body(size: usize) -> Option<Vec<u8>> {
    if size == 0 {
        return Some(Vec::new());
    }
    hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size).ok().flatten()
}

/// Puts `bytes` in the place of the first `size` bytes of the request's body.
pub(crate) fn replace_request_body(size: usize, bytes: &[u8]) {
    let _ = hostcalls::set_buffer(BufferType::HttpRequestBody, 0, size, bytes);
}

pub(crate) fn set_response_header(name: &str, value: &[u8]) {
    let _ = hostcalls::set_map_value_bytes(MapType::HttpResponseHeaders, name, Some(value));
}

/// The next bytes of the response's body.
pub(crate) fn response_body(size: usize) -> Option<Vec<u8>> {
    if size == 0 {
        return Some(Vec::new());
    }
    hostcalls::get_buffer(BufferType::HttpResponseBody, 0, size).ok().flatten()
}

/// Puts `bytes` in the place of the next `size` bytes of the response's body.
pub(crate) fn replace_response_body(size: usize, bytes: &[u8]) {
    let _ = hostcalls::set_buffer(BufferType::HttpResponseBody, 0, size, bytes);
}

/// A way through a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the client.
    In,
    /// To the client.
    Out,
}

impl Way {
    fn buffer(self) -> BufferType {
        match self {
            Self::In => BufferType::DownstreamData,
            Self::Out => BufferType::UpstreamData,
        }
    }
}

/// Those of the next bytes of a connection that stand behind the first `at`, all `size` of them; within a callback of that way
/// alone.
pub(crate) fn stream_data(way: Way, at: usize, size: usize) -> Option<Vec<u8>> {
    hostcalls::get_buffer(way.buffer(), at, size).ok().flatten().filter(|bytes| bytes.len() == size)
}

/// Puts `bytes` in the place of the next `size` bytes, of which there may be more: those stay. Within a callback of that way alone.
pub(crate) fn replace_stream_data(way: Way, size: usize, bytes: &[u8]) {
    let _ = hostcalls::set_buffer(way.buffer(), 0, size, bytes);
}

/// Puts `bytes` behind all that there is; within a callback of that way alone.
pub(crate) fn append_stream_data(way: Way, bytes: &[u8]) {
    let _ = hostcalls::set_buffer(way.buffer(), usize::MAX, 0, bytes);
}

/// Closes the connection, with what was not written yet. Never where the stream ends by itself: the host would take the
/// context away and then call it.
pub(crate) fn close_connection() {
    let _ = hostcalls::close_downstream();
}

pub(crate) fn request_trailers() -> Map {
    hostcalls::get_map_bytes(MapType::HttpRequestTrailers).unwrap_or_default()
}

pub(crate) fn remove_request_trailer(name: &str) {
    let _ = hostcalls::remove_map_value(MapType::HttpRequestTrailers, name);
}

pub(crate) fn response_trailers() -> Map {
    hostcalls::get_map_bytes(MapType::HttpResponseTrailers).unwrap_or_default()
}

pub(crate) fn remove_response_trailer(name: &str) {
    let _ = hostcalls::remove_map_value(MapType::HttpResponseTrailers, name);
}

pub(crate) fn shared(key: &str) -> (Option<Vec<u8>>, Option<u32>) {
    hostcalls::get_shared_data(key).unwrap_or_default()
}

/// Writes shared data; with `cas` only if nobody else wrote meanwhile. Says whether it was written.
/// The ABI has no way to say "only if nothing was there": without `cas` it is always written, so of two
/// first writers the later one wins, and the other finds a record that its handle does not open.
pub(crate) fn set_shared(key: &str, value: &[u8], cas: Option<u32>) -> bool {
    hostcalls::set_shared_data(key, Some(value), cas).is_ok()
}

/// From now on, calls of the host are about this context: a stream, or a plugin's own.
pub(crate) fn set_effective_context(context_id: u32) {
    let _ = hostcalls::set_effective_context(context_id);
}

/// Ends the stream without an answer.
pub(crate) fn reset_stream() {
    let _ = hostcalls::reset_http_request();
}

pub(crate) fn tick_each(period: Duration) {
    let _ = hostcalls::set_tick_period(period);
}

/// Starts a GET; the token comes back in `on_http_call_response`.
pub(crate) fn get(cluster: &str, authority: &str, path: &str, etag: Option<&str>, timeout: Duration) -> Option<u32> {
    let mut headers = vec![(":method", "GET"), (":path", path), (":authority", authority)];
    headers.extend(etag.map(|etag| ("if-none-match", etag)));
    hostcalls::dispatch_http_call(cluster, headers, None, vec![], timeout).ok()
}

/// Starts a request with a body; the token comes back in `on_http_call_response`.
pub(crate) fn post(cluster: &str, headers: Vec<(&str, &str)>, body: &[u8], timeout: Duration) -> Option<u32> {
    hostcalls::dispatch_http_call(cluster, headers, Some(body), vec![], timeout).ok()
}

pub(crate) fn call_response_headers() -> Map {
    hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders).unwrap_or_default()
}

pub(crate) fn call_response_trailers() -> Map {
    hostcalls::get_map_bytes(MapType::HttpCallResponseTrailers).unwrap_or_default()
}

pub(crate) fn call_response_body(size: usize) -> Vec<u8> {
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size).ok().flatten().unwrap_or_default()
}

pub(crate) fn foreign(name: &str, argument: &[u8]) -> Option<Vec<u8>> {
    hostcalls::call_foreign_function(name, Some(argument)).ok().flatten()
}

pub(crate) fn define_counter(name: &str) -> Option<u32> {
    hostcalls::define_metric(MetricType::Counter, name).ok()
}

pub(crate) fn define_gauge(name: &str) -> Option<u32> {
    hostcalls::define_metric(MetricType::Gauge, name).ok()
}

pub(crate) fn count(id: u32, number: u64) {
    let _ = hostcalls::increment_metric(id, i64::try_from(number).unwrap_or(i64::MAX));
}

pub(crate) fn gauge(id: u32, value: u64) {
    let _ = hostcalls::record_metric(id, value);
}

/// A queue of this VM, which others find by their name for it.
pub(crate) fn open_queue(name: &str) -> Option<u32> {
    hostcalls::register_shared_queue(name).ok()
}

/// The queue of that name of the VM `vm`; `None` where nobody opened it yet.
pub(crate) fn find_queue(vm: &str, name: &str) -> Option<u32> {
    hostcalls::resolve_shared_queue(vm, name).ok().flatten()
}

/// Puts a message into a queue. Whether it is there.
pub(crate) fn enqueue(queue: u32, message: &[u8]) -> bool {
    hostcalls::enqueue_shared_queue(queue, Some(message)).is_ok()
}

/// Takes the next message out of a queue.
pub(crate) fn dequeue(queue: u32) -> Option<Vec<u8>> {
    hostcalls::dequeue_shared_queue(queue).ok().flatten()
}
