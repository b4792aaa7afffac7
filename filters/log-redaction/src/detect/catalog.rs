//! What is detected without being told: every detector's name, what it finds and by which source.
//!
//! National ids and providers' keys have tables of their own; this one lists the rest and joins them.

use super::DetectorId;
use super::{ids, keys};

/// One detector, as the documentation lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name; what stands before a `/` is its group.
    pub name: &'static str,
    /// What it finds, and by what it tells it from the rest.
    pub what: &'static str,
    /// The standard, or the vendor's documentation, that says so.
    pub source: &'static str,
    /// For a provider's key, which public rule sets have its format, or `unconfirmed`; else empty.
    pub also: &'static str,
}

macro_rules! built {
    ($($variant:ident $name:literal $what:literal $source:literal;)*) => {
        /// Detectors with code of their own.
        #[derive(Clone, Copy)]
        #[repr(u16)]
        pub(super) enum Built { $($variant),* }

        const BUILT: &[About] = &[$(About { name: $name, what: $what, source: $source, also: "" }),*];
    };
}

built! {
    Email "email" "an address of mail; its host has a top-level domain, no file's ending and no scope of npm" "RFC 5321, RFC 5322, RFC 6531";
    Phone "phone" "E.164 by the country's code and length; national numbers by shape, or by a word beside it or the field's name" "ITU-T E.164, national numbering plans";
    Card "card" "a payment card: issuer's range, its lengths, Luhn, digits in a row or in an issuer's groups" "ISO/IEC 7812-1, the issuers' ranges";
    Iban "iban" "an account: the country's length, mod 97, with or without spaces" "ISO 13616, SWIFT IBAN registry";
    Ipv4 "ipv4" "four octets; no version, no part of more numbers" "RFC 791, RFC 6943";
    Ipv6 "ipv6" "eight groups, or fewer around `::`; no clock time, no C++ scope" "RFC 4291, RFC 5952";
    Mac "mac" "six octets by `:` or `-`, or three groups by `.`" "IEEE 802";
    Jwt "jwt" "a JSON Web Token, signed or encrypted: its header decodes to JSON with `alg`" "RFC 7519, RFC 7515, RFC 7516";
    PrivateKey "private_key" "a PEM block of a private key, its lines apart or joined by \\n" "RFC 7468, RFC 1421, OpenSSH PROTOCOL.key";
    Basic "http_basic" "what `Basic` is followed by, if it decodes to a name, `:` and a password" "RFC 7617";
    Bearer "http_bearer" "what `Bearer` is followed by" "RFC 6750";
    Userinfo "url_userinfo" "name and password before the `@` of a URL" "RFC 3986";
    Database "database_url" "name and password in the URL or DSN of a database or broker" "PostgreSQL libpq, MongoDB, Redis, AMQP and go-sql-driver URIs";
    Signature "signed_query" "the value of a parameter that signs a URL or says by whom" "AWS SigV4, Google Cloud V4 signing, Azure SAS; OpenTelemetry `url.query`";
    Password "password" "what a field holds that is called after a password, a secret or a token" "OWASP Logging Cheat Sheet";
    Bitcoin "crypto/bitcoin" "an address of Bitcoin or Litecoin: Base58Check or Bech32 with its checksum" "BIP 13, BIP 173, BIP 350";
    Ethereum "crypto/ethereum" "an address of Ethereum; letters of both cases keep EIP-55" "EIP-55";
    Coordinates "coordinates" "latitude and longitude: a pair with five decimals, fewer with a word or a field's name" "ISO 6709, RFC 7946";
    Unscanned "unscanned" "a text that could not be looked through" "this project";
}

/// How many detectors have code of their own.
pub(super) fn built() -> usize {
    BUILT.len()
}

impl Built {
    pub(super) fn id(self) -> DetectorId {
        DetectorId(self as u16)
    }
}

/// Every detector that there is without custom ones, in the order of their ids.
pub fn catalog() -> Vec<About> {
    let mut all = BUILT.to_vec();
    all.extend(ids::about());
    all.extend(keys::about());
    all
}
