//! SASL on its way through a session.

use super::parts::{Caller, Nobody, Seen};
use super::peers::{Peers, Standing};
use super::pending::What;
use super::sasl::{self, Exchange, Mechanism, Shown};
use super::{Core, SASL_AUTHENTICATE, SASL_HANDSHAKE, Step, Trouble, code, rules};
use crate::kafka::codec::{self, Reach, RequestHeader, answer};

impl Core {
    pub(super) fn handshake(
        &mut self,
        frame: &[u8],
        header: RequestHeader<'_>,
        peers: &Peers<'_>,
        step: &mut Step,
    ) -> Result<(), Trouble> {
        if !matches!(self.exchange, Exchange::Idle | Exchange::Ready(_)) {
            return Err(Trouble::Sasl);
        }
        self.exchange = Exchange::Idle;
        if !rules::of(SASL_HANDSHAKE).is_some_and(|rule| rule.offers(header.version, false)) {
            return self.deny(frame, header, code::UNSUPPORTED_VERSION, Reach::Whole, step);
        }
        let mut seen = Seen::default();
        codec::request(frame, &mut seen, &mut self.scratch)?;
        let Some(mechanism) = Mechanism::of(&seen.mechanism) else {
            return self.deny(frame, header, code::UNSUPPORTED_MECHANISM, Reach::Whole, step);
        };
        let world = self.world(peers);
        let sent = codec::request(frame, &mut Caller(world.as_deref()), &mut self.scratch)?.to_vec();
        self.expect(header.correlation, What::Handshake { version: header.version, mechanism })?;
        self.exchange = Exchange::Asked;
        step.out.extend(sent);
        Ok(())
    }

    pub(super) fn authenticate(
        &mut self,
        frame: &[u8],
        header: RequestHeader<'_>,
        peers: &Peers<'_>,
        step: &mut Step,
    ) -> Result<(), Trouble> {
        let mut seen = Seen::default();
        codec::request(frame, &mut seen, &mut self.scratch)?;
        let shown = match std::mem::replace(&mut self.exchange, Exchange::Idle) {
            Exchange::Ready(mechanism) => self.shown(mechanism, &seen.auth, peers),
            Exchange::Challenged(shown) => Some(Shown { messages: shown.messages.saturating_add(1), ..shown }),
            Exchange::Idle | Exchange::Asked | Exchange::Waiting => return Err(Trouble::Sasl),
        };
        let Some(shown) = shown else { return self.disbelieve(frame, header, step) };
        let world = self.world(peers);
        let sent = codec::request(frame, &mut Caller(world.as_deref()), &mut self.scratch)?.to_vec();
        self.expect(header.correlation, What::Authenticate { version: header.version, shown })?;
        self.exchange = Exchange::Waiting;
        step.out.extend(sent);
        Ok(())
    }

    /// Whose that is, if the broker believes it: of a tenant that may go on, and of the one that the connection was.
    fn shown(&self, mechanism: Mechanism, message: &[u8], peers: &Peers<'_>) -> Option<Shown> {
        let mut user = Vec::new();
        sasl::first(mechanism, message, &mut user)?;
        let tenant = peers.identity.tenant(sasl::proof(mechanism, &user))?;
        let same = self.tenant.as_ref().is_none_or(|known| **known == *tenant);
        let active = matches!(peers.identity.standing(&tenant), Standing::Active(_));
        (same && active).then_some(Shown { mechanism, tenant, messages: 1 })
    }

    /// Within an exchange a broker answers nothing but what belongs to it: it gets something that it will not believe.
    fn disbelieve(&mut self, frame: &[u8], header: RequestHeader<'_>, step: &mut Step) -> Result<(), Trouble> {
        let mut told = Vec::new();
        answer(frame, code::SASL_FAILED, Reach::Whole, self.options.largest_answers, &mut told)?;
        let sent = codec::request(frame, &mut Nobody, &mut self.scratch)?.to_vec();
        self.expect(header.correlation, What::Replace(told))?;
        step.out.extend(sent);
        self.say_last(Trouble::Disbelieved, step);
        Ok(())
    }

    pub(super) fn shaken(
        &mut self,
        version: i16,
        mechanism: Mechanism,
        frame: &[u8],
        step: &mut Step,
    ) -> Result<(), Trouble> {
        let mut seen = Seen::default();
        codec::response(SASL_HANDSHAKE, version, frame, &mut seen, &mut self.scratch)?.append_to(&mut step.out);
        self.exchange = if seen.error == 0 { Exchange::Ready(mechanism) } else { Exchange::Idle };
        Ok(())
    }

    pub(super) fn believed(
        &mut self,
        version: i16,
        shown: Shown,
        frame: &[u8],
        step: &mut Step,
    ) -> Result<(), Trouble> {
        let mut seen = Seen::default();
        let start = step.out.len();
        codec::response(SASL_AUTHENTICATE, version, frame, &mut seen, &mut self.scratch)?.append_to(&mut step.out);
        self.exchange = if seen.error != 0 {
            Exchange::Idle
        } else if shown.is_proved_by(&seen.auth) {
            // INVARIANT: nothing else makes somebody of nobody, and nothing makes one tenant of another.
            self.tenant = Some(shown.tenant);
            self.believed = self.believed.wrapping_add(1);
            Exchange::Idle
        } else if shown.goes_on() {
            Exchange::Challenged(shown)
        } else {
            step.out.truncate(start);
            return Err(Trouble::Sasl);
        };
        Ok(())
    }
}
