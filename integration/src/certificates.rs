//! One certificate authority and a SPIFFE certificate for each workload.

use std::fs;
use std::path::Path;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::raw::Chain;

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
    /// A certificate with these names that this identity signed itself, as if it were an authority; shown
    /// together with its own.
    pub fn signs(&self, names: Vec<SanType>) -> Result<Chain> {
        // All that an issuer tells of itself in what it signs is its name, which is empty, and its key.
        let own = leaf(Vec::new());
        let key = KeyPair::generate()?;
        let certificate = leaf(names).signed_by(&key, &Issuer::from_params(&own, &self.key))?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((vec![certificate.der().clone(), self.certificate.der().clone()], key.into()))
    }

    /// Certificate and key, as PEM.
    pub fn pem(&self) -> (String, String) {
        (self.certificate.pem(), self.key.serialize_pem())
    }

    /// As rustls takes it.
    pub fn for_rustls(&self) -> Chain {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.certificate.der().clone()], key.into())
    }
}

/// The authority with everything it issued.
pub struct Certificates {
    authority: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
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
        let issue = |w: Workload| Ok((w, issue(vec![uri(w.spiffe_id())?], &issuer)?));
        let issued = Workload::ALL.into_iter().map(issue).collect::<Result<_>>()?;
        Ok(Self { authority, issuer, issued })
    }

    /// A certificate with these names, whatever they are: what an authority that looks at nothing would sign.
    pub fn issue(&self, names: Vec<SanType>) -> Result<Identity> {
        issue(names, &self.issuer)
    }

    /// The same for a certificate that says more than names.
    pub fn sign(&self, params: CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate()?;
        Ok(Identity { certificate: params.signed_by(&key, &self.issuer)?, key })
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

/// A URI as a name in a certificate.
pub fn uri(uri: &str) -> Result<SanType> {
    Ok(SanType::URI(uri.try_into()?))
}

/// An X.509-SVID where `names` is one URI: not an authority, for both sides of TLS.
fn issue(names: Vec<SanType>, issuer: &Issuer<'_, KeyPair>) -> Result<Identity> {
    let key = KeyPair::generate()?;
    Ok(Identity { certificate: leaf(names).signed_by(&key, issuer)?, key })
}

/// What a certificate of a workload says.
pub fn leaf(names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = names;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}
