//! TLS of the one listener: with a certificate that the operator names, or with one of our own
//! authority, which is made at first start and lies beside the keys.
//!
//! A client trusts the *anchor*: our authority's certificate, or the last of the named chain. Its
//! SHA-256 is in every join token, so that a new host knows whom to believe.
//! Rule: design, section 5, "Listening beyond loopback needs TLS".

mod authority;
mod given;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// How the API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain HTTP; on loopback only.
    Off,
    /// A certificate of our own authority, for these names and addresses besides the listener's.
    Own {
        /// DNS names or IP addresses.
        names: Vec<String>,
    },
    /// A certificate chain and its key, both PEM.
    Given {
        /// The server's own certificate first.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// What serving by TLS takes, and what clients have to know.
#[derive(Clone)]
pub struct Tls {
    /// Makes a TLS connection of an accepted one.
    pub acceptor: TlsAcceptor,
    /// PEM file with the anchor, for `AWS_CA_BUNDLE`.
    pub anchor_file: PathBuf,
    /// The anchor as PEM.
    pub anchor_pem: String,
    /// Its SHA-256, 64 hexadecimal digits.
    pub fingerprint: String,
    /// A name or address that the certificate is for.
    pub host: String,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("anchor_file", &self.anchor_file)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// A certificate chain with its key, and what vouches for it.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    anchor_file: PathBuf,
    anchor_pem: String,
    host: String,
}

/// Prepares TLS for a listener; `None` for plain HTTP.
///
/// # Errors
/// The files cannot be read, written or understood, or plain HTTP is asked for beyond loopback.
pub fn prepare(mode: &TlsMode, listen: SocketAddr, keys_dir: &Path) -> anyhow::Result<Option<Tls>> {
    let identity = match mode {
        TlsMode::Off => {
            anyhow::ensure!(
                listen.ip().is_loopback(),
                "listening at {listen}, beyond loopback, needs TLS"
            );
            return Ok(None);
        }
        TlsMode::Own { names } => authority::identity(keys_dir, &all_names(listen, names))?,
        TlsMode::Given { certificate, key } => given::identity(certificate, key, listen, keys_dir)?,
    };
    let anchor = identity.chain.last().context("no certificate")?;
    let fingerprint = fingerprint(anchor);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .context("certificate and key do not fit together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Tls {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        anchor_file: identity.anchor_file,
        anchor_pem: identity.anchor_pem,
        fingerprint,
        host: identity.host,
    }))
}

/// The first of them is the one to be told to clients on this machine.
fn all_names(listen: SocketAddr, names: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    if !listen.ip().is_unspecified() {
        all.push(listen.ip().to_string());
    }
    all.extend(["127.0.0.1".to_owned(), "localhost".to_owned()]);
    if listen.is_ipv6() {
        all.push("::1".to_owned());
    }
    for name in names {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}

/// `host` as it stands in a URL.
#[must_use]
pub fn url(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("https://[{address}]:{port}"),
        _ => format!("https://{host}:{port}"),
    }
}

/// SHA-256 of a certificate, in hexadecimal digits.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        let dir = tempfile::tempdir().unwrap();
        let beyond = "192.0.2.1:4566".parse().unwrap();
        assert!(prepare(&TlsMode::Off, beyond, dir.path()).is_err());
        let loopback = "127.0.0.1:4566".parse().unwrap();
        assert!(
            prepare(&TlsMode::Off, loopback, dir.path())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn our_authority_is_made_once_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mode = TlsMode::Own {
            names: vec!["ecs.example".into()],
        };
        let listen = "192.0.2.1:4566".parse().unwrap();
        let first = prepare(&mode, listen, dir.path()).unwrap().unwrap();
        let second = prepare(&mode, listen, dir.path()).unwrap().unwrap();
        assert_eq!(first.fingerprint, second.fingerprint);
        assert_eq!(first.host, "192.0.2.1");
        assert_eq!(
            std::fs::read_to_string(&first.anchor_file).unwrap(),
            second.anchor_pem
        );
    }

    #[test]
    fn a_named_chain_is_anchored_in_its_last_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["ecs.example".to_owned()]).unwrap();
        let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mode = TlsMode::Given { certificate, key };
        let listen = "127.0.0.1:4566".parse().unwrap();
        let tls = prepare(&mode, listen, dir.path()).unwrap().unwrap();
        assert_eq!(tls.host, "ecs.example");
        assert_eq!(tls.fingerprint, fingerprint(made.cert.der()));
    }
}
