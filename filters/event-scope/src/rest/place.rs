//! Where things are found: URLs and resource names, as a server writes them, for the tenant.

use super::Version;
use super::path::{self, Base, encode, number};
use crate::kafka::session::{Kind, World};

/// The tenant's form of a URL: at the address by which the client called, with names mapped back.
pub(super) fn url(version: Version, url: &[u8], base: &Base, world: &dyn World) -> Option<String> {
    let url = str::from_utf8(url).ok()?;
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let path = rest.get(rest.find('/')?..)?;
    let mut out = base.as_str().to_owned();
    path::outward(version, path, world, &mut out)?;
    Some(out)
}

/// The tenant's form of a resource name, as `crn:///kafka=1/topic=orders/partition=0`.
pub(super) fn crn(name: &[u8], world: &dyn World) -> Option<String> {
    let rest = str::from_utf8(name).ok()?.strip_prefix("crn://")?;
    let slash = rest.find('/')?;
    let (_, path) = rest.split_at_checked(slash)?;
    let mut out = String::from("crn://");
    let mut topic: Option<Vec<u8>> = None;
    for segment in path.strip_prefix('/')?.split('/') {
        let (kind, value) = segment.split_once('=')?;
        let value = path::segments(&["/", value].concat())?.pop()?;
        let mut mapped = Vec::new();
        match kind {
            "topic" => {
                if !world.outward(Kind::Topic, &value, &mut mapped) {
                    return None;
                }
                topic = Some(value);
            }
            "consumer-group" => {
                if !world.outward(Kind::Group, &value, &mut mapped) {
                    return None;
                }
            }
            "partition" => {
                let number = world.partition_outward(topic.as_deref()?, number(&value)?)?;
                mapped = number.to_string().into_bytes();
            }
            // Members and assignments are of the group before them.
            "kafka" | "config" | "replica" | "consumer" | "assignment" | "lag" => mapped = value,
            _ => return None,
        }
        out.push('/');
        out.push_str(kind);
        out.push('=');
        encode(&mapped, &mut out);
    }
    Some(out)
}
