//! A broker that keeps nothing: it answers each request at once, so that a proxy is what is measured.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Result, ensure};

use super::wire::{Api, CORRELATION_OF_RESPONSE, asked, request, response};

/// A thousand threads of this size are no burden.
const STACK: usize = 256 << 10;
/// The largest request that it reads, in bytes.
const LARGEST: usize = 8 << 20;

/// Starts one for `topic`, which answers a Fetch with the records of the size that it asks for. Gives its port.
pub(super) fn start(topic: &str, sizes: &[Vec<u8>]) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let produced = response(Api::Produce, topic, &[]);
    let fetched: HashMap<usize, Vec<u8>> =
        sizes.iter().map(|records| (records.len(), response(Api::Fetch, topic, records))).collect();
    let name = Arc::new((topic.to_owned(), produced, fetched));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = name.clone();
            let started = thread::Builder::new().stack_size(STACK).spawn(move || {
                if let Err(error) = answer(stream, &answers.0, &answers.1, &answers.2)
                    && error.downcast_ref::<std::io::Error>().is_none()
                {
                    eprintln!("the broker: {error:#}");
                }
            });
            if started.is_err() {
                return;
            }
        }
    });
    Ok(port)
}

/// Until the other side goes, which is an error of its connection.
fn answer(stream: TcpStream, topic: &str, produced: &[u8], fetched: &HashMap<usize, Vec<u8>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let (mut frame, mut length) = (Vec::new(), [0; 4]);
    let mut out = Vec::new();
    let least = request(Api::Produce, topic, &[]).len().min(request(Api::Fetch, topic, &[]).len()) - 4;
    loop {
        reader.read_exact(&mut length)?;
        let size = u32::from_be_bytes(length) as usize;
        ensure!((least..=LARGEST).contains(&size), "a request of {size} bytes");
        if frame.len() < size {
            frame.resize(size, 0);
        }
        let frame = &mut frame[..size];
        reader.read_exact(frame)?;
        let (api, wanted) = asked(frame)?;
        // Of whatever the proxy makes of the client's name, it has to be this.
        let head = &frame[..frame.len().min(100)];
        ensure!(head.windows(topic.len()).any(|name| name == topic.as_bytes()), "a request of another topic");
        let answer = match api {
            Api::Produce => produced,
            Api::Fetch => fetched.get(&wanted).map(Vec::as_slice).unwrap_or_default(),
        };
        ensure!(!answer.is_empty(), "a fetch of {wanted} bytes, which were not made before");
        out.clear();
        out.extend_from_slice(answer);
        out[CORRELATION_OF_RESPONSE..CORRELATION_OF_RESPONSE + 4].copy_from_slice(&frame[4..8]);
        writer.write_all(&out)?;
    }
}
