//! Functions of Cedar's extensions.

use super::body::{Expression, Function};
use super::evaluate::{Evaluation, Failed, Outcome};
use crate::extension;
use crate::{Value, World};

/// Calls a function. All its arguments are evaluated, and the number of them is right, or it is an error.
pub(super) fn call<W: World>(on: &Evaluation<'_, W>, function: Function, arguments: &[Expression]) -> Outcome {
    let first = on.argument(arguments, 0)?;
    match (function, arguments.len()) {
        (
            Function::LessThan
            | Function::LessThanOrEqual
            | Function::GreaterThan
            | Function::GreaterThanOrEqual
            | Function::IsInRange
            | Function::Offset
            | Function::DurationSince,
            2,
        ) => two(function, first, on.argument(arguments, 1)?),
        (_, 1) => match first {
            Value::Text(text) => parse(function, on.text(text)?),
            value => one(function, value),
        },
        _ => Err(Failed),
    }
}

fn parse(function: Function, text: &str) -> Outcome {
    match function {
        Function::Decimal => extension::decimal(text).map(Value::Decimal),
        Function::Ip => extension::ip(text).map(Value::Ip),
        Function::Datetime => extension::datetime(text).map(Value::Datetime),
        Function::Duration => extension::duration(text).map(Value::Duration),
        _ => None,
    }
    .ok_or(Failed)
}

fn one(function: Function, value: Value) -> Outcome {
    let truth = |holds| Ok(Value::Bool(holds));
    match (function, value) {
        (Function::IsIpv4, Value::Ip(network)) => truth(!network.is_six()),
        (Function::IsIpv6, Value::Ip(network)) => truth(network.is_six()),
        (Function::IsLoopback, Value::Ip(network)) => truth(network.is_loopback()),
        (Function::IsMulticast, Value::Ip(network)) => truth(network.is_multicast()),
        (Function::ToDate, Value::Datetime(at)) => extension::to_date(at).map(Value::Datetime).ok_or(Failed),
        (Function::ToTime, Value::Datetime(at)) => Ok(Value::Duration(extension::time_of_day(at))),
        (Function::ToMilliseconds, Value::Duration(millis)) => Ok(Value::Long(millis)),
        (Function::ToSeconds, Value::Duration(millis)) => Ok(Value::Long(millis / 1000)),
        (Function::ToMinutes, Value::Duration(millis)) => Ok(Value::Long(millis / 60_000)),
        (Function::ToHours, Value::Duration(millis)) => Ok(Value::Long(millis / 3_600_000)),
        (Function::ToDays, Value::Duration(millis)) => Ok(Value::Long(millis / 86_400_000)),
        _ => Err(Failed),
    }
}

fn two(function: Function, first: Value, second: Value) -> Outcome {
    match (function, first, second) {
        (Function::LessThan, Value::Decimal(a), Value::Decimal(b)) => Ok(Value::Bool(a < b)),
        (Function::LessThanOrEqual, Value::Decimal(a), Value::Decimal(b)) => Ok(Value::Bool(a <= b)),
        (Function::GreaterThan, Value::Decimal(a), Value::Decimal(b)) => Ok(Value::Bool(a > b)),
        (Function::GreaterThanOrEqual, Value::Decimal(a), Value::Decimal(b)) => Ok(Value::Bool(a >= b)),
        (Function::IsInRange, Value::Ip(child), Value::Ip(range)) => Ok(Value::Bool(child.is_in(range))),
        (Function::Offset, Value::Datetime(at), Value::Duration(by)) => {
            at.checked_add(by).map(Value::Datetime).ok_or(Failed)
        }
        (Function::DurationSince, Value::Datetime(at), Value::Datetime(since)) => {
            at.checked_sub(since).map(Value::Duration).ok_or(Failed)
        }
        _ => Err(Failed),
    }
}
