//! Whether anything of one tenant reaches another.

use std::net::TcpStream;
use std::sync::Arc;

use partywall_integration::kafka::leak::{Dial, Run, Tenant};
use partywall_integration::kafka::{Brokers, Options};

fn tenant(name: &str) -> Tenant {
    let mark = format!("zq{name}qz");
    Tenant { id: format!("{mark}-co"), prefix: format!("{mark}-co."), mark, ranged: None }
}

fn direct(port: u16) -> Dial {
    Arc::new(move |patience| {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Box::new(stream))
    })
}

/// What the run below is worth: a tenant alone is told nothing wrong, and of two that nothing parts each learns of the other.
#[test]
fn with_nothing_between_them_it_is_found() {
    let brokers = Brokers::start(&Options { name: "leaks-open", ..Options::default() }).unwrap();
    let dial = direct(brokers.port(0, 0));
    let run = |names: &[&str], records| {
        let tenants = names.iter().map(|name| (tenant(name), dial.clone())).collect();
        Run { tenants, records, batch: 10, seed: 1, progress: None }.run()
    };
    let alone = run(&["alone"], 1_000).unwrap();
    println!("{alone}");
    assert_eq!((alone.found.len(), alone.wrong.len(), alone.written), (0, 0, 1_000), "{alone}");
    assert!(alone.asked.len() > 20 && alone.read > 1_000, "{alone}");
    let both = run(&["one", "two"], 200);
    assert!(both.as_ref().map_or(true, |both| !both.found.is_empty() && !both.wrong.is_empty()), "{both:?}");
}
