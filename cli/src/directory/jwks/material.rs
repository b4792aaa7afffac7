//! The numbers of a JWK as SubjectPublicKeyInfo.

use partywall_tenancy::KeyAlgorithm;
use partywall_tenancy::statement::TrustedKey;

use super::{Jwk, error};
use crate::diagnostic::Diagnostic;
use crate::directory::public_key::{self, Curve};

/// The public key of `jwk`, which is for `algorithm`.
pub(super) fn spki(jwk: &Jwk<'_, '_>, algorithm: KeyAlgorithm) -> Result<Vec<u8>, Box<Diagnostic>> {
    match algorithm {
        KeyAlgorithm::Rs256 | KeyAlgorithm::Rs384 | KeyAlgorithm::Rs512 | KeyAlgorithm::Ps256 => jwk.rsa(),
        KeyAlgorithm::Es256 => jwk.ec(algorithm, Curve::P256),
        KeyAlgorithm::Es384 => jwk.ec(algorithm, Curve::P384),
        KeyAlgorithm::EdDsa => jwk.ed25519(),
        // Never published: such a key was refused before.
        KeyAlgorithm::Hs256 => Ok(Vec::new()),
    }
}

impl Jwk<'_, '_> {
    /// SubjectPublicKeyInfo of an RSA key (RFC 7518, section 6.3.1; RFC 8017, appendix A.1.1).
    fn rsa(&self) -> Result<Vec<u8>, Box<Diagnostic>> {
        let modulus = self.number("n", "the modulus, in base64url")?;
        let exponent = self.number("e", "the exponent, in base64url: `AQAB`")?;
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |b| b.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) {
            let message = format!("this RSA key has {bits} bits; 2048 to 8192 are accepted");
            return Err(error(self.at_of("n"), message, "let the issuer make a key of 3072 bits, and revoke this one"));
        }
        if modulus.last().is_none_or(|b| b % 2 == 0) {
            return Err(error(
                self.at_of("n"),
                "this is no RSA modulus: it is even",
                "copy the key from its issuer again",
            ));
        }
        if exponent != [1, 0, 1] {
            let message = "this RSA key has an exponent other than 65537";
            return Err(error(self.at_of("e"), message, "let the issuer make a key with `\"e\": \"AQAB\"`"));
        }
        public_key::rsa(&modulus, &exponent).map_err(|e| self.unwritable(&e))
    }

    /// SubjectPublicKeyInfo of a key on `curve` (RFC 7518, section 6.2.1; RFC 5480, section 2).
    fn ec(&self, algorithm: KeyAlgorithm, curve: Curve) -> Result<Vec<u8>, Box<Diagnostic>> {
        self.of_curve(algorithm, curve.name())?;
        let (x, y) = (self.coordinate("x", curve)?, self.coordinate("y", curve)?);
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        if !curve.holds(&point) {
            let message = format!("this point does not lie on the curve `{}`", curve.name());
            return Err(error(self.at, message, "copy the key from its issuer again"));
        }
        public_key::ec(curve, &point).map_err(|e| self.unwritable(&e))
    }

    /// SubjectPublicKeyInfo of an Ed25519 key (RFC 8037, section 2; RFC 8410, section 4).
    fn ed25519(&self) -> Result<Vec<u8>, Box<Diagnostic>> {
        self.of_curve(KeyAlgorithm::EdDsa, "Ed25519")?;
        let point = self.base64url("x", "the public key, in base64url")?;
        // Judged by the very code that judges the keys of statements: a weak key fits any message.
        let good = <[u8; 32]>::try_from(point.as_slice()).ok().and_then(|bytes| TrustedKey::new("x", &bytes));
        if good.is_none() {
            let message = "`x` is no usable Ed25519 public key of 32 bytes";
            return Err(error(self.at_of("x"), message, "copy the key from its issuer again"));
        }
        public_key::ed25519(&point).map_err(|e| self.unwritable(&e))
    }

    fn of_curve(&self, algorithm: KeyAlgorithm, needed: &str) -> Result<(), Box<Diagnostic>> {
        let curve = self.text("crv", &format!("`{needed}`"))?;
        if curve == needed {
            return Ok(());
        }
        let message = format!("`alg` `{}` needs the curve `{needed}`, this is `{curve}`", algorithm.name());
        Err(error(self.at_of("crv"), message, "let the issuer make a key of that curve"))
    }

    fn coordinate(&self, name: &str, curve: Curve) -> Result<Vec<u8>, Box<Diagnostic>> {
        let bytes = self.base64url(name, "a coordinate of the point, in base64url")?;
        if bytes.len() == curve.size() {
            return Ok(bytes);
        }
        let message =
            format!("`{name}` has {} bytes; a coordinate of `{}` has {}", bytes.len(), curve.name(), curve.size());
        Err(error(self.at_of(name), message, "write leading zeros, too (RFC 7518, section 6.2.1.2)"))
    }

    /// A number in big-endian bytes, without leading zeros.
    fn number(&self, name: &str, what: &str) -> Result<Vec<u8>, Box<Diagnostic>> {
        let bytes = self.base64url(name, what)?;
        Ok(bytes.into_iter().skip_while(|b| *b == 0).collect())
    }

    fn unwritable(&self, why: &spki::Error) -> Box<Diagnostic> {
        error(self.at, format!("this key cannot be written as DER: {why}"), "copy it from its issuer again")
    }
}
