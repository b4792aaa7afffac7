//! ApiVersions: a client is offered what both the broker and the rules have.

use super::rules;
use crate::kafka::codec::{Api, Editor, Mark, Marks, Place, Value, Verdict};

/// A client that does not find version 0 of Produce takes the broker for an old one (KAFKA-18659); brokers that lack
/// it say it as well.
const PRODUCE: i64 = 0;
/// librdkafka sends version 1, and does so only where a broker says that it has version 0 as well, as all of Kafka's do.
/// Who sends that one is answered with error 35.
const SASL_HANDSHAKE: i64 = 17;

/// Cuts what a broker offers.
pub(super) struct Offer {
    pub(super) classic_only: bool,
}

impl Offer {
    /// The versions that tenants are offered of an API, where they are any.
    fn of(&self, api: i64) -> Option<(i64, i64)> {
        let api = Api::of(i16::try_from(api).ok()?)?;
        let rule = rules::of(api.key()).filter(|rule| rule.is_offered(self.classic_only))?;
        let versions = api.versions();
        let (first, last) = (rule.first.max(*versions.start()), rule.last.min(*versions.end()));
        (first <= last).then_some((first.into(), last.into()))
    }
}

impl Editor for Offer {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::Api, Mark::MinVersion, Mark::MaxVersion])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        let Some(number) = place.value.number() else { return Verdict::Refuse };
        if place.mark == Mark::Api {
            return if self.of(number).is_some() { Verdict::Keep } else { Verdict::Drop(1) };
        }
        let api = place.kind.and_then(Value::number).unwrap_or(-1);
        let Some((first, last)) = self.of(api) else { return Verdict::Drop(1) };
        match place.mark {
            Mark::MinVersion if number > last => Verdict::Drop(1),
            Mark::MinVersion if matches!(api, PRODUCE | SASL_HANDSHAKE) => Verdict::Number(0),
            Mark::MinVersion => Verdict::Number(number.max(first)),
            _ if number < first => Verdict::Drop(1),
            _ => Verdict::Number(number.min(last)),
        }
    }
}

/// Reads up to which version of ApiVersions a broker goes that says that it does not know the one it was asked in.
#[derive(Default)]
pub(super) struct Highest(pub(super) i16);

impl Editor for Highest {
    fn marks(&self) -> Marks {
        Marks::of(&[Mark::MaxVersion])
    }

    fn place(&mut self, place: &Place<'_>, _: &mut Vec<u8>) -> Verdict {
        if place.kind.and_then(Value::number) == Some(18) {
            self.0 = place.value.number().and_then(|number| i16::try_from(number).ok()).unwrap_or(0).clamp(0, 5);
        }
        Verdict::Keep
    }
}
