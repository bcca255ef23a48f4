//! What the store holds, as one small file: `index.json`, replaced whole by a rename.
//!
//! A layer or image is in it only after all of it is on disk, so nothing half done is ever named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::error::ImageError;
use super::manifest::ImageConfig;

/// The layout this program writes. A newer one is refused.
const FORMAT: u32 = 1;

/// Everything that the store holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    format: u32,
    /// By the digest of the uncompressed tar.
    pub layers: BTreeMap<Digest, LayerRecord>,
    /// By the digest of the config (Docker's image id).
    pub images: BTreeMap<Digest, ImageRecord>,
    /// By canonical reference.
    pub names: BTreeMap<String, NameRecord>,
    /// Digests under which registries gave an image, each with the image's id.
    pub manifests: BTreeMap<Digest, Digest>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LayerRecord {
    /// The directory's name below `l/`.
    pub directory: String,
    /// Bytes of its regular files.
    pub bytes: u64,
    /// Of its files' users and groups; absent in what was written before it was looked at.
    #[serde(default)]
    pub highest_id: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ImageRecord {
    pub config: ImageConfig,
    /// When it was built, as its config says.
    #[serde(default)]
    pub created: Option<String>,
    /// Lowest first, as the config has them.
    pub layers: Vec<Digest>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NameRecord {
    pub image: Digest,
    /// What users see as the image's digest.
    pub digest: Digest,
    pub origin: Origin,
    /// When the image got this name here, in milliseconds since 1970.
    #[serde(default)]
    pub since_ms: u64,
}

/// How an image came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Pulled; its registry is asked again where the pull behaviour says so.
    Registry,
    /// Loaded from an archive; no registry is ever asked.
    Loaded,
    /// Part of this program; no registry is ever asked.
    BuiltIn,
}

impl Index {
    /// Every name that the image has.
    pub(super) fn names_of<'a>(
        &'a self,
        image: &'a Digest,
    ) -> impl Iterator<Item = (&'a String, &'a NameRecord)> {
        self.names
            .iter()
            .filter(move |(_, name)| name.image == *image)
    }

    pub(super) fn read(path: &Path) -> Result<Index, ImageError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Index {
                    format: FORMAT,
                    ..Index::default()
                });
            }
            Err(error) => return Err(ImageError::io("read", path)(error)),
        };
        let index: Index = serde_json::from_slice(&bytes)
            .map_err(|error| ImageError::malformed("image index", error))?;
        if index.format > FORMAT {
            let text = format!("format {} is newer than {FORMAT}", index.format);
            return Err(ImageError::malformed("image index", text));
        }
        Ok(index)
    }

    /// Replaces the file at `path`, durably.
    pub(super) fn write(&self, path: &Path) -> Result<(), ImageError> {
        let beside = path.with_extension("json.new");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            File::open(path.parent().unwrap_or(path))?.sync_all()
        };
        write().map_err(ImageError::io("write", path))
    }

    /// Forgets images without a name (those in `kept` excepted) and layers without an image.
    pub(super) fn sweep(&mut self, kept: &BTreeSet<Digest>) {
        let named: BTreeSet<&Digest> = self.names.values().map(|name| &name.image).collect();
        self.images
            .retain(|id, _| kept.contains(id) || named.contains(id));
        self.manifests.retain(|_, id| self.images.contains_key(id));
        let used: BTreeSet<&Digest> = self
            .images
            .values()
            .flat_map(|image| &image.layers)
            .collect();
        self.layers.retain(|id, _| used.contains(id));
    }
}
