//! What tenants may ask of a broker: each API of the table stands in one of these lists, and one that does not is
//! neither offered nor passed on.

mod groups;
mod operators;
mod records;
mod topics;
mod transactions;

use super::code;
use super::peers::Action;

/// What is done with an API.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its key.
    pub(super) api: i16,
    /// The last version that tenants are offered.
    pub(super) last: i16,
    /// The first one.
    pub(super) first: i16,
    pub(super) with: With,
    /// What is done to the topics that it names.
    pub(super) action: Action,
    /// The error where all of it is denied.
    pub(super) code: i16,
    /// Whether it is of a protocol of groups in which the broker assigns partitions.
    pub(super) assigns: bool,
}

/// How a request is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// Names are mapped. What is denied is taken out, and its answers are put into the response.
    Parts,
    /// Names are mapped. Where one is denied, all of it is.
    Whole,
    /// Names of topics are mapped, and left out where the tenant has no such: members of a group tell them each other.
    Told,
    /// It is denied.
    Denied,
    /// It is neither offered nor answered with anything but UNSUPPORTED_VERSION.
    Hidden,
}

const ALL: i16 = i16::MAX;

const fn rule(api: i16, with: With, action: Action, code: i16) -> Rule {
    Rule { api, first: 0, last: ALL, with, action, code, assigns: false }
}

/// Names are mapped; what is denied of the topics is taken out.
const fn topics(api: i16, action: Action) -> Rule {
    rule(api, With::Parts, action, code::TOPIC_DENIED)
}

/// As [`topics()`], in a group.
const fn group(api: i16, with: With) -> Rule {
    rule(api, with, Action::Consume, code::GROUP_DENIED)
}

/// As [`topics()`], in a transaction.
const fn transaction(api: i16, with: With, action: Action) -> Rule {
    rule(api, with, action, code::TRANSACTION_DENIED)
}

/// What only those who run the broker may do.
const fn operators(api: i16) -> Rule {
    rule(api, With::Denied, Action::Alter, code::CLUSTER_DENIED)
}

const fn hidden(api: i16) -> Rule {
    rule(api, With::Hidden, Action::Describe, code::UNSUPPORTED_VERSION)
}

impl Rule {
    const fn from(mut self, first: i16) -> Self {
        self.first = first;
        self
    }

    const fn up_to(mut self, last: i16) -> Self {
        self.last = last;
        self
    }

    const fn assigning(mut self) -> Self {
        self.assigns = true;
        self
    }

    /// Whether tenants are offered this API at all.
    pub(super) fn is_offered(&self, classic_only: bool) -> bool {
        self.with != With::Hidden && !(classic_only && self.assigns)
    }

    /// Whether they are offered this version.
    pub(super) fn offers(&self, version: i16, classic_only: bool) -> bool {
        self.is_offered(classic_only) && (self.first..=self.last).contains(&version)
    }
}

/// The rule of this API.
pub(super) fn of(api: i16) -> Option<&'static Rule> {
    let lists = [records::RULES, topics::RULES, groups::RULES, transactions::RULES, operators::RULES];
    lists.into_iter().flatten().find(|rule| rule.api == api)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::codec::Api;

    #[test]
    fn each_api_of_the_table_has_one_rule() {
        let lists = [records::RULES, topics::RULES, groups::RULES, transactions::RULES, operators::RULES];
        for api in Api::all() {
            let rules = lists.into_iter().flatten().filter(|rule| rule.api == api.key()).count();
            assert_eq!(rules, 1, "{}", api.name());
        }
        let rules = lists.into_iter().flatten().count();
        assert_eq!(rules, Api::all().len(), "a rule for nothing");
    }
}
