//! POSTs to endpoints that the operator declared.
//!
//! Redirects are not followed: who is called is the operator's word, and nobody else's.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// An answer's body that is longer, or breaks off, counts as empty.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

type Inner = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Made when it is first needed; keeps connections.
#[derive(Clone, Debug, Default)]
pub struct HttpClient(Arc<OnceLock<Inner>>);

impl HttpClient {
    fn inner(&self) -> &Inner {
        self.0.get_or_init(|| {
            let mut roots = rustls::RootCertStore::empty();
            // A machine without certificates trusts no endpoint with TLS; plain ones work.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let tls = rustls::ClientConfig::builder()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_or_http()
                .enable_http1()
                .build();
            Client::builder(TokioExecutor::new()).build(connector)
        })
    }

    /// Posts a JSON text once; status and body of the answer.
    ///
    /// # Errors
    /// There is no answer within `patience`.
    pub async fn post_json(
        &self,
        url: &str,
        body: String,
        patience: Duration,
    ) -> Result<(u16, Bytes), Box<dyn Error + Send + Sync>> {
        self.post_with(url, &[], body, patience).await
    }

    /// The same with further headers; a `content-type` among them is taken instead of JSON's.
    ///
    /// # Errors
    /// There is no answer within `patience`.
    pub async fn post_with(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: String,
        patience: Duration,
    ) -> Result<(u16, Bytes), Box<dyn Error + Send + Sync>> {
        let mut request = hyper::Request::post(url).header(
            "user-agent",
            concat!("longshore/", env!("CARGO_PKG_VERSION")),
        );
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut names = headers.iter().map(|(name, _)| name);
        if !names.any(|name| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let answered = tokio::time::timeout(patience, async {
            let answer = self.inner().request(request).await?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            let body = body
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes);
            Ok((status, body.unwrap_or_default()))
        });
        answered.await?
    }
}
