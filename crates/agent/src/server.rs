//! The server as clients on this machine reach it: by plain HTTP on loopback, else by TLS against
//! the one certificate that it is known by.

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tower_service::Service;

/// A connection to the server.
pub type ServerStream = TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// Makes the connections of an HTTP client.
pub type Connector = HttpsConnector<HttpConnector>;

/// How a client knows that it speaks to its server.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Plain HTTP only.
    Nobody,
    /// Certificates (PEM), one of which vouches for the server's.
    Anchor(&'a Path),
    /// The SHA-256 of a certificate in the server's chain, 64 hexadecimal digits.
    Fingerprint(&'a str),
}

/// Where the server is, and how to get there.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
    authority: String,
    connector: Connector,
}

impl Server {
    /// A server by its base URL, `https://HOST:PORT` or, on loopback, `http://HOST:PORT`.
    ///
    /// # Errors
    /// The URL is none, or what is trusted cannot be read.
    pub fn new(url: &str, trust: Trust<'_>) -> io::Result<Self> {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
        let parsed: Uri = url
            .parse()
            .map_err(|error| invalid(&format!("server {url}: {error}")))?;
        let authority = parsed
            .authority()
            .ok_or_else(|| invalid(&format!("server {url}: https://HOST:PORT is expected")))?;
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls(trust)?);
        let builder = match parsed.scheme_str() {
            Some("https") => builder.https_only(),
            Some("http") if is_loopback(authority.host()) => builder.https_or_http(),
            Some("http") => {
                return Err(invalid(&format!(
                    "server {url}: beyond loopback it must be https://"
                )));
            }
            _ => return Err(invalid(&format!("server {url}: https:// is expected"))),
        };
        Ok(Self {
            url: format!("{}://{authority}", parsed.scheme_str().unwrap_or("https")),
            authority: authority.to_string(),
            connector: builder.enable_http1().wrap_connector(http),
        })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Host and port, as the header `host` has them.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// A new connection.
    ///
    /// # Errors
    /// Nobody answers there, or somebody else.
    pub async fn connect(&self) -> io::Result<ServerStream> {
        let url: Uri = self.url.parse().map_err(io::Error::other)?;
        let connected = self.connector.clone().call(url).await;
        connected.map(TokioIo::new).map_err(io::Error::other)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn tls(trust: Trust<'_>) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let config =
        match trust {
            Trust::Nobody => builder.with_root_certificates(RootCertStore::empty()),
            Trust::Anchor(file) => builder.with_root_certificates(anchors(file)?),
            Trust::Fingerprint(fingerprint) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned {
                    fingerprint: fingerprint.to_owned(),
                    provider,
                })),
        };
    Ok(config.with_no_client_auth())
}

fn anchors(file: &Path) -> io::Result<RootCertStore> {
    let failed = |error: &dyn std::fmt::Display| {
        io::Error::other(format!("certificates of {}: {error}", file.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))? {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    Ok(roots)
}

/// Believes a chain that has the pinned certificate in it and is valid below that, name included.
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        let digest = Sha256::digest(certificate);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.eq_ignore_ascii_case(&self.fingerprint)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut chain = std::iter::once(end_entity).chain(intermediates).rev();
        let anchor = chain.find(|certificate| self.is_pinned(certificate));
        let anchor = anchor.ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(anchor.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|error| Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_scheme_and_the_host() {
        let server = Server::new("https://192.0.2.1:4566/", Trust::Fingerprint("ab")).unwrap();
        assert_eq!(server.url(), "https://192.0.2.1:4566");
        assert_eq!(server.authority(), "192.0.2.1:4566");
        for plain in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            assert!(Server::new(plain, Trust::Nobody).is_ok(), "{plain}");
        }
        for wrong in ["192.0.2.1", "http://192.0.2.1", "ftp://127.0.0.1", ""] {
            assert!(Server::new(wrong, Trust::Nobody).is_err(), "{wrong}");
        }
    }
}
