//! What went wrong between us and a registry, in the words of Docker's daemon.

use std::error::Error;
use std::io;

use http::{Method, StatusCode, Uri};
use serde::Deserialize;

use crate::image::error::{ImageError, os_text};
use crate::image::reference::Reference;

/// Which error name a failure gets: before or after the image was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Manifest,
    Blob,
}

/// A request without an answer, or an answer that broke off.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    text: String,
    /// Nothing was listening, or the name does not exist: the URL is then shown as Docker's first probe.
    unreachable: bool,
}

impl Failure {
    pub(super) fn text(text: &str) -> Failure {
        Failure {
            text: text.to_owned(),
            unreachable: false,
        }
    }

    /// Finds the cause that users know below the library's own words.
    pub(super) fn transport(error: &(dyn Error + 'static), url: &Uri) -> Failure {
        let mut innermost = error;
        let mut system = None;
        let mut looks_up = false;
        let mut next = Some(error);
        while let Some(error) = next {
            looks_up |= error.to_string().starts_with("dns error");
            if let Some(io) = error.downcast_ref::<io::Error>() {
                let inner = io.get_ref().map(|inner| inner as &(dyn Error + 'static));
                system = system.or((io.raw_os_error().is_some()
                    || io.kind() == io::ErrorKind::TimedOut)
                    .then_some(io));
                innermost = inner.unwrap_or(error);
                next = inner.or_else(|| error.source());
            } else {
                innermost = error;
                next = error.source();
            }
        }
        let address = address(url);
        let dial = |text: &str| Failure {
            text: format!("dial tcp {address}: {text}"),
            unreachable: true,
        };
        match system {
            _ if looks_up => {
                let host = url.host().unwrap_or_default();
                Failure {
                    text: format!("dial tcp: lookup {host}: no such host"),
                    unreachable: true,
                }
            }
            Some(error) if error.kind() == io::ErrorKind::TimedOut => dial("i/o timeout"),
            Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                dial("connect: connection refused")
            }
            Some(error) => Failure::text(&format!("read tcp {address}: {}", os_text(error))),
            None => Failure::text(&as_go_says(&innermost.to_string())),
        }
    }

    pub(super) fn into_error(self, stage: Stage, method: &Method, url: &Uri) -> ImageError {
        let probe = format!(
            "{}://{}/v2/",
            url.scheme_str().unwrap_or("https"),
            authority(url)
        );
        let (method, url) = match self.unreachable {
            true => ("Get", probe),
            false => (shown(method), url.to_string()),
        };
        let text = format!("{method} \"{url}\": {}", self.text);
        match stage {
            Stage::Manifest => ImageError::ManifestUnreachable { text },
            Stage::Blob => ImageError::BlobUnreachable { text },
        }
    }
}

/// The two errors of TLS that users meet, in the words that they search for.
fn as_go_says(text: &str) -> String {
    if text.contains("UnknownIssuer") {
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
            .to_owned()
    } else if text.contains("InvalidContentType") {
        "http: server gave HTTP response to HTTPS client".to_owned()
    } else {
        text.to_owned()
    }
}

/// A method as Go's HTTP client writes it in errors.
pub(super) fn shown(method: &Method) -> &'static str {
    if *method == Method::HEAD {
        "Head"
    } else {
        "Get"
    }
}

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The error behind a status that is no success.
pub(super) fn refusal(
    reference: &Reference,
    status: StatusCode,
    body: &[u8],
    stage: Stage,
) -> ImageError {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let first = body.errors.into_iter().next();
    let (code, message) = first.map_or_else(Default::default, |entry| (entry.code, entry.message));
    let name = reference.familiar_name();
    let said = |default_code: &str, default_message: &str| {
        let code = if code.is_empty() { default_code } else { &code };
        let message = if message.is_empty() {
            default_message
        } else {
            &message
        };
        format!(
            "{}: {message:.300}",
            code.to_ascii_lowercase().replace('_', " ")
        )
    };
    match (status, code.as_str()) {
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            let text = "denied: requested access to the resource is denied".to_owned();
            ImageError::Denied { name, text }
        }
        (_, "NAME_UNKNOWN") => ImageError::RepositoryUnknown {
            name,
            text: said("NAME_UNKNOWN", "repository name not known to registry"),
        },
        (StatusCode::NOT_FOUND, _) if stage == Stage::Manifest => ImageError::ManifestUnknown {
            reference: reference.familiar(),
            text: said("MANIFEST_UNKNOWN", "manifest unknown"),
        },
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            at_stage(stage, said("TOOMANYREQUESTS", "rate exceeded"))
        }
        (StatusCode::NOT_FOUND, _) => {
            at_stage(stage, said("BLOB_UNKNOWN", "blob unknown to registry"))
        }
        _ => at_stage(stage, format!("received unexpected HTTP status: {status}")),
    }
}

fn at_stage(stage: Stage, text: String) -> ImageError {
    match stage {
        Stage::Manifest => ImageError::ManifestUnreachable { text },
        Stage::Blob => ImageError::BlobUnreachable { text },
    }
}

fn authority(url: &Uri) -> &str {
    url.authority().map_or("", |authority| authority.as_str())
}

fn address(url: &Uri) -> String {
    let default = if url.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    format!(
        "{}:{}",
        url.host().unwrap_or_default(),
        url.port_u16().unwrap_or(default)
    )
}
