//! Signatures of issuers: natively by the host where it can, in pure Rust where it cannot.

use std::borrow::Cow;

use partywall_tenancy::KeyAlgorithm;
use partywall_tenant_context::jwt::{PureRust, SignatureVerifier, signature_to_der};

use crate::host;
use crate::protobuf::write_field;

pub(crate) struct HostVerifier;

impl SignatureVerifier for HostVerifier {
    fn verify(&self, algorithm: KeyAlgorithm, spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
        natively(algorithm, spki, message, signature)
            .unwrap_or_else(|| PureRust.verify(algorithm, spki, message, signature))
    }
}

/// The host's answer; `None` when it has no `verify_signature`.
fn natively(algorithm: KeyAlgorithm, spki: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let signature = match algorithm {
        KeyAlgorithm::Rs256 => Cow::Borrowed(signature),
        KeyAlgorithm::Es256 => match signature_to_der(signature) {
            Some(der) => Cow::Owned(der),
            None => return Some(false),
        },
    };
    // envoy.source.extensions.common.wasm.VerifySignatureArguments
    let mut argument = Vec::with_capacity(32 + spki.len() + message.len() + signature.len());
    write_field(&mut argument, 1, b"sha256");
    write_field(&mut argument, 2, spki);
    write_field(&mut argument, 3, &signature);
    write_field(&mut argument, 4, message);
    // VerifySignatureResult { bool result = 1; string error = 2; }. The host answers OK for a bad
    // signature and for garbage keys too: only `result == true`, the bytes 08 01, is a yes.
    Some(host::foreign("verify_signature", &argument)?.starts_with(&[0x08, 0x01]))
}
