//! Private keys by name, and what is made with them.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::Mac as _;
use partywall_tenancy::{KeyAlgorithm, Secrets, keyed};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Always the same key: a case takes the same branches each time, and making one takes longer than the case.
static RSA: LazyLock<rsa::PrivateKey> = LazyLock::new(|| {
    let prime = |hex: &str| rsa::BoxedUint::from_be_hex(hex, 1024).unwrap();
    rsa::PrivateKey::from_p_q(prime(P), prime(Q), 65_537_u64.into()).unwrap()
});
const P: &str = "\
    fa3e4906de329d100d9c97ce62a0c41080112c2ed2f4b73ccbc68e3126acaf295c0a3f7a401c1d300459e3\
    d097f41f2d40ddd65067a0a8e6793f12f5e84c410c02e20d3b747f0e597295ef51e4713b4fcc1d060aa696\
    a61bf367caf36eb6568f5873036bef4a148ae2d4ab7a5b8b1596fb0fc31f854de19330cf7fa98b997777";
const Q: &str = "\
    f71fa5872da1e81d87bc261129096dba71aae744ef18528872b0da78105dc5f04296a83ef61f277d5ffc43\
    40a868e3d21d491552c275bea7f8db99908e816dd27a1fc44402372754bee0a8458447bbb6d9bc58c2d493\
    d5dc075a45f088f9094fec874c1fd4971d0f57b498d8129ebdaf8e402260d88394da4246329a4202fddf";

pub(crate) fn algorithm(name: &str) -> KeyAlgorithm {
    KeyAlgorithm::from_name(name).unwrap_or_else(|| panic!("{name} is no algorithm"))
}

fn seed(name: &str) -> [u8; 32] {
    Sha256::digest(name).into()
}

pub(crate) fn ed25519(name: &str) -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&seed(name))
}

fn p256(name: &str) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&seed(name)).unwrap()
}

fn p384(name: &str) -> p384::ecdsa::SigningKey {
    // Half zeros in front keep it below the order of the group.
    p384::ecdsa::SigningKey::from_slice(&[&[0; 16], seed(name).as_slice()].concat()).unwrap()
}

/// 32 bytes that are no point of Curve25519.
pub(crate) fn no_point() -> [u8; 32] {
    (0..=255)
        .map(|n| [n; 32])
        .find(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_err())
        .expect("half of all bytes are none")
}

/// The secrets with these ids.
pub(crate) fn secrets(ids: &[&str]) -> Secrets {
    let one = |id: &&str| format!("{id}:{}", BASE64_URL_SAFE_NO_PAD.encode(seed(id)));
    Secrets::parse(&ids.iter().map(one).collect::<Vec<_>>().join(",")).unwrap()
}

/// The public key called `name`, as a bundle holds it.
pub(crate) fn spki(name: &str, algorithm: KeyAlgorithm) -> Vec<u8> {
    const ED25519: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
    const P384: &[u8] = b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
    match algorithm {
        KeyAlgorithm::Rs256 | KeyAlgorithm::Rs384 | KeyAlgorithm::Rs512 | KeyAlgorithm::Ps256 => {
            use rsa::pkcs8::EncodePublicKey as _;
            RSA.to_public_key().to_public_key_der().unwrap().into_vec()
        }
        KeyAlgorithm::Es256 => {
            use p256::pkcs8::EncodePublicKey as _;
            p256(name).verifying_key().to_public_key_der().unwrap().into_vec()
        }
        KeyAlgorithm::Es384 => [P384, p384(name).verifying_key().to_sec1_point(false).as_bytes()].concat(),
        KeyAlgorithm::EdDsa => [ED25519, ed25519(name).verifying_key().as_bytes()].concat(),
        KeyAlgorithm::Hs256 => Vec::new(),
    }
}

/// The signature of the key called `name`.
pub(crate) fn sign(name: &str, algorithm: KeyAlgorithm, message: &[u8]) -> Vec<u8> {
    use rsa::pkcs1v15::SigningKey;
    match algorithm {
        KeyAlgorithm::Rs256 => SigningKey::<Sha256>::new(RSA.clone()).sign(message).to_vec(),
        KeyAlgorithm::Rs384 => SigningKey::<Sha384>::new(RSA.clone()).sign(message).to_vec(),
        KeyAlgorithm::Rs512 => SigningKey::<Sha512>::new(RSA.clone()).sign(message).to_vec(),
        KeyAlgorithm::Ps256 => rsa::pss::SigningKey::<Sha256>::new(RSA.clone()).sign(message).to_vec(),
        KeyAlgorithm::Es256 => {
            let signature: p256::ecdsa::Signature = p256(name).sign(message);
            signature.to_bytes().to_vec()
        }
        KeyAlgorithm::Es384 => {
            let signature: p384::ecdsa::Signature = p384(name).sign(message);
            signature.to_bytes().to_vec()
        }
        KeyAlgorithm::EdDsa => ed25519(name).sign(message).to_bytes().to_vec(),
        KeyAlgorithm::Hs256 => hmac(&seed(name), message),
    }
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    keyed(key).chain_update(message).finalize().into_bytes().to_vec()
}
