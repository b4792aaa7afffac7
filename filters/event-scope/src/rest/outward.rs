//! What a server answers: names become the tenant's, and what is not the tenant's is left out.

use super::path::Base;
use super::table::{Mark, Route};
use super::{Decision, Peers, Refused, Version, place};
use crate::kafka::session::Kind;
use partywall_json::{Edit, Rest, Verdict, write};

/// Stands in place of what a server says, which may name what is others'.
const MESSAGE: &[u8] = b"the request failed: see `error_code`";

/// Goes through the body of a response.
pub(super) struct Outward<'e> {
    pub(super) peers: &'e Peers<'e>,
    pub(super) version: Version,
    pub(super) route: &'static Route,
    /// The broker's name of the topic in the path,
    pub(super) path: Option<&'e [u8]>,
    /// and of those in the objects around, the innermost last.
    pub(super) led: Vec<Option<Vec<u8>>>,
    pub(super) base: &'e Base,
    pub(super) decisions: &'e mut Vec<Decision>,
    /// The most decisions that are told.
    pub(super) most: usize,
}

impl Outward<'_> {
    fn topic(&self) -> Option<&[u8]> {
        match self.led.last() {
            Some(led) => led.as_deref(),
            None => self.path,
        }
    }

    /// Whether a topic of the broker may be listed.
    fn lists(&mut self, topic: &[u8]) -> bool {
        let Some(action) = self.route.listed else { return true };
        if !action.is_within(self.peers.world.access(topic)) {
            return false;
        }
        // Of the many records of a topic in one piece one is told.
        if let Some(known) = self.decisions.iter().find(|one| one.action == action && &*one.topic == topic) {
            return known.allow;
        }
        let ruling = self.peers.decide.decide(self.peers.world, action, topic);
        if self.decisions.len() < self.most {
            let (topic, allow, reason) = (topic.into(), ruling.allow, ruling.reason);
            self.decisions.push(Decision { action, topic, allow, reason });
        }
        ruling.allow
    }
}

impl Edit<Mark> for Outward<'_> {
    type Error = Refused;

    const LEAVES_OUT: bool = true;

    fn leads(mark: &Mark) -> bool {
        *mark == Mark::Topic
    }

    fn lead(&mut self, _: &Mark, value: Option<Rest<'_>>) {
        self.led.push(match value {
            Some(Rest::Text(name)) => Some(name.to_vec()),
            Some(Rest::Other(_)) => None,
            None => self.path.map(<[u8]>::to_vec),
        });
    }

    fn leave(&mut self) {
        self.led.pop();
    }

    fn marked(&mut self, mark: &Mark, value: Rest<'_>, out: &mut Vec<u8>) -> Verdict<Refused> {
        let world = self.peers.world;
        let mut name = Vec::new();
        match (mark, value) {
            (Mark::Topic, Rest::Text(topic)) => {
                if !self.lists(topic) || !world.outward(Kind::Topic, topic, &mut name) {
                    return Verdict::Drop;
                }
            }
            (Mark::Group, Rest::Text(group)) => {
                if !world.outward(Kind::Group, group, &mut name) {
                    return Verdict::Drop;
                }
            }
            (Mark::Partition, Rest::Other(written)) => {
                let number = super::path::number(written).zip(self.topic());
                let number = number.and_then(|(number, topic)| world.partition_outward(topic, number));
                let Some(number) = number else { return Verdict::Drop };
                out.extend(number.to_string().as_bytes());
                return Verdict::Written;
            }
            // Members of its groups call themselves what they want; by Kafka's protocol with what the world puts before.
            (Mark::Client, Rest::Text(client)) => {
                if !world.client_outward(client, &mut name) {
                    return Verdict::Keep;
                }
            }
            (Mark::BaseUri, Rest::Text(url)) => match place::url(self.version, url, self.base, world) {
                Some(url) => name = url.into_bytes(),
                None => return Verdict::Refuse(Refused::Foreign),
            },
            (Mark::Link, Rest::Text(url)) => match place::url(self.version, url, self.base, world) {
                Some(url) => name = url.into_bytes(),
                None => return Verdict::Omit,
            },
            (Mark::Crn, Rest::Text(crn)) => match place::crn(crn, world) {
                Some(crn) => name = crn.into_bytes(),
                None => return Verdict::Omit,
            },
            (Mark::Message, Rest::Text(_)) => name = MESSAGE.to_vec(),
            _ => {
                return Verdict::Refuse(Refused::Answer(
                    "a value of the response is of a kind that none may be of there",
                ));
            }
        }
        write(&name, out);
        Verdict::Written
    }

    fn nothing() -> Refused {
        Refused::Foreign
    }
}
