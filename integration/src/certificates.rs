//! One certificate authority and a SPIFFE certificate for each workload.

use std::fs;
use std::path::Path;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A workload of the sample mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// The gateway at the edge.
    Edge,
    /// `invoices`.
    Invoices,
    /// `orders`.
    Orders,
    /// `reports`, which no service lists as a caller.
    Reports,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Edge, Self::Invoices, Self::Orders, Self::Reports];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Invoices => "invoices",
            Self::Orders => "orders",
            Self::Reports => "reports",
        }
    }

    /// Its SPIFFE ID.
    pub fn spiffe_id(self) -> &'static str {
        match self {
            Self::Edge => "spiffe://mesh.example/ns/edge/sa/gateway",
            Self::Invoices => "spiffe://mesh.example/ns/shop/sa/invoices",
            Self::Orders => "spiffe://mesh.example/ns/shop/sa/orders",
            Self::Reports => "spiffe://mesh.example/ns/shop/sa/reports",
        }
    }
}

/// A certificate with its private key.
pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Identity {
    /// As rustls takes it.
    pub fn for_rustls(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.certificate.der().clone()], key.into())
    }
}

/// The authority with everything it issued.
pub struct Certificates {
    authority: rcgen::Certificate,
    issued: Vec<(Workload, Identity)>,
}

impl Certificates {
    /// Makes the authority and a certificate for each workload.
    pub fn make() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Partywall sample mesh");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        let issued = Workload::ALL.into_iter().map(|w| Ok((w, issue(w.spiffe_id(), &issuer)?)));
        Ok(Self { issued: issued.collect::<Result<_>>()?, authority })
    }

    /// The certificate of `workload`.
    pub fn of(&self, workload: Workload) -> &Identity {
        let found = self.issued.iter().find(|(w, _)| *w == workload);
        &found.expect("each workload got one").1
    }

    /// Writes `ca.pem` and, per workload, `<name>.pem` and `<name>.key`.
    pub fn write(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("ca.pem"), self.authority.pem())?;
        for (workload, identity) in &self.issued {
            fs::write(directory.join(format!("{}.pem", workload.name())), identity.certificate.pem())?;
            fs::write(directory.join(format!("{}.key", workload.name())), identity.key.serialize_pem())?;
        }
        Ok(())
    }
}

/// X.509-SVID: one URI and no other name, not an authority, for both sides of TLS.
fn issue(spiffe_id: &str, issuer: &Issuer<'_, KeyPair>) -> Result<Identity> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(spiffe_id.try_into()?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    Ok(Identity { certificate: params.signed_by(&key, issuer)?, key })
}
