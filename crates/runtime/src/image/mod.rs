//! Container images: references, registries, layers on disk.
//!
//! [`DiskStore`] is the one implementation of [`ImageStore`]. A layer is a directory that overlayfs
//! stacks, addressed by the digest of its uncompressed tar and shared by all images that hold it; an
//! image is a list of them and a config. Whatever has a name in `index.json` is whole and on disk;
//! whatever has not is removed when the store is opened.

mod archive;
mod builtin;
mod cleanup;
mod digest;
mod disk;
mod error;
mod index;
mod layer;
mod manifest;
mod pins;
mod pull;
mod reference;
mod registry;
mod store;
mod unpack;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use cleanup::CleanupPolicy;
pub use digest::Digest;
pub use error::ImageError;
pub use index::Origin;
pub use manifest::{Healthcheck, ImageConfig};
pub use reference::Reference;
pub use registry::{Credentials, RegistryOptions};
pub use store::{DiskStore, StoreOptions};
pub use unpack::{Limits, UnpackError};

/// An image that is whole on this host.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The reference it was asked for by, filled in (`docker.io/library/nginx:latest`).
    pub reference: String,
    /// Docker's image id: the digest of the config.
    pub id: String,
    /// `sha256:…` as its registry names it (the index's digest where there is one). For images that
    /// were loaded or built in: the manifest's, else the id.
    pub digest: String,
    /// Whether `digest` came from a registry; only then ECS shows it as `imageDigest`.
    pub from_registry: bool,
    pub config: ImageConfig,
    /// Directories for overlayfs, topmost first, at least one, none twice.
    pub layers: Vec<PathBuf>,
    /// Bytes of all files of all layers.
    pub size_bytes: u64,
    /// Of the users and groups of all files; 0 where it was not looked at.
    pub highest_id: u32,
}

/// One name of an image, for listings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSummary {
    /// As Docker shows it (`nginx:latest`); the id where there is no other name.
    pub reference: String,
    pub id: String,
    pub digest: String,
    pub origin: Origin,
    pub size_bytes: u64,
    /// When it was built, as its config says (RFC 3339).
    pub created: Option<String>,
    /// When it got this name here, in milliseconds since 1970.
    pub since_ms: u64,
    /// Containers that use the image.
    pub pins: usize,
}

/// When a registry is asked: `ECS_IMAGE_PULL_BEHAVIOR`. Loaded and built-in images, and references by
/// a digest that is here, never ask one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PullBehavior {
    /// Always, so that a moved tag is seen; what is here serves when the registry fails.
    #[default]
    Default,
    /// Always; a registry that fails is an error.
    Always,
    /// Only if it was never pulled.
    Once,
    /// Only if it is not here.
    PreferCached,
}

/// A user of a registry. Its `Debug` form does not show the password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryAuth {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAuth")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The answer of [`ImageStore::ensure`].
#[derive(Clone, Debug)]
pub struct Ensured {
    pub image: Arc<Image>,
    /// Whether anything but the manifest's digest had to be fetched.
    pub pulled: bool,
}

/// The images of one host.
#[async_trait]
pub trait ImageStore: Send + Sync + fmt::Debug {
    /// The image of that name, pulled if need be. Callers that ask for the same at once share one pull.
    async fn ensure(
        &self,
        reference: &str,
        auth: Option<RegistryAuth>,
        behavior: PullBehavior,
    ) -> Result<Ensured, ImageError>;

    /// Takes in the images of a `docker save` archive or an OCI layout (a directory or a tar; a tar
    /// may be compressed); gives their references.
    async fn load(&self, archive: &Path) -> Result<Vec<String>, ImageError>;

    /// Makes an image of one static program that listens on port 80. Its entry point is the file
    /// `/<last part of the name>`. Nothing is done where exactly this image is here.
    async fn install_builtin(
        &self,
        reference: &str,
        program: &'static [u8],
    ) -> Result<(), ImageError>;

    /// All names, in order.
    async fn list(&self) -> Result<Vec<ImageSummary>, ImageError>;

    /// Takes a name away, and the image with its last name. `false`: no such name.
    ///
    /// # Errors
    /// [`ImageError::InUse`] while a container uses it.
    async fn remove(&self, reference: &str) -> Result<bool, ImageError>;

    /// Says that `owner` (a container's id: letters, digits, `-`, `_`) uses the image, until
    /// [`ImageStore::unpin`]. Survives the death of this process.
    ///
    /// # Errors
    /// [`ImageError::NoSuchImage`] where it was removed since it was given: ask for it again.
    async fn pin(&self, owner: &str, image: &Image) -> Result<(), ImageError>;

    /// Takes a pin away; one that is not there is no error.
    async fn unpin(&self, owner: &str) -> Result<(), ImageError>;

    /// Owners of pins: after a restart, unpin those that are gone.
    async fn pinned(&self) -> Result<Vec<String>, ImageError>;

    /// Removes pulled images that nothing uses, as the policy says, and whatever has neither name nor
    /// pin; gives the names that went. Does nothing while an image is being added.
    async fn clean_up(&self, policy: CleanupPolicy) -> Result<Vec<String>, ImageError>;

    /// The directory that holds every layer's directory.
    fn layers_dir(&self) -> PathBuf;
}
