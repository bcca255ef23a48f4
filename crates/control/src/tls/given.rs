//! A certificate that the operator names.

use super::Identity;
use crate::key_files::write_private;
use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::path::Path;
use webpki::EndEntityCert;

/// The chain and its key, with the last certificate as anchor, copied beside the keys.
pub(super) fn identity(
    certificate: &Path,
    key: &Path,
    listen: SocketAddr,
    keys_dir: &Path,
) -> anyhow::Result<Identity> {
    let in_file = || certificate.display().to_string();
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(in_file)?;
    let own = chain
        .first()
        .with_context(|| format!("{}: no certificate in it", in_file()))?;
    let host = host(own, listen).with_context(in_file)?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| key.display().to_string())?;
    let text = std::fs::read_to_string(certificate).with_context(in_file)?;
    let start = text.rfind("-----BEGIN CERTIFICATE-----").unwrap_or(0);
    let anchor_pem = text[start..].to_owned();
    let anchor_file = keys_dir.join("anchor.pem");
    write_private(&anchor_file, &anchor_pem, 0o644)?;
    Ok(Identity {
        chain,
        key,
        anchor_file,
        anchor_pem,
        host,
    })
}

/// The address it listens at, where the certificate is for that; else its first name.
fn host(certificate: &CertificateDer<'_>, listen: SocketAddr) -> anyhow::Result<String> {
    let parsed = EndEntityCert::try_from(certificate)?;
    let address = ServerName::from(listen.ip());
    if parsed.verify_is_valid_for_subject_name(&address).is_ok() {
        return Ok(listen.ip().to_string());
    }
    let mut names = parsed.valid_dns_names();
    let name = names.find(|name| !name.starts_with('*'));
    Ok(name
        .with_context(|| {
            format!(
                "the certificate is neither for {} nor for a name",
                listen.ip()
            )
        })?
        .to_owned())
}
