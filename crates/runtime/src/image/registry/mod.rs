//! Speaks to registries: manifests, blobs, and their errors in Docker's words.
//!
//! HTTPS always, but for loopback hosts and those that the operator names; a redirect never leads from
//! HTTPS to HTTP, and credentials are sent to no other host than the registry and its token server.
//! Rule: OCI distribution specification 1.1; Docker's registry token authentication.

mod auth;
mod blob;
mod credentials;
mod failure;
mod http_client;
mod retry;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::RegistryAuth;
use super::digest::Digest;
use super::error::ImageError;
use super::layer::mismatch;
use super::manifest::{ACCEPTED, Descriptor, JSON_LEN_MAX};
use super::reference::Reference;
use auth::Tokens;
use failure::{Failure, Stage};
use http_client::{Answer, HttpClient};

pub(super) use blob::BlobReader;
pub use credentials::Credentials;

/// How registries are spoken to.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// Hosts (`name` or `name:port`) that are spoken to in plain HTTP, besides loopback ones.
    pub insecure_hosts: Vec<String>,
    /// Certificates (PEM) trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificates (PEM) trusted besides these for one host (`name` or `name:port`), which is then
    /// spoken to by HTTPS, on loopback too.
    pub host_ca_files: BTreeMap<String, PathBuf>,
    /// For callers that bring no user of their own.
    pub credentials: Credentials,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until the next byte of an answer.
    pub idle_timeout: Duration,
    /// Before the first repetition; doubled each time, 5 s at most.
    pub retry_pause: Duration,
}

impl Default for RegistryOptions {
    fn default() -> RegistryOptions {
        RegistryOptions {
            insecure_hosts: Vec::new(),
            ca_file: None,
            host_ca_files: BTreeMap::new(),
            credentials: Credentials::default(),
            connect_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            retry_pause: Duration::from_millis(1100),
        }
    }
}

/// A manifest or index as a registry sent it.
#[derive(Debug)]
pub(super) struct Document {
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

/// All registries, with their connections and tokens.
#[derive(Debug)]
pub(super) struct Registry {
    options: RegistryOptions,
    http: HttpClient,
    tokens: Tokens,
}

/// One repository, and who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repository<'a> {
    pub reference: &'a Reference,
    pub auth: Option<&'a RegistryAuth>,
}

impl Registry {
    pub(super) fn new(options: RegistryOptions) -> Registry {
        Registry {
            http: HttpClient::new(&options),
            options,
            tokens: Tokens::default(),
        }
    }

    /// The digest that the reference has now, if the registry says it without sending the manifest.
    pub(super) async fn digest_of(
        &self,
        repository: Repository<'_>,
    ) -> Result<Option<Digest>, ImageError> {
        let selector = repository.reference.selector();
        let url = self.url(repository.reference, "manifests", &selector)?;
        let headers = accept_manifests();
        let answer = self
            .ask(repository, &Method::HEAD, &url, &headers, Stage::Manifest)
            .await?;
        let named = answer
            .headers
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok());
        Ok(named
            .filter(|_| answer.status == StatusCode::OK)
            .and_then(Digest::parse))
    }

    /// A manifest or index: by the digest where one is given, else as the reference says.
    pub(super) async fn manifest(
        &self,
        repository: Repository<'_>,
        digest: Option<&Digest>,
    ) -> Result<Document, ImageError> {
        let pinned = digest.or(repository.reference.digest());
        let selector = pinned.map_or_else(|| repository.reference.selector(), Digest::to_string);
        let url = self.url(repository.reference, "manifests", &selector)?;
        let headers = accept_manifests();
        let answer = self
            .ask(repository, &Method::GET, &url, &headers, Stage::Manifest)
            .await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(repository, answer, Stage::Manifest).await);
        }
        let url = answer.url.clone();
        let bytes = self
            .body(answer, JSON_LEN_MAX, Stage::Manifest, &url)
            .await?;
        let actual = Digest::of(&bytes);
        match pinned {
            Some(wanted) if *wanted != actual => Err(mismatch("manifest", wanted, actual)),
            _ => Ok(Document {
                digest: actual,
                bytes,
            }),
        }
    }

    /// A small blob, whole.
    pub(super) async fn small_blob(
        &self,
        repository: Repository<'_>,
        blob: &Descriptor,
    ) -> Result<Vec<u8>, ImageError> {
        if blob.size > JSON_LEN_MAX {
            return Err(ImageError::malformed("manifest", "its config is too long"));
        }
        let mut reader = self.blob(repository, blob.clone());
        let mut bytes = Vec::new();
        while let Some(piece) = reader.next(self, repository).await? {
            bytes.extend_from_slice(&piece);
        }
        let actual = Digest::of(&bytes);
        if actual != blob.digest {
            return Err(mismatch("image config", &blob.digest, actual));
        }
        Ok(bytes)
    }

    /// The user of this host at a registry.
    pub(super) async fn user_at(&self, host: &str) -> Result<Option<RegistryAuth>, ImageError> {
        self.options.credentials.user_at(host).await
    }

    /// A blob in pieces, begun again where it broke off.
    pub(super) fn blob(&self, _of: Repository<'_>, blob: Descriptor) -> BlobReader {
        BlobReader::new(blob, self.options.retry_pause)
    }

    /// Sends a request with what authority there is; is refused, gets the authority that the refusal
    /// names, and sends it again, once.
    async fn ask(
        &self,
        repository: Repository<'_>,
        method: &Method,
        url: &Uri,
        headers: &HeaderMap,
        stage: Stage,
    ) -> Result<Answer, ImageError> {
        let failed = |failure: Failure| failure.into_error(stage, method, url);
        let known = self.tokens.known(repository);
        let pause = self.options.retry_pause;
        let answer = self
            .http
            .send_patiently(method, url, headers, known.as_ref(), pause)
            .await
            .map_err(failed)?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.forget(repository);
        let challenges = auth::challenges(&answer.headers);
        let granted = self
            .authority(repository, &challenges, stage, method, url)
            .await?;
        let Some(granted) = granted else {
            return Ok(answer);
        };
        let failed = |failure: Failure| failure.into_error(stage, method, url);
        self.http
            .send_patiently(method, url, headers, Some(&granted), pause)
            .await
            .map_err(failed)
    }

    /// The `Authorization` that answers the registry's challenge; `None` when there is none to try.
    async fn authority(
        &self,
        repository: Repository<'_>,
        challenges: &[auth::Challenge],
        stage: Stage,
        method: &Method,
        url: &Uri,
    ) -> Result<Option<HeaderValue>, ImageError> {
        let no_basic = || ImageError::Refused {
            method: failure::shown(method),
            url: url.to_string(),
            text: "no basic auth credentials".to_owned(),
        };
        // The first challenge that we know how to answer decides.
        if let Some(challenge) = challenges.first() {
            match challenge {
                auth::Challenge::Bearer { realm, service } => {
                    let token_url =
                        auth::token_url(realm, service.as_deref(), repository.reference)
                            .filter(|token_url| self.may_be_spoken_to(token_url))
                            .ok_or_else(|| ImageError::malformed("token realm", realm))?;
                    let basic = repository.auth.and_then(auth::basic);
                    let answer = self
                        .ask_for_token(&token_url, basic.as_ref(), stage)
                        .await?;
                    if answer.status != StatusCode::OK {
                        return Err(self
                            .token_refusal(repository, answer, stage, method, url)
                            .await);
                    }
                    let bytes = self.body(answer, JSON_LEN_MAX, stage, &token_url).await?;
                    return self.tokens.learn(repository, &bytes).map(Some);
                }
                auth::Challenge::Basic => {
                    let basic = repository.auth.and_then(auth::basic).ok_or_else(no_basic)?;
                    self.tokens.learn_basic(repository, &basic);
                    return Ok(Some(basic));
                }
            }
        }
        Ok(None)
    }

    async fn ask_for_token(
        &self,
        url: &Uri,
        basic: Option<&HeaderValue>,
        stage: Stage,
    ) -> Result<Answer, ImageError> {
        let (get, headers, pause) = (Method::GET, HeaderMap::new(), self.options.retry_pause);
        let answer = self.http.send_patiently(&get, url, &headers, basic, pause);
        answer
            .await
            .map_err(|failure| failure.into_error(stage, &get, url))
    }

    async fn token_refusal(
        &self,
        repository: Repository<'_>,
        answer: Answer,
        stage: Stage,
        method: &Method,
        url: &Uri,
    ) -> ImageError {
        if matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            let text = "unauthorized: incorrect username or password".to_owned();
            return ImageError::Refused {
                method: failure::shown(method),
                url: url.to_string(),
                text,
            };
        }
        self.refusal(repository, answer, stage).await
    }

    /// What an answer that is no success means.
    async fn refusal(
        &self,
        repository: Repository<'_>,
        answer: Answer,
        stage: Stage,
    ) -> ImageError {
        let status = answer.status;
        let url = answer.url.clone();
        let body = self
            .body(answer, JSON_LEN_MAX, stage, &url)
            .await
            .unwrap_or_default();
        failure::refusal(repository.reference, status, &body, stage)
    }

    async fn body(
        &self,
        mut answer: Answer,
        most: u64,
        stage: Stage,
        url: &Uri,
    ) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Vec::new();
        loop {
            let piece = self.http.piece(&mut answer).await;
            match piece.map_err(|failure| failure.into_error(stage, &Method::GET, url))? {
                None => return Ok(bytes),
                Some(piece) if bytes.len() as u64 + piece.len() as u64 > most => {
                    return Err(ImageError::malformed("answer", "it is too long"));
                }
                Some(piece) => bytes.extend_from_slice(&piece),
            }
        }
    }

    fn url(&self, reference: &Reference, kind: &str, selector: &str) -> Result<Uri, ImageError> {
        let host = match reference.host() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let scheme = if self.is_plain(host) { "http" } else { "https" };
        format!(
            "{scheme}://{host}/v2/{}/{kind}/{selector}",
            reference.path()
        )
        .parse()
        .map_err(|_| ImageError::InvalidReference {
            reference: reference.familiar(),
        })
    }

    fn may_be_spoken_to(&self, url: &Uri) -> bool {
        let plain = url
            .authority()
            .is_some_and(|authority| self.is_plain(authority.as_str()));
        url.scheme_str() == Some("https") || (url.scheme_str() == Some("http") && plain)
    }

    fn is_plain(&self, host: &str) -> bool {
        let options = &self.options;
        !options.host_ca_files.contains_key(host)
            && (http_client::is_loopback(host)
                || options.insecure_hosts.iter().any(|known| known == host))
    }
}

fn accept_manifests() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for media_type in ACCEPTED {
        headers.append(header::ACCEPT, HeaderValue::from_static(media_type));
    }
    headers
}
