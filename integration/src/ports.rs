//! Free ports on loopback.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Context, Result};

/// Below the ports that a system takes for outgoing connections, so that none of these takes one of ours between the
/// moment it is chosen and the one in which a server listens there.
const FROM: u16 = 20_000;
/// The first port above them.
const TO: u16 = 32_000;

/// What this process took. Programs that run side by side take different ones: each is locked by a file of its own, which
/// the system lets go with the process.
static TAKEN: LazyLock<Mutex<Taken>> = LazyLock::new(|| {
    // So that programs do not all try the same ones in turn.
    let first = u32::from(FROM) + std::process::id().wrapping_mul(61) % u32::from(TO - FROM);
    Mutex::new(Taken { next: u16::try_from(first).unwrap_or(FROM), locks: Vec::new() })
});

struct Taken {
    next: u16,
    locks: Vec<File>,
}

/// `N` ports that are free now, and that nobody else takes who asks here, until this process ends.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    let folder = std::env::temp_dir().join("partywall-ports");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ports = [0; N];
    for port in &mut ports {
        let free = (FROM..TO).find_map(|_| {
            let candidate = taken.next;
            taken.next = if candidate + 1 < TO { candidate + 1 } else { FROM };
            let lock = File::options().create(true).append(true).open(folder.join(candidate.to_string())).ok()?;
            lock.try_lock().ok()?;
            TcpListener::bind(local(candidate)).ok()?;
            Some((candidate, lock))
        });
        let (number, lock) = free.with_context(|| {
            format!(
                "no free port of {FROM} to {TO} on 127.0.0.1; each one taken is locked by a file in {}",
                folder.display()
            )
        })?;
        taken.locks.push(lock);
        *port = number;
    }
    Ok(ports)
}

/// `port` on loopback.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let (one, other) = (free::<40>().unwrap(), free::<40>().unwrap());
        let mut all = [one, other].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 80);
        assert!(all.iter().all(|port| (FROM..TO).contains(port)));
    }
}
