//! One file per verb: arguments, what it does, what it prints.

pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod decide;
pub(crate) mod explain;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod prove;
pub(crate) mod revoke;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod tenant;
pub(crate) mod test;
