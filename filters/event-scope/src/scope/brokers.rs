//! Where a tenant's clients find brokers.

use std::io::Write as _;

use partywall_tenancy::BrokerAddresses;

use crate::kafka::session::Address;

/// Nothing that names a broker, or a port, of which there is none.
pub(super) fn check(brokers: &BrokerAddresses) -> Result<(), String> {
    match brokers {
        BrokerAddresses::AsTheyAre => Ok(()),
        BrokerAddresses::Listed(listed) => match listed.iter().find(|(id, host, _)| *id < 0 || !is_host(host)) {
            Some((id, host, _)) => Err(format!("broker {id} at `{}`: no such address", host.escape_debug())),
            None if listed.iter().zip(listed.iter().skip(1)).any(|((one, ..), (other, ..))| one >= other) => {
                Err("brokers are listed by id, each once".to_owned())
            }
            None => Ok(()),
        },
        BrokerAddresses::ByPort { host, first, most } => match first.checked_add(*most) {
            Some(_) if is_host(host) => Ok(()),
            Some(_) => Err(format!("brokers at `{}`: no such host", host.escape_debug())),
            None => Err(format!("brokers from port {first} on: {most} more are beyond 65535")),
        },
        BrokerAddresses::Sni { head, tail, .. } => {
            let host = [head, "0", tail].concat();
            if is_host(&host) { Ok(()) } else { Err(format!("brokers at `{}`: no such host", host.escape_debug())) }
        }
    }
}

/// The address of `broker`; its host is appended where it is another than the broker says.
pub(super) fn address(brokers: &BrokerAddresses, broker: i32, host: &mut Vec<u8>) -> Address {
    match brokers {
        BrokerAddresses::AsTheyAre => Address::Keep,
        BrokerAddresses::Listed(listed) => {
            let found = listed.binary_search_by_key(&broker, |(id, ..)| *id).ok().and_then(|at| listed.get(at));
            let Some((_, at, port)) = found else { return Address::Hide };
            host.extend_from_slice(at.as_bytes());
            Address::At(*port)
        }
        BrokerAddresses::ByPort { host: at, first, most } => {
            let port = u16::try_from(broker).ok().filter(|id| id <= most).and_then(|id| first.checked_add(id));
            let Some(port) = port else { return Address::Hide };
            host.extend_from_slice(at.as_bytes());
            Address::At(port)
        }
        BrokerAddresses::Sni { head, tail, port } => {
            if broker < 0 {
                return Address::Hide;
            }
            // Into memory: it cannot fail.
            let _ = write!(host, "{head}{broker}{tail}");
            Address::At(*port)
        }
    }
}

/// A name or address that stands in a response: the shapes are the mesh's business, what ends a string is not.
fn is_host(host: &str) -> bool {
    (1..=255).contains(&host.len()) && host.bytes().all(|byte| byte.is_ascii_graphic())
}
