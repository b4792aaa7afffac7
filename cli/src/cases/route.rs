//! `route` of a case: what the metadata of the request's route say.

use partywall_authorization::RouteSays;
use partywall_tenancy::Mode;

use crate::directory::{Fields, Mistakes, Node, Value, choice, text};
use crate::modes::MODES;

/// A mode alone, as `route: shadow`, or all that is said, as `route: { action: "orders:report", resource: Report }`.
pub(super) fn read(node: Node<'_>, mistakes: &mut Mistakes) -> Option<(Option<Mode>, RouteSays)> {
    if !matches!(node.value, Value::Map(_)) {
        return choice(node, "`route`", MODES, mistakes).map(|mode| (Some(mode), RouteSays::default()));
    }
    let mut fields = Fields::of(node, "`route`", mistakes)?;
    let mode = fields.optional("mode").map(|node| choice(node, "`mode`", MODES, mistakes));
    let mut good = true;
    let says = RouteSays::read(|name| {
        let found = text(fields.optional(name)?, "what a route says", mistakes).map(|found| found.value);
        good &= found.is_some();
        found
    });
    fields.finish(mistakes);
    let mode = match mode {
        Some(found) => Some(found?),
        None => None,
    };
    good.then_some((mode, says))
}
