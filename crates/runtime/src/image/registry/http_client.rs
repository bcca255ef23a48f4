//! The HTTP that registries need: one request, redirects followed, an answer read in pieces.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use super::RegistryOptions;
use super::failure::Failure;
use super::retry;

/// As Docker: more is a loop.
const REDIRECTS_MAX: usize = 10;
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("longshore/", env!("CARGO_PKG_VERSION")));

type Inner = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Pools connections. Without certificate authorities on this machine it still speaks plain HTTP.
#[derive(Debug)]
pub(super) struct HttpClient {
    https: Result<Inner, String>,
    /// Hosts with certificate authorities of their own.
    private: BTreeMap<String, Result<Inner, String>>,
    plain: Client<HttpConnector, Empty<Bytes>>,
    idle: Duration,
}

/// Head of an answer, with the body still to come.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Where the answer came from, after redirects.
    pub url: Uri,
    body: Incoming,
}

impl HttpClient {
    pub(super) fn new(options: &RegistryOptions) -> HttpClient {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(options.connect_timeout));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30));
        let https = |files: &[&Path]| {
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls(files)?)
                .https_only()
                .enable_http1()
                .wrap_connector(connector.clone());
            Ok(builder.build(connector))
        };
        let general: Vec<&Path> = options.ca_file.iter().map(PathBuf::as_path).collect();
        let private = options.host_ca_files.iter().map(|(host, file)| {
            let files: Vec<&Path> = general.iter().copied().chain([file.as_path()]).collect();
            (host.clone(), https(&files))
        });
        HttpClient {
            private: private.collect(),
            https: https(&general),
            plain: builder.build(connector.clone()),
            idle: options.idle_timeout,
        }
    }

    /// [`HttpClient::send`], again while the server is busy; `first` is the first pause of our own.
    pub(super) async fn send_patiently(
        &self,
        method: &Method,
        url: &Uri,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
        first: Duration,
    ) -> Result<Answer, Failure> {
        let mut failed = 0;
        loop {
            let answer = self.send(method, url, headers, authorization).await?;
            if !retry::passes(answer.status) {
                return Ok(answer);
            }
            failed += 1;
            let asked_for = retry::retry_after(&answer.headers, SystemTime::now());
            let Some(pause) = retry::pause(failed, first, asked_for) else {
                return Ok(answer);
            };
            drop(answer);
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends one request without body. `authorization` goes to the first host only.
    pub(super) async fn send(
        &self,
        method: &Method,
        url: &Uri,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Failure> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let authorization = authorization.filter(|_| at.authority() == url.authority());
            let answer = self.send_once(method, &at, headers, authorization).await?;
            let redirected =
                answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED;
            let location = answer.headers.get(header::LOCATION).filter(|_| redirected);
            let Some(location) = location else {
                return Ok(answer);
            };
            let next = location
                .to_str()
                .ok()
                .and_then(|location| joined(&at, location));
            let next = next.ok_or_else(|| Failure::text("a redirect leads nowhere"))?;
            let stays_safe = next.scheme_str() == Some("https")
                || (at.scheme_str() == Some("http") && next.scheme_str() == Some("http"));
            if !stays_safe {
                return Err(Failure::text("a redirect leads from https to http"));
            }
            at = next;
        }
        Err(Failure::text("stopped after 10 redirects"))
    }

    async fn send_once(
        &self,
        method: &Method,
        url: &Uri,
        headers: &HeaderMap,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .body(Empty::new());
        let mut request = request.map_err(|error| Failure::text(&error.to_string()))?;
        request.headers_mut().extend(headers.clone());
        request.headers_mut().insert(header::USER_AGENT, AGENT);
        if let Some(authorization) = authorization {
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, authorization.clone());
        }
        let host = url.authority().map_or("", |authority| authority.as_str());
        let https = self.private.get(host).unwrap_or(&self.https);
        let sent = match (url.scheme_str(), https) {
            (Some("https"), Ok(https)) => https.request(request),
            (Some("https"), Err(why)) => return Err(Failure::text(why)),
            _ => self.plain.request(request),
        };
        match timeout(self.idle, sent).await {
            Ok(Ok(answer)) => {
                let (head, body) = answer.into_parts();
                Ok(Answer {
                    status: head.status,
                    headers: head.headers,
                    url: url.clone(),
                    body,
                })
            }
            Ok(Err(error)) => Err(Failure::transport(&error, url)),
            Err(_) => Err(Failure::text(
                "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
            )),
        }
    }

    /// The next piece of an answer's body; `None` at its end.
    pub(super) async fn piece(&self, answer: &mut Answer) -> Result<Option<Bytes>, Failure> {
        loop {
            match timeout(self.idle, answer.body.frame()).await {
                Err(_) => return Err(Failure::text("read timed out")),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(Failure::transport(&error, &answer.url)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// Trust in the system's certificate authorities and in those of these files.
fn tls(ca_files: &[&Path]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for path in ca_files {
        let bad = |why: &dyn std::fmt::Display| {
            format!("certificate authorities of {}: {why}", path.display())
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| bad(&error))?;
            roots.add(certificate).map_err(|error| bad(&error))?;
        }
    }
    if roots.is_empty() {
        return Err("no certificate authorities".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// `localhost`, 127.0.0.0/8 and `::1`, with or without port.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn joined(base: &Uri, location: &str) -> Option<Uri> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return location.parse().ok();
    }
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let path = match location.strip_prefix("//") {
        Some(other_host) => return format!("{scheme}://{other_host}").parse().ok(),
        None if location.starts_with('/') => location.to_owned(),
        None => format!("{}/{location}", base.path().rsplit_once('/')?.0),
    };
    format!("{scheme}://{authority}{path}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.3.4.5",
            "[::1]:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "10.0.0.1:5000",
            "localhost.evil.com",
            "127.0.0.1.evil.com:80",
            "[::2]",
            "a",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn redirects_are_joined_to_where_they_came_from() {
        let base: Uri = "https://r.example/v2/a/blobs/x".parse().unwrap();
        for (location, expected) in [
            ("https://cdn/y?z=1", "https://cdn/y?z=1"),
            ("/y", "https://r.example/y"),
            ("//cdn/y", "https://cdn/y"),
            ("y", "https://r.example/v2/a/blobs/y"),
        ] {
            assert_eq!(joined(&base, location).unwrap().to_string(), expected);
        }
    }
}
