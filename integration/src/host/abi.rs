//! proxy-wasm 0.2.1: the module's calls. Every result of more than a number lies in memory that the module gives for
//! it, and an empty one is a null pointer, as in Envoy.

use anyhow::Result;
use wasmi::{Caller, Error, ExternType, Linker, Memory, Module};

use super::world::{LocalReply, Map, World};
use super::{map, signatures};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const CAS_MISMATCH: u32 = 8;

const DOWNSTREAM_DATA: u32 = 2;
const UPSTREAM_DATA: u32 = 3;
const CALL_BODY: u32 = 4;
const PLUGIN_CONFIGURATION: u32 = 7;

type Host<'a> = Caller<'a, World>;
type Status = Result<u32, Error>;

/// Gives the module what it asks for.
pub(super) fn link(linker: &mut Linker<World>) -> Result<()> {
    linker
        .func_wrap("env", "proxy_log", log)?
        .func_wrap("env", "proxy_get_log_level", log_level)?
        .func_wrap("env", "proxy_get_current_time_nanoseconds", current_time)?
        .func_wrap("env", "proxy_set_tick_period_milliseconds", |mut host: Host<'_>, _: u32| {
            host.data_mut().called("set_tick_period");
            OK
        })?
        .func_wrap("env", "proxy_register_shared_queue", register_queue)?
        .func_wrap("env", "proxy_set_effective_context", |mut host: Host<'_>, _: u32| {
            host.data_mut().called("set_effective_context");
            OK
        })?
        .func_wrap("env", "proxy_get_buffer_bytes", get_buffer)?
        .func_wrap("env", "proxy_set_buffer_bytes", set_buffer)?
        .func_wrap("env", "proxy_close_stream", |mut host: Host<'_>, _: u32| {
            host.data_mut().called("close_stream");
            host.data_mut().close();
            OK
        })?
        .func_wrap("env", "proxy_get_header_map_pairs", get_map)?
        .func_wrap("env", "proxy_replace_header_map_value", replace_header)?
        .func_wrap("env", "proxy_remove_header_map_value", remove_header)?
        .func_wrap("env", "proxy_get_property", get_property)?
        .func_wrap("env", "proxy_set_property", set_property)?
        .func_wrap("env", "proxy_get_shared_data", get_shared)?
        .func_wrap("env", "proxy_set_shared_data", set_shared)?
        .func_wrap("env", "proxy_http_call", http_call)?
        .func_wrap("env", "proxy_send_local_response", send_reply)?
        .func_wrap("env", "proxy_call_foreign_function", foreign)?
        .func_wrap("env", "proxy_define_metric", define_metric)?
        .func_wrap("env", "proxy_increment_metric", increment_metric)?
        .func_wrap("env", "proxy_record_metric", record_metric)?;
    Ok(())
}

/// The SDK imports the whole ABI. What is left over is never called, or is missing here.
pub(super) fn refuse_the_rest(linker: &mut Linker<World>, module: &Module) -> Result<()> {
    for import in module.imports() {
        let (from, name) = (import.module().to_owned(), import.name().to_owned());
        if let ExternType::Func(kind) = import.ty() {
            let message = format!("the module called `{name}`, which this host has not got");
            // It is there already if it was linked above.
            let _ = linker.func_new(&from, &name, kind.clone(), move |_, _, _| Err(Error::new(message.clone())));
        }
    }
    Ok(())
}

// --- the module's memory

fn memory(host: &Host<'_>) -> Result<Memory, Error> {
    let found = host.get_export("memory").and_then(|export| export.into_memory());
    found.ok_or_else(|| Error::new("the module has no memory"))
}

/// Reads so many bytes of the module's memory.
pub(super) fn take(host: &Host<'_>, at: u32, size: u32) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; size as usize];
    memory(host)?.read(host, at as usize, &mut bytes)?;
    Ok(bytes)
}

fn take_text(host: &Host<'_>, at: u32, size: u32) -> Result<String, Error> {
    String::from_utf8(take(host, at, size)?).map_err(|_| Error::new("a name that is not UTF-8"))
}

/// Writes into the module's memory.
pub(super) fn put(host: &mut Host<'_>, at: u32, bytes: &[u8]) -> Result<(), Error> {
    Ok(memory(host)?.write(host, at as usize, bytes)?)
}

/// Writes a number of four bytes into the module's memory.
pub(super) fn put_number(host: &mut Host<'_>, at: u32, number: usize) -> Result<(), Error> {
    let number = u32::try_from(number).map_err(|_| Error::new("a number beyond 32 bits"))?;
    put(host, at, &number.to_le_bytes())
}

/// Hands over bytes: in memory that the module gives for them, its address and their number written where asked.
fn give(host: &mut Host<'_>, bytes: &[u8], address: u32, size: u32) -> Result<(), Error> {
    let mut at = 0;
    if !bytes.is_empty() {
        let allocate = host.get_export("proxy_on_memory_allocate").and_then(|export| export.into_func());
        let allocate = allocate.ok_or_else(|| Error::new("the module gives no memory"))?.typed::<u32, u32>(&*host)?;
        at = allocate.call(&mut *host, bytes.len() as u32)?;
        put(host, at, bytes)?;
    }
    put_number(host, address, at as usize)?;
    put_number(host, size, bytes.len())
}

// --- the calls, in the ABI's order

fn log(mut host: Host<'_>, _level: u32, at: u32, size: u32) -> Status {
    host.data_mut().called("log");
    let message = take(&host, at, size)?;
    host.data_mut().write_log(String::from_utf8_lossy(&message).into_owned());
    Ok(OK)
}

/// All of it is printed.
fn log_level(mut host: Host<'_>, out: u32) -> Status {
    host.data_mut().called("get_log_level");
    put(&mut host, out, &0_u32.to_le_bytes())?;
    Ok(OK)
}

/// There is one queue, and nobody else puts anything into it.
fn register_queue(mut host: Host<'_>, _name: u32, _size: u32, out: u32) -> Status {
    host.data_mut().called("register_shared_queue");
    put(&mut host, out, &1_u32.to_le_bytes())?;
    Ok(OK)
}

fn current_time(mut host: Host<'_>, at: u32) -> Status {
    host.data_mut().called("get_current_time");
    let nanoseconds = host.data().now_ms * 1_000_000;
    put(&mut host, at, &nanoseconds.to_le_bytes())?;
    Ok(OK)
}

fn get_buffer(mut host: Host<'_>, kind: u32, from: u32, most: u32, address: u32, size: u32) -> Status {
    host.data_mut().called("get_buffer");
    let world = host.data();
    let buffer = match kind {
        DOWNSTREAM_DATA | UPSTREAM_DATA => &world.stream_data,
        CALL_BODY => &world.call_body,
        PLUGIN_CONFIGURATION => &world.configuration,
        _ => return Ok(NOT_FOUND),
    };
    let part: Vec<u8> = buffer.iter().skip(from as usize).take(most as usize).copied().collect();
    give(&mut host, &part, address, size)?;
    Ok(OK)
}

/// Puts bytes in the place of others, where Envoy allows it: in what passes through a connection, at its beginning or end.
fn set_buffer(mut host: Host<'_>, kind: u32, from: u32, most: u32, at: u32, size: u32) -> Status {
    host.data_mut().called("set_buffer");
    if !matches!(kind, DOWNSTREAM_DATA | UPSTREAM_DATA) {
        return Ok(NOT_FOUND);
    }
    let bytes = take(&host, at, size)?;
    let data = &mut host.data_mut().stream_data;
    let from = data.len().min(from as usize);
    if from > 0 && from < data.len() {
        return Ok(BAD_ARGUMENT);
    }
    let to = data.len().min(from.saturating_add(most as usize));
    data.splice(from..to, bytes);
    Ok(OK)
}

/// Of the maps that are empty here: no request or answer of this host has trailers.
fn get_map(mut host: Host<'_>, number: u32, address: u32, size: u32) -> Status {
    host.data_mut().called("get_header_map");
    let bytes = match Map::from_number(number) {
        Some(which) => map::write(host.data_mut().map(which)),
        None => map::write(&Vec::new()),
    };
    give(&mut host, &bytes, address, size)?;
    Ok(OK)
}

fn replace_header(mut host: Host<'_>, number: u32, name: u32, name_size: u32, value: u32, value_size: u32) -> Status {
    host.data_mut().called("replace_header");
    let (name, value) = (take_text(&host, name, name_size)?, take(&host, value, value_size)?);
    let Some(which) = Map::from_number(number) else { return Ok(BAD_ARGUMENT) };
    let map = host.data_mut().map(which);
    let first = map.iter().position(|(known, _)| *known == name).unwrap_or(map.len());
    map.retain(|(known, _)| *known != name);
    map.insert(first.min(map.len()), (name, value));
    Ok(OK)
}

fn remove_header(mut host: Host<'_>, number: u32, name: u32, name_size: u32) -> Status {
    host.data_mut().called("remove_header");
    let name = take_text(&host, name, name_size)?;
    let Some(which) = Map::from_number(number) else { return Ok(BAD_ARGUMENT) };
    host.data_mut().map(which).retain(|(known, _)| *known != name);
    Ok(OK)
}

fn get_property(mut host: Host<'_>, path: u32, path_size: u32, address: u32, size: u32) -> Status {
    host.data_mut().called("get_property");
    let path = take_text(&host, path, path_size)?;
    let Some(value) = host.data().property(&path).cloned() else { return Ok(NOT_FOUND) };
    give(&mut host, &value, address, size)?;
    Ok(OK)
}

fn set_property(mut host: Host<'_>, path: u32, path_size: u32, value: u32, value_size: u32) -> Status {
    host.data_mut().called("set_property");
    let (path, value) = (take_text(&host, path, path_size)?, take(&host, value, value_size)?);
    host.data_mut().set_state(path, value);
    Ok(OK)
}

fn get_shared(mut host: Host<'_>, key: u32, key_size: u32, address: u32, size: u32, version: u32) -> Status {
    host.data_mut().called("get_shared_data");
    let key = take_text(&host, key, key_size)?;
    let Some((value, held)) = host.data().shared(&key).cloned() else { return Ok(NOT_FOUND) };
    give(&mut host, &value, address, size)?;
    put_number(&mut host, version, held as usize)?;
    Ok(OK)
}

fn set_shared(mut host: Host<'_>, key: u32, key_size: u32, value: u32, value_size: u32, version: u32) -> Status {
    host.data_mut().called("set_shared_data");
    let (key, value) = (take_text(&host, key, key_size)?, take(&host, value, value_size)?);
    let written = host.data_mut().share(key, value, version);
    Ok(if written { OK } else { CAS_MISMATCH })
}

#[allow(clippy::too_many_arguments, reason = "the ABI has them")]
fn http_call(
    mut host: Host<'_>,
    _cluster: u32,
    _cluster_size: u32,
    headers: u32,
    headers_size: u32,
    _body: u32,
    _body_size: u32,
    _trailers: u32,
    _trailers_size: u32,
    _timeout: u32,
    token: u32,
) -> Status {
    host.data_mut().called("http_call");
    let Some(headers) = map::read(&take(&host, headers, headers_size)?) else { return Ok(BAD_ARGUMENT) };
    let path = headers.into_iter().find(|(name, _)| name == ":path").map(|(_, value)| value).unwrap_or_default();
    let started = host.data_mut().start_call(String::from_utf8_lossy(&path).into_owned());
    put_number(&mut host, token, started as usize)?;
    Ok(OK)
}

#[allow(clippy::too_many_arguments, reason = "the ABI has them")]
fn send_reply(
    mut host: Host<'_>,
    status: u32,
    _details: u32,
    _details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    _grpc_status: i32,
) -> Status {
    host.data_mut().called("send_local_response");
    let Some(headers) = map::read(&take(&host, headers, headers_size)?) else { return Ok(BAD_ARGUMENT) };
    let body = take(&host, body, body_size)?;
    host.data_mut().answer(LocalReply { status, headers, body });
    Ok(OK)
}

fn foreign(
    mut host: Host<'_>,
    name: u32,
    name_size: u32,
    arguments: u32,
    arguments_size: u32,
    address: u32,
    size: u32,
) -> Status {
    host.data_mut().called("call_foreign_function");
    let name = take_text(&host, name, name_size)?;
    if name != "verify_signature" || !host.data().signatures {
        return Ok(NOT_FOUND);
    }
    let result = signatures::verify(&take(&host, arguments, arguments_size)?);
    give(&mut host, &result, address, size)?;
    Ok(OK)
}

fn define_metric(mut host: Host<'_>, _kind: u32, name: u32, name_size: u32, id: u32) -> Status {
    host.data_mut().called("define_metric");
    let name = take_text(&host, name, name_size)?;
    let defined = host.data_mut().define_metric(name);
    put_number(&mut host, id, defined as usize)?;
    Ok(OK)
}

fn increment_metric(mut host: Host<'_>, id: u32, by: i64) -> Status {
    host.data_mut().called("increment_metric");
    let Some(value) = host.data_mut().metric(id) else { return Ok(NOT_FOUND) };
    *value = value.saturating_add_signed(by);
    Ok(OK)
}

fn record_metric(mut host: Host<'_>, id: u32, value: u64) -> Status {
    host.data_mut().called("record_metric");
    let Some(held) = host.data_mut().metric(id) else { return Ok(NOT_FOUND) };
    *held = value;
    Ok(OK)
}
