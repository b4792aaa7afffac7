//! A bundle server that does what a case says with one file, and gives all others as `partywall serve` does.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bad_bundle::{Answer, Framing, Part, What, cut};
use crate::ports::local;
use crate::raw::Request;

/// The server. It runs until the process ends.
pub struct BadServer {
    /// Where it listens.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The port of `partywall serve`.
    good: u16,
    bundle: File,
    overlay: File,
}

/// What became of one file.
#[derive(Clone, Default)]
struct File {
    bad: Option<Answer>,
    /// How often it was asked for since the answer was changed.
    asked: u32,
    /// Bytes of bodies that somebody took since then.
    sent: u64,
}

impl State {
    fn of(&mut self, what: What) -> &mut File {
        match what {
            What::Bundle => &mut self.bundle,
            What::Overlay => &mut self.overlay,
        }
    }
}

impl BadServer {
    /// Starts it in front of the `partywall serve` that listens at `good`.
    pub fn start(good: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State { good, ..State::default() }));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                // Who hangs up while it is answered is right to.
                thread::spawn(move || drop(serve(stream, &state)));
            }
        });
        Ok(Self { port, state })
    }

    /// From now on answers `what` so.
    pub fn answer(&self, what: What, answer: Answer) {
        *lock(&self.state).of(what) = File { bad: Some(answer), ..File::default() };
    }

    /// From now on answers `what` well.
    pub fn behave(&self, what: What) {
        *lock(&self.state).of(what) = File::default();
    }

    /// How often it was asked for `what` since that, and how many bytes of bad answers it got rid of.
    pub fn asked(&self, what: What) -> (u32, u64) {
        let mut state = lock(&self.state);
        let file = state.of(what);
        (file.asked, file.sent)
    }

    /// A file as `partywall serve` gives it.
    pub fn good(&self, what: What) -> Result<Vec<u8>> {
        let port = lock(&self.state).good;
        Ok(Request::get(what.path()).header("host", "bundles").send(local(port))?.body)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// One connection, until somebody closes it.
fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    loop {
        let first = lines.next().context("closed")??;
        let path = first.split(' ').nth(1).context("no request")?.to_owned();
        let mut etag = None;
        loop {
            let line = lines.next().context("closed")??;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("if-none-match") => {
                    etag = Some(value.trim().to_owned())
                }
                Some(_) => {}
                None => break,
            }
        }
        let what = [What::Bundle, What::Overlay].into_iter().find(|what| what.path() == path);
        let (good, bad) = {
            let mut state = lock(state);
            let file = what.map(|what| state.of(what));
            let bad = file.and_then(|file| {
                file.asked += 1;
                file.bad.clone()
            });
            (state.good, what.zip(bad))
        };
        let Some((what, bad)) = bad else {
            stream.write_all(&relayed(good, &path, etag.as_deref())?)?;
            continue;
        };
        let file = || Ok(Request::get(&path).header("host", "bundles").send(local(good))?.body);
        answer(&mut stream, &bad, file, |bytes| lock(state).of(what).sent += bytes as u64)?;
        stream.shutdown(Shutdown::Both)?;
        return Ok(());
    }
}

/// What `partywall serve` answers.
fn relayed(port: u16, path: &str, etag: Option<&str>) -> Result<Vec<u8>> {
    let mut asked = Request::get(path).header("host", "bundles");
    if let Some(etag) = etag {
        asked = asked.header("if-none-match", etag);
    }
    let answered = asked.send(local(port))?;
    let etag = answered.header("etag").map(|etag| format!("etag: {etag}\r\n")).unwrap_or_default();
    let length = answered.body.len();
    let length = if answered.status == 304 { String::new() } else { format!("content-length: {length}\r\n") };
    Ok([format!("HTTP/1.1 {} told\r\n{etag}{length}\r\n", answered.status).as_bytes(), &answered.body].concat())
}

fn answer(
    stream: &mut TcpStream,
    answer: &Answer,
    file: impl Fn() -> Result<Vec<u8>>,
    mut sent: impl FnMut(usize),
) -> Result<()> {
    const CHUNK: usize = 64 * 1024;
    // Said beforehand, or the next question could come to a connection that is just being closed.
    const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    let head = |framing, length: u64| match framing {
        Framing::Length => format!("{OK}content-length: {length}\r\n\r\n"),
        Framing::Chunked => format!("{OK}transfer-encoding: chunked\r\n\r\n"),
        Framing::Close => format!("{OK}\r\n"),
    };
    let mut write = |stream: &mut TcpStream, framing, bytes: &[u8]| -> Result<()> {
        if framing == Framing::Chunked {
            stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        }
        stream.write_all(bytes)?;
        sent(bytes.len());
        if framing == Framing::Chunked {
            stream.write_all(b"\r\n")?;
        }
        Ok(())
    };
    match answer {
        Answer::Zeros { bytes, framing } => {
            stream.write_all(head(*framing, *bytes).as_bytes())?;
            let zeros = [0; CHUNK];
            let mut left = *bytes;
            while left > 0 {
                let now = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
                write(stream, *framing, &zeros[..now])?;
                left -= now as u64;
            }
            if *framing == Framing::Chunked {
                stream.write_all(b"0\r\n\r\n")?;
            }
        }
        Answer::Cut { percent, framing } => {
            let file = file()?;
            stream.write_all(head(*framing, file.len() as u64).as_bytes())?;
            write(stream, *framing, cut(&file, *percent))?;
        }
        Answer::Slow { each_ms, part } => {
            let file = file()?;
            let head = head(Framing::Length, file.len() as u64);
            let (at_once, slow) = match part {
                Part::Headers => (String::new(), [head.as_bytes(), &file].concat()),
                Part::Body => (head, file),
            };
            stream.write_all(at_once.as_bytes())?;
            for byte in slow {
                write(stream, Framing::Length, &[byte])?;
                thread::sleep(Duration::from_millis(*each_ms));
            }
        }
        Answer::Silence => wait_for_the_end(stream)?,
        Answer::Text(text) => {
            stream.write_all(head(Framing::Length, text.len() as u64).as_bytes())?;
            write(stream, Framing::Length, text.as_bytes())?;
        }
        Answer::Status(status) => {
            stream.write_all(
                format!("HTTP/1.1 {status} told\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").as_bytes(),
            )?;
        }
        Answer::Bytes(bytes) => {
            stream.write_all(head(Framing::Length, bytes.len() as u64).as_bytes())?;
            write(stream, Framing::Length, bytes)?;
        }
        Answer::Statement(_) => anyhow::bail!("a test makes bytes of it first"),
    }
    // So that the last bytes arrive before the end does.
    stream.shutdown(Shutdown::Write)?;
    wait_for_the_end(stream)
}

/// Until the other side closes, or a minute is over.
fn wait_for_the_end(stream: &mut TcpStream) -> Result<()> {
    use std::io::Read;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut byte = [0; 1];
    match stream.read(&mut byte) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::WouldBlock) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
