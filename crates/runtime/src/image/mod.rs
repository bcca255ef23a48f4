//! Container images: references, archives, layers on disk.
//!
//! [`DiskStore`] is the one implementation of [`ImageStore`]. A layer is a directory that overlayfs
//! stacks, addressed by the digest of its uncompressed tar and shared by all images that hold it; an
//! image is a list of them and a config. Whatever has a name in `index.json` is whole and on disk;
//! whatever has not is removed when the store is opened.

mod archive;
mod digest;
mod disk;
mod error;
mod index;
mod layer;
mod manifest;
mod reference;
mod store;
mod unpack;

pub use digest::Digest;
pub use error::ImageError;
pub use index::Origin;
pub use manifest::{Healthcheck, ImageConfig};
pub use reference::Reference;
pub use store::{DiskStore, Ensured, Image, ImageStore, ImageSummary, PullBehavior, RegistryAuth};
pub use unpack::{Limits, UnpackError};
