//! Our own certificate authority, and the server's certificate, made anew at each start.

use super::Identity;
use crate::key_files::{read_or_make, write_private};
use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use time::{Duration, OffsetDateTime};

const NAME: &str = "Longshore CA";
/// A host whose clock lags a little must believe a fresh certificate.
const CLOCK_SLACK: Duration = Duration::days(1);
/// The longest that every client takes; the server makes a new one at each start.
const CERTIFICATE_LIFETIME: Duration = Duration::days(820);

/// A certificate for these names; the first is the one to be told to clients.
pub(super) fn identity(keys_dir: &Path, names: &[String]) -> anyhow::Result<Identity> {
    let key_file = keys_dir.join("ca-key.pem");
    let key = read_or_make(&key_file, || Ok(KeyPair::generate()?.serialize_pem()))?;
    let key = KeyPair::from_pem(&key).with_context(|| key_file.display().to_string())?;
    let anchor_file = keys_dir.join("ca.pem");
    let anchor_pem = match std::fs::read_to_string(&anchor_file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = authority().self_signed(&key)?.pem();
            write_private(&anchor_file, &text, 0o644)?;
            text
        }
        Err(error) => return Err(error).context(anchor_file.display().to_string()),
    };
    let anchor = CertificateDer::from_pem_slice(anchor_pem.as_bytes())
        .with_context(|| anchor_file.display().to_string())?;
    let own_key = KeyPair::generate()?;
    let own = server(names)?.signed_by(&own_key, &Issuer::new(authority(), key))?;
    Ok(Identity {
        chain: vec![own.der().clone(), anchor],
        key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own_key.serialize_der())),
        anchor_file,
        anchor_pem,
        host: names.first().cloned().unwrap_or_default(),
    })
}

/// Without end, since every host of this Longshore holds on to it.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(9999, 12, 31);
    params
}

fn server(names: &[String]) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)
        .with_context(|| format!("names of the certificate: {}", names.join(", ")))?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "longshore");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SLACK;
    params.not_after = now + CERTIFICATE_LIFETIME;
    Ok(params)
}
