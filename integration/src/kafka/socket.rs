//! Bytes of Kafka's protocol by hand, right or wrong.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::Scoped;
use crate::ports::local;
use crate::raw::connect_tls;

/// How long an answer may take: more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the proxy, over mutual TLS.
pub struct Socket(StreamOwned<ClientConnection, TcpStream>);

impl Socket {
    /// Connects with the certificate of `tenant`, or with none.
    ///
    /// # Panics
    ///
    /// The proxy takes no connection.
    pub fn connect(scoped: &Scoped, tenant: Option<&str>) -> Self {
        let client = tenant.map(|tenant| scoped.client(tenant).expect("a certificate").for_rustls());
        let stream = connect_tls(local(scoped.port), None, client).expect("the proxy listens");
        stream.sock.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.sock.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self(stream)
    }

    /// Sends `bytes`.
    ///
    /// # Errors
    ///
    /// The connection ended before all of them were sent.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// The same, whatever comes of it.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.try_send(bytes);
    }

    /// Sends no more.
    pub fn end(&mut self) {
        self.0.conn.send_close_notify();
        let _ = self.0.flush();
        let _ = self.0.sock.shutdown(Shutdown::Write);
    }

    /// The next frame, with its length; `None` where the connection ends before.
    pub fn frame(&mut self) -> Option<Vec<u8>> {
        let mut frame = vec![0; 4];
        self.0.read_exact(&mut frame).ok()?;
        let size = usize::try_from(i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]])).ok()?;
        frame.resize(4 + size, 0);
        self.0.read_exact(&mut frame[4..]).ok()?;
        Some(frame)
    }

    /// All that comes until the connection ends.
    ///
    /// # Panics
    ///
    /// It does not end in time.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut all) {
            let late = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            assert!(!late, "the connection did not end, {} bytes came", all.len());
        }
        all
    }

    /// Asks for the metadata of all topics; `None` where the connection ends.
    pub fn metadata(&mut self) -> Option<Vec<u8>> {
        self.try_send(&Self::metadata_request()).ok()?;
        self.frame()
    }

    /// Metadata of all topics, in version 4.
    pub fn metadata_request() -> Vec<u8> {
        let header = [0, 3, 0, 4, 0, 0, 0, 9, 0, 4, b'w', b'i', b'r', b'e'];
        framed(&[&header[..], &[0xff, 0xff, 0xff, 0xff, 0]].concat())
    }
}

/// `frame` with its length before it.
pub fn framed(frame: &[u8]) -> Vec<u8> {
    let length = i32::try_from(frame.len()).unwrap_or(i32::MAX).to_be_bytes();
    [&length[..], frame].concat()
}
