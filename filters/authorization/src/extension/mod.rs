//! Cedar's extension types, as its documentation and its interpreter have them. No value of a policy or a request
//! can be read otherwise here than there: `cli/tests` compares the two.

mod datetime;
mod decimal;
mod ip;

pub use datetime::{datetime, duration, time_of_day, to_date};
pub use decimal::decimal;
pub use ip::{Network, ip};
