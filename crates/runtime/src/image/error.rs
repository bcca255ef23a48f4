//! Why an image is not there, in the words that ECS shows.
//!
//! Texts are those of Docker's daemon as the ECS agent passes them on; [`ImageError::reason`] puts the
//! agent's error name before them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::digest::Digest;
use super::unpack::UnpackError;

/// A failure of the image store. Cheap to clone: callers that share one pull share its error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ImageError {
    #[error("Error response from daemon: invalid reference format: {reference}")]
    InvalidReference { reference: String },
    /// The registry could not be spoken to before it named the image.
    #[error("Error response from daemon: {text}")]
    ManifestUnreachable { text: String },
    /// The registry could not be spoken to, or broke off, while it sent the image.
    #[error("Error response from daemon: {text}")]
    BlobUnreachable { text: String },
    #[error(
        "Error response from daemon: pull access denied for {name}, repository does not exist or may require 'docker login': {text}"
    )]
    Denied { name: String, text: String },
    #[error("Error response from daemon: manifest for {reference} not found: {text}")]
    ManifestUnknown { reference: String, text: String },
    #[error("Error response from daemon: repository {name} not found: {text}")]
    RepositoryUnknown { name: String, text: String },
    #[error("Error response from daemon: {method} \"{url}\": {text}")]
    Refused {
        method: &'static str,
        url: String,
        text: String,
    },
    #[error(
        "Error response from daemon: no matching manifest for {platform} in the manifest list entries"
    )]
    NoPlatform { platform: String },
    #[error("Error response from daemon: unsupported media type {media_type:?}")]
    UnsupportedMediaType { media_type: String },
    #[error("Error response from daemon: invalid {what}: {text}")]
    Malformed { what: &'static str, text: String },
    #[error(
        "Error response from daemon: {what} verification failed for digest {expected}: got {actual}"
    )]
    DigestMismatch {
        what: &'static str,
        expected: Digest,
        actual: Digest,
    },
    #[error("Error response from daemon: failed to register layer: {0}")]
    Layer(Arc<UnpackError>),
    #[error("Error response from daemon: No such image: {reference}")]
    NoSuchImage { reference: String },
    #[error("image {reference} is in use by container {}", owners.join(", "))]
    InUse {
        reference: String,
        /// Ids of containers, 12 digits each.
        owners: Vec<String>,
    },
    #[error("{action} {}: {}", path.display(), os_text(source))]
    Io {
        action: &'static str,
        path: PathBuf,
        source: Arc<io::Error>,
    },
    #[error("image store {} is in use by another process", path.display())]
    StoreLocked { path: PathBuf },
}

impl ImageError {
    /// The container's `reason`: the ECS agent's error name, a colon and the text.
    pub fn reason(&self) -> String {
        let name = match self {
            ImageError::ManifestUnreachable { .. } => "CannotPullImageManifestError",
            ImageError::InvalidReference { .. }
            | ImageError::BlobUnreachable { .. }
            | ImageError::Denied { .. }
            | ImageError::ManifestUnknown { .. }
            | ImageError::RepositoryUnknown { .. }
            | ImageError::Refused { .. }
            | ImageError::NoPlatform { .. }
            | ImageError::UnsupportedMediaType { .. }
            | ImageError::Malformed { .. }
            | ImageError::DigestMismatch { .. }
            | ImageError::Layer(_)
            | ImageError::NoSuchImage { .. }
            | ImageError::InUse { .. }
            | ImageError::Io { .. }
            | ImageError::StoreLocked { .. } => "CannotPullContainerError",
        };
        format!("{name}: {self}")
    }

    /// For `map_err`: an error of the file system at `path` while doing `action`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImageError {
        let path = path.to_owned();
        move |source| ImageError::Io {
            action,
            path,
            source: Arc::new(source),
        }
    }

    pub(super) fn malformed(what: &'static str, text: impl ToString) -> ImageError {
        ImageError::Malformed {
            what,
            text: text.to_string(),
        }
    }
}

impl From<UnpackError> for ImageError {
    fn from(error: UnpackError) -> ImageError {
        ImageError::Layer(Arc::new(error))
    }
}

/// The system's own lower-case text for the errors users meet, as Docker prints them.
pub(super) fn os_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => "no space left on device".to_owned(),
        Some(libc::EDQUOT) => "disk quota exceeded".to_owned(),
        Some(libc::ECONNREFUSED) => "connection refused".to_owned(),
        Some(libc::ECONNRESET) => "connection reset by peer".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_the_agent_writes_them() {
        let denied = ImageError::Denied {
            name: "acme/app".into(),
            text: "denied: requested access to the resource is denied".into(),
        };
        assert_eq!(
            denied.reason(),
            "CannotPullContainerError: Error response from daemon: pull access denied for acme/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
        );
        let full =
            ImageError::io("write", Path::new("/x"))(io::Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!(
            full.reason(),
            "CannotPullContainerError: write /x: no space left on device"
        );
        let away = ImageError::ManifestUnreachable { text: "x".into() };
        assert!(
            away.reason()
                .starts_with("CannotPullImageManifestError: Error response from daemon: ")
        );
    }
}
