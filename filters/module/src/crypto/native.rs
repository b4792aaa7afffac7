//! What the host's `verify_signature` says.

use std::borrow::Cow;

use partywall_tenancy::{IssuerKey, KeyAlgorithm};
use partywall_tenant_context::jwt::signature_to_der;

use crate::host;
use crate::protobuf::write_field;

/// The host's answer; `None` when it has no `verify_signature`, or not for this algorithm: it takes
/// a hash and a key, so it knows neither PSS nor EdDSA, and no symmetric keys.
pub(super) fn verify(key: &IssuerKey, message: &[u8], signature: &[u8]) -> Option<bool> {
    let (hash, number_size) = match key.algorithm {
        KeyAlgorithm::Rs256 => ("sha256", None),
        KeyAlgorithm::Rs384 => ("sha384", None),
        KeyAlgorithm::Rs512 => ("sha512", None),
        KeyAlgorithm::Es256 => ("sha256", Some(32)),
        KeyAlgorithm::Es384 => ("sha384", Some(48)),
        KeyAlgorithm::Ps256 | KeyAlgorithm::EdDsa | KeyAlgorithm::Hs256 => return None,
    };
    let signature = match number_size.map(|size| signature_to_der(signature, size)) {
        None => Cow::Borrowed(signature),
        Some(Some(der)) => Cow::Owned(der),
        Some(None) => return Some(false),
    };
    // envoy.source.extensions.common.wasm.VerifySignatureArguments
    let mut argument = Vec::with_capacity(32 + key.spki.len() + message.len() + signature.len());
    write_field(&mut argument, 1, hash.as_bytes());
    write_field(&mut argument, 2, &key.spki);
    write_field(&mut argument, 3, &signature);
    write_field(&mut argument, 4, message);
    // VerifySignatureResult { bool result = 1; string error = 2; }. The host answers OK for a bad
    // signature and for garbage keys too: only `result == true`, the bytes 08 01, is a yes.
    Some(host::foreign("verify_signature", &argument)?.starts_with(&[0x08, 0x01]))
}
