//! One file per verb: arguments, what it does, what it prints.

pub(crate) mod approve;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod consent;
pub(crate) mod decide;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod grant;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod lineage;
pub(crate) mod promote;
pub(crate) mod prove;
pub(crate) mod replay;
pub(crate) mod review;
pub(crate) mod revoke;
pub(crate) mod rollback;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod tenant;
pub(crate) mod test;
pub(crate) mod who;
