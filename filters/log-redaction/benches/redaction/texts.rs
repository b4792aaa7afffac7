//! The texts that are gone through, made from fixed seeds: lines, and attributes. In one of a hundred there is something to
//! find. `benches/redaction` has them in Envoy.

use super::labelled::random::Random;
use super::labelled::{noise, set};

/// A text, and the name of its field before it.
pub(crate) type Text = (Vec<u8>, Vec<u8>);

/// Lines without a field's name.
pub(crate) fn lines(bytes: usize) -> Vec<Text> {
    let mut random = Random::new(0x5eed_0001);
    let told: Vec<String> = set().into_iter().filter(|line| !line.spans.is_empty()).map(|line| line.text).collect();
    let mut size = 0;
    let line = |nth: usize| {
        let line = match nth % 100 {
            99 => told[nth / 100 % told.len()].clone(),
            _ => noise::line(&mut random, nth / 3 * 7 + nth % 3),
        };
        (Vec::new(), line.into_bytes())
    };
    (0..)
        .map(line)
        .take_while(|(_, line)| {
            size += line.len();
            size < bytes
        })
        .collect()
}

/// Names and values of attributes as OpenTelemetry's conventions have them.
pub(crate) fn attribute(random: &mut Random, nth: usize) -> (&'static str, String) {
    match nth % 20 {
        0 => ("http.request.method", random.pick(&["GET", "POST", "PUT", "DELETE"]).to_owned()),
        1 => ("url.path", format!("/api/orders/{}", random.below(100_000))),
        2 => ("http.response.status_code", (200 + random.below(300)).to_string()),
        3 => ("server.address", format!("checkout-{}.shop.svc.cluster.local", random.below(9))),
        4 => ("thread.name", format!("http-nio-8080-exec-{}", random.below(64))),
        5 => ("code.function.name", "com.example.shop.Orders.store".to_owned()),
        6 => {
            ("k8s.pod.name", format!("checkout-{}-{}", random.hex(10), random.from(b"bcdfghjklmnpqrstvwxz2456789", 5)))
        }
        7 => ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0".to_owned()),
        8 => ("db.query.text", format!("SELECT id, total FROM orders WHERE shop = {}", random.below(900))),
        9 => ("messaging.destination.name", "orders-events".to_owned()),
        10 => ("http.request.body.size", random.below(90_000).to_string()),
        11 => ("deployment.environment.name", "production".to_owned()),
        12 => ("log.logger", "com.example.shop.checkout".to_owned()),
        13 => (
            "request.id",
            format!("{}-{}-4{}-a{}-{}", random.hex(8), random.hex(4), random.hex(3), random.hex(3), random.hex(12)),
        ),
        14 => ("error.type", "java.net.SocketTimeoutException".to_owned()),
        15 => ("network.protocol.version", "1.1".to_owned()),
        16 => ("duration_ms", format!("{}.{:03}", random.below(900), random.below(1000))),
        17 => ("container.image.tag", format!("1.{}.{}", random.below(20), random.below(100))),
        18 => ("cart.items", random.below(40).to_string()),
        _ => ("feature_flag.key", "new-checkout".to_owned()),
    }
}

pub(crate) fn attributes(bytes: usize) -> Vec<Text> {
    let (mut random, mut size) = (Random::new(0x5eed_0002), 0);
    let one = |nth: usize| {
        let (key, value) = match nth % 100 {
            99 => ("user.email", format!("customer{}@example.com", random.below(5000))),
            _ => attribute(&mut random, nth),
        };
        (key.as_bytes().to_vec(), value.into_bytes())
    };
    (0..)
        .map(one)
        .take_while(|(_, value)| {
            size += value.len();
            size < bytes
        })
        .collect()
}
