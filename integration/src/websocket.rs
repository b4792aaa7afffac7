//! WebSockets (RFC 6455) by their bytes: what Envoy needs to pass them, an upgrade, and short text frames.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::mesh::unique;
use crate::raw::Request;
use crate::variant::Variant;

/// The example of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What the app must answer to it.
pub const ACCEPT: &str = "s3pPLBmTxaQ9kYGzzhZRbK+xOo=";

const UPGRADES: &str = "upgrade_configs: [{ upgrade_type: websocket }]\n                ";
const CONNECT: &str = "http2_protocol_options: { allow_connect: true }\n                ";

/// Lets WebSockets pass from the edge to the app of `invoices`, as `envoy-config/README.md` says.
pub fn allow(variant: &mut Variant) -> Result<()> {
    let (edge, inbound) = ("stat_prefix: edge\n                ", "stat_prefix: inbound\n                ");
    variant.envoy("edge", edge, &format!("{edge}{UPGRADES}"))?;
    // Else a client hears of the end of its WebSocket a second later.
    variant.envoy("edge", "delayed_close_timeout: 1s", "delayed_close_timeout: 0.1s")?;
    variant.envoy("invoices", inbound, &format!("{inbound}{UPGRADES}{CONNECT}"))?;
    let (plain, connect) = ("{ http2_protocol_options: {} }", "{ http2_protocol_options: { allow_connect: true } }");
    variant.envoy("edge", plain, connect)
}

/// Asks for an upgrade of `request`; gives the connection and the head of the answer.
pub fn open(to: SocketAddr, request: Request) -> Result<(TcpStream, String)> {
    let request = request
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY);
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&request.bytes())?;
    let head = head(&mut stream)?;
    Ok((stream, head))
}

/// The app's side: reads the request for an upgrade, hands over its head, and accepts it, with `more` lines of headers.
pub fn accept(stream: &mut TcpStream, seen: impl FnOnce(&str), more: &str) -> Result<String> {
    let head = head(stream)?;
    seen(&head);
    ensure!(header(&head, "upgrade").eq_ignore_ascii_case("websocket"), "{head}");
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {ACCEPT}\r\n{more}\r\n"
    )?;
    Ok(head)
}

/// The values of a header in a head, one behind the other.
pub fn header(head: &str, name: &str) -> String {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// Reads up to the empty line, and not a byte further.
fn head(stream: &mut TcpStream) -> Result<String> {
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        got.extend_from_slice(&byte);
    }
    Ok(String::from_utf8_lossy(&got).into_owned())
}

/// A text frame (RFC 6455, section 5.2) of up to 125 bytes, masked as clients must.
pub fn send(stream: &mut TcpStream, mask: Option<[u8; 4]>, text: &str) -> Result<()> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).context("too long for one frame here")?;
    let mut frame = vec![0x81, length | if mask.is_some() { 0x80 } else { 0 }];
    frame.extend(mask.into_iter().flatten());
    let key = mask.unwrap_or_default();
    frame.extend(text.bytes().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    Ok(stream.write_all(&frame)?)
}

/// The next text frame.
pub fn receive(stream: &mut TcpStream) -> Result<String> {
    let mut start = [0; 2];
    stream.read_exact(&mut start)?;
    ensure!(start[0] == 0x81, "no text frame: {start:?}");
    let mut key = [0; 4];
    if start[1] & 0x80 != 0 {
        stream.read_exact(&mut key)?;
    }
    let mut text = vec![0; usize::from(start[1] & 0x7f)];
    stream.read_exact(&mut text)?;
    Ok(String::from_utf8(text.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect())?)
}

/// An app that gives each text back.
pub fn echo(mut stream: TcpStream) -> Result<()> {
    accept(&mut stream, |_| {}, "")?;
    loop {
        let text = receive(&mut stream)?;
        send(&mut stream, None, &text)?;
    }
}

/// Whether such an app still answers.
pub fn is_open(stream: &mut TcpStream) -> bool {
    let mark = unique();
    send(stream, Some([1, 2, 3, 4]), &mark).is_ok() && receive(stream).is_ok_and(|said| said == mark)
}
