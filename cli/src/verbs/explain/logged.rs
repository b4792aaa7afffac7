//! `--log`: a request as an access log recorded it.

use std::path::Path;

use partywall_authorization::RouteSays;
use partywall_tenancy::{Mode, NameSet, SpiffeId};

use crate::exit::Failure;
use crate::material::Material;
use crate::prints::{Prints, keys};
use crate::recorded::{Log, Record, read};
use crate::rehearsal::Ask;
use crate::replay::Judge;

/// The decision that `line` tells of, or the first that standard input does where it is `-`; and the request, as far as
/// the log holds it. Who and what no policy names goes by its fingerprint.
pub(super) fn ask(line: &str, directory: &Path, key: Option<&Path>) -> Result<(Record, Ask), Failure> {
    let record = if line == "-" { from_input()? } else { read(line.as_bytes()).map_err(no_decision)? };
    if !record.reached_authorization() {
        let why = record.outcome();
        return Err(Failure::invalid(format!(
            "no policy was asked about this request: {why}\nhelp: `detail` in the same line says more"
        )));
    }
    let material = Material::read(directory, None)?;
    let prints = Prints::of(&keys(key)?, &[&material]);
    let request = Judge::new(&material, &material, &prints).request(&record);
    let request = request.map_err(|why| Failure::invalid(format!("the request is {why}")))?;
    let Record { service, method, roles, region, cell, .. } = record.clone();
    let ask = Ask {
        tenant: request.tenant.to_string(),
        subject: request.subject,
        roles,
        owner: None,
        service,
        method,
        path: request.path,
        headers: request.headers,
        body: request.body,
        // The log does not say who put it there. Where the directory does not, the route did.
        route: (!record.shadow.is_empty()).then_some(Mode::Shadow),
        says: RouteSays::of_words(record.route.iter().map(String::as_str)).unwrap_or_default(),
        region,
        cell: Some(cell).filter(|cell| !cell.is_empty()),
        time: Some(record.time),
        caller: SpiffeId::parse(&record.caller).ok(),
        networks: NameSet::new(&record.networks).unwrap_or_default(),
        scopes: record.scopes.clone(),
    };
    Ok((record, ask))
}

fn from_input() -> Result<Record, Failure> {
    let mut log = Log::open(Path::new("-"))?;
    let mut first = None;
    while let Some((_, read)) = log.next()? {
        match read {
            Ok(record) => return Ok(record),
            Err(why) => first = first.or(Some(why)),
        }
    }
    Err(first.map_or_else(|| Failure::invalid("standard input holds no line"), no_decision))
}

fn no_decision(why: crate::recorded::Skip) -> Failure {
    Failure::invalid(format!(
        "a line {why}\nhelp: give a whole line of an access log, as `--log \"$(grep REQUEST_ID access.log)\"`, or `--log -`"
    ))
}
