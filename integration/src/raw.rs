//! A client that sends exactly the bytes it is given, and reads one answer.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use tokio::net::TcpSocket;

use crate::certificates::Identity;

const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST: usize = 8 * 1024 * 1024;

/// A request to be written as it stands: names, values and paths may hold any byte.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Request {
    /// A request without any header.
    pub fn new(method: &str, path: impl Into<Vec<u8>>) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new() }
    }

    /// A GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Adds a header; a name that is there already is then there twice.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// As HTTP/1.1.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = [self.method.as_bytes(), b" ", &self.path, b" HTTP/1.1\r\n"].concat();
        for (name, value) in &self.headers {
            out.extend_from_slice(&[name, &b": "[..], value, b"\r\n"].concat());
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// Sends it to `to` over plain TCP.
    pub fn send(&self, to: SocketAddr) -> Result<Response> {
        plain(to, &self.bytes())
    }

    /// The same from this address of this machine.
    pub fn send_from(&self, from: IpAddr, to: SocketAddr) -> Result<Response> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(SocketAddr::new(from, 0)).with_context(|| format!("cannot call from {from}"))?;
        let stream = runtime.block_on(socket.connect(to))?.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        exchange(&mut &stream, &self.bytes())
    }

    /// Sends it to `to` over mutual TLS, as `identity`.
    pub fn send_as(&self, identity: &Identity, to: SocketAddr) -> Result<Response> {
        mutual_tls(to, identity, &self.bytes())
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The reason told: by a sidecar to another one in a header, to everybody else as the word in the document.
    pub fn reason(&self) -> String {
        let inside = self.header("x-partywall-reason").map(str::to_owned);
        inside.unwrap_or_else(|| self.json()["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends `bytes` over plain TCP and reads one answer.
pub fn plain(to: SocketAddr, bytes: &[u8]) -> Result<Response> {
    exchange(&mut connect(to)?, bytes)
}

/// Sends `bytes` over mutual TLS, as `identity`, and reads one answer.
pub fn mutual_tls(to: SocketAddr, identity: &Identity, bytes: &[u8]) -> Result<Response> {
    tls(to, Some("sidecar.invalid"), Some(identity.for_rustls()), bytes)
}

/// A certificate chain with its private key.
pub type Chain = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Sends `bytes` over TLS 1.3, with this SNI if any and this certificate if any, and reads one answer.
pub fn tls(to: SocketAddr, sni: Option<&str>, client: Option<Chain>, bytes: &[u8]) -> Result<Response> {
    exchange(&mut connect_tls(to, sni, client)?, bytes)
}

/// A connection for many requests, one after the other.
pub struct Connection(Box<dyn Stream>);

/// What a connection is made of: a socket, or TLS over one.
pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl Connection {
    /// Over plain TCP.
    pub fn plain(to: SocketAddr) -> Result<Self> {
        Ok(Self(Box::new(connect(to)?)))
    }

    /// Over mutual TLS, as `identity`.
    pub fn mutual_tls(to: SocketAddr, identity: &Identity) -> Result<Self> {
        Ok(Self(Box::new(connect_tls(to, Some("sidecar.invalid"), Some(identity.for_rustls()))?)))
    }

    /// Sends `bytes`. The answer is to be [received](Self::receive) before the next.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)?;
        Ok(self.0.flush()?)
    }

    /// Reads one answer, to anything but HEAD.
    pub fn receive(&mut self) -> Result<Response> {
        receive(&mut self.0, false)
    }
}

/// A connection for other protocols: over mutual TLS as `identity`, or over TCP. Reading ends after `patience` in vain.
pub fn dial(to: SocketAddr, identity: Option<&Identity>, patience: Duration) -> Result<Box<dyn Stream>> {
    let Some(identity) = identity else {
        let stream = connect(to)?;
        stream.set_read_timeout(Some(patience))?;
        return Ok(Box::new(stream));
    };
    let stream = connect_tls(to, Some("sidecar.invalid"), Some(identity.for_rustls()))?;
    stream.sock.set_read_timeout(Some(patience))?;
    Ok(Box::new(stream))
}

pub(crate) fn connect_tls(
    to: SocketAddr,
    sni: Option<&str>,
    client: Option<Chain>,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = Arc::new(tls_config(sni, client)?);
    Ok(StreamOwned::new(ClientConnection::new(config, server_name(sni)?)?, connect(to)?))
}

/// How a client speaks TLS 1.3 that minds no server, with this certificate if any.
pub(crate) fn tls_config(sni: Option<&str>, client: Option<Chain>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)));
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config.with_client_auth_cert(chain, key)?,
    };
    config.enable_sni = sni.is_some();
    Ok(config)
}

/// The name that TLS asks for; it is sent only where there is an SNI.
pub(crate) fn server_name(sni: Option<&str>) -> Result<ServerName<'static>> {
    Ok(ServerName::try_from(sni.unwrap_or("nobody.invalid").to_owned())?)
}

fn connect(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, TIMEOUT).with_context(|| format!("cannot connect to {to}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn exchange(stream: &mut (impl Read + Write), bytes: &[u8]) -> Result<Response> {
    stream.write_all(bytes)?;
    stream.flush()?;
    receive(stream, bytes.starts_with(b"HEAD "))
}

fn receive(stream: &mut impl Read, head_request: bool) -> Result<Response> {
    let mut got = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let n = match stream.read(&mut chunk) {
            Ok(n) => n,
            // A peer that closes TLS without saying so still closed.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => 0,
            Err(e) => return Err(anyhow!(e).context(format!("after {} bytes of the answer", got.len()))),
        };
        got.extend_from_slice(chunk.get(..n).unwrap_or_default());
        if let Some(response) = parse(&got, n == 0, head_request)? {
            return Ok(response);
        }
        if n == 0 {
            bail!("closed after {} bytes, before a whole answer", got.len());
        }
        if got.len() > LARGEST {
            bail!("an answer of more than {LARGEST} bytes");
        }
    }
}

/// The answer, once all of it is there.
fn parse(got: &[u8], closed: bool, no_body: bool) -> Result<Option<Response>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(at) = head.parse(got).context("not an HTTP/1 answer")? else { return Ok(None) };
    let status = head.code.unwrap_or_default();
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).into_owned()))
        .collect();
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let rest = got.get(at..).unwrap_or_default();
    let body = if no_body || matches!(status, 100..=199 | 204 | 304) {
        Some(Vec::new())
    } else if find("transfer-encoding") == Some("chunked") {
        dechunk(rest)?
    } else if let Some(length) = find("content-length") {
        rest.get(..length.parse()?).map(<[u8]>::to_vec)
    } else {
        closed.then(|| rest.to_vec())
    };
    Ok(body.map(|body| Response { status, headers, body }))
}

fn dechunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let size = httparse::parse_chunk_size(rest).map_err(|_| anyhow!("a broken chunk"))?;
        let httparse::Status::Complete((at, size)) = size else { return Ok(None) };
        let size = usize::try_from(size)?;
        let Some(data) = rest.get(at..at + size) else { return Ok(None) };
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(data);
        let Some(next) = rest.get(at + size + 2..) else { return Ok(None) };
        rest = next;
    }
}

/// An attacker does not mind whom it talks to: what is asked of the client is under test.
#[derive(Debug)]
struct AnyServer(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 alone is spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(answer: &[u8], closed: bool) -> Option<String> {
        parse(answer, closed, false).unwrap().map(|r| String::from_utf8(r.body).unwrap())
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", false), None);
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", false).unwrap(), "abc");
        assert_eq!(body(b"HTTP/1.1 204 No Content\r\n\r\n", false).unwrap(), "");
        assert_eq!(body(b"HTTP/1.1 200 OK\r\n\r\nabc", false), None);
        assert_eq!(body(b"HTTP/1.1 200 OK\r\n\r\nabc", true).unwrap(), "abc");
    }

    #[test]
    fn chunks_are_put_together() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let whole = format!("{head}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        assert_eq!(body(whole.as_bytes(), false).unwrap(), "abc");
        assert_eq!(body(&whole.as_bytes()[..whole.len() - 6], false), None);
    }

    #[test]
    fn a_request_is_written_as_it_was_given() {
        let bytes = Request::new("GET", "/a%2fb").header("Host", "x").header("y", [0xff]).header("y", "").bytes();
        assert_eq!(bytes, b"GET /a%2fb HTTP/1.1\r\nHost: x\r\ny: \xff\r\ny: \r\n\r\n");
    }
}
