//! What the agent asks of images, and its implementation over one directory.

use super::archive;
use super::digest::Digest;
use super::disk::Disk;
use super::error::ImageError;
use super::index::{ImageRecord, Origin};
use super::layer::Expected;
use super::manifest::ImageConfig;
use super::reference::Reference;
use super::unpack::Limits;
use async_trait::async_trait;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An image, ready for a container.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name in full.
    pub reference: String,
    /// Docker's image id, the digest of its config.
    pub id: String,
    /// What users see as its digest.
    pub digest: String,
    /// Whether `digest` is one that a registry knows.
    pub from_registry: bool,
    /// What it says of its containers.
    pub config: ImageConfig,
    /// Directories, topmost first.
    pub layers: Vec<PathBuf>,
    /// Bytes of all files.
    pub size_bytes: u64,
}

/// One line of a listing.
#[derive(Clone, Debug)]
pub struct ImageSummary {
    /// Its name in full.
    pub reference: String,
    /// Docker's image id.
    pub id: String,
    /// What users see as its digest.
    pub digest: String,
    /// How it came here.
    pub origin: Origin,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// How many containers use it.
    pub pins: usize,
}

impl fmt::Display for ImageSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: String = self
            .id
            .trim_start_matches("sha256:")
            .chars()
            .take(12)
            .collect();
        write!(
            f,
            "{}\t{id}\t{:.1} MB",
            self.reference,
            self.size_bytes as f64 / 1e6
        )
    }
}

/// When a registry is asked (the public agent's ECS_IMAGE_PULL_BEHAVIOR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullBehavior {
    /// Always; what is here serves when the registry fails.
    Default,
    /// Always; a failure is the task's failure.
    Always,
    /// Never again once pulled.
    Once,
    /// Only when nothing is here.
    PreferCached,
}

/// How to log in to a registry.
#[derive(Clone)]
pub struct RegistryAuth {
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: String,
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAuth")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// An image that is here now.
#[derive(Clone, Debug)]
pub struct Ensured {
    /// The image.
    pub image: Arc<Image>,
    /// Whether bytes were fetched for it.
    pub pulled: bool,
}

/// Images of one host.
#[async_trait]
pub trait ImageStore: Send + Sync + fmt::Debug {
    /// The image of a reference, fetched where it must be.
    async fn ensure(
        &self,
        reference: &str,
        auth: Option<RegistryAuth>,
        behavior: PullBehavior,
    ) -> Result<Ensured, ImageError>;
    /// Loads a `docker save` archive (plain or gzip); the names that it brought.
    async fn load(&self, archive: &Path) -> Result<Vec<String>, ImageError>;
    /// Everything that has a name.
    async fn list(&self) -> Result<Vec<ImageSummary>, ImageError>;
    /// Takes a name away. `Ok(false)`: there is none such.
    async fn remove(&self, reference: &str) -> Result<bool, ImageError>;
    /// Makes an image of one program: its file `/` + the name's last part is the entry point.
    async fn install_builtin(&self, name: &str, program: &'static [u8]) -> Result<(), ImageError>;
}

/// Images below one directory.
#[derive(Clone, Debug)]
pub struct DiskStore {
    disk: Arc<Disk>,
}

impl DiskStore {
    /// Opens or makes the store.
    ///
    /// # Errors
    /// Another process has it open, or the directory cannot be used.
    pub fn open(root: &Path) -> Result<Self, ImageError> {
        Ok(Self {
            disk: Arc::new(Disk::open(root, Limits::default())?),
        })
    }

    fn local(&self, reference: &Reference) -> Option<Image> {
        let index = self.disk.index();
        let name = reference.canonical();
        if let Some(record) = index.names.get(&name) {
            return self
                .disk
                .image(&record.image, &name, &record.digest, record.origin);
        }
        let digest = reference.digest()?;
        let id = index.manifests.get(digest)?;
        self.disk.image(id, &name, digest, Origin::Registry)
    }

    /// Runs what waits for the disk where waiting holds up nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, ImageError> {
        let disk = self.disk.clone();
        match tokio::task::spawn_blocking(move || work(&disk)).await {
            Ok(result) => result,
            Err(panic) => Err(ImageError::malformed("image store", panic)),
        }
    }
}

#[async_trait]
impl ImageStore for DiskStore {
    async fn ensure(
        &self,
        reference: &str,
        _auth: Option<RegistryAuth>,
        _behavior: PullBehavior,
    ) -> Result<Ensured, ImageError> {
        let parsed = Reference::parse(reference).ok_or_else(|| ImageError::InvalidReference {
            reference: reference.to_owned(),
        })?;
        match self.local(&parsed) {
            Some(image) => Ok(Ensured {
                image: Arc::new(image),
                pulled: false,
            }),
            None => Err(ImageError::NoSuchImage {
                reference: reference.to_owned(),
            }),
        }
    }

    async fn load(&self, archive: &Path) -> Result<Vec<String>, ImageError> {
        let path = archive.to_owned();
        self.blocking(move |disk| archive::load(disk, &path)).await
    }

    async fn list(&self) -> Result<Vec<ImageSummary>, ImageError> {
        self.blocking(|disk| Ok(disk.summaries())).await
    }

    async fn remove(&self, reference: &str) -> Result<bool, ImageError> {
        let name = Reference::parse(reference).map(|reference| reference.canonical());
        let Some(name) = name else { return Ok(false) };
        self.blocking(move |disk| {
            let removed = disk.remove(&name)?;
            disk.sweep()?;
            Ok(removed)
        })
        .await
    }

    async fn install_builtin(&self, name: &str, program: &'static [u8]) -> Result<(), ImageError> {
        let invalid = || ImageError::InvalidReference {
            reference: name.to_owned(),
        };
        let reference = Reference::parse(name).ok_or_else(invalid)?;
        let file = name.rsplit('/').next().unwrap_or(name).to_owned();
        self.blocking(move |disk| install(disk, &reference, &file, program))
            .await
    }
}

fn install(
    disk: &Disk,
    reference: &Reference,
    file: &str,
    program: &[u8],
) -> Result<(), ImageError> {
    let layer = archive::layer_of_program(file, program);
    let diff_id = Digest::of(&layer);
    let config = ImageConfig {
        entrypoint: Some(vec![format!("/{file}")]),
        exposed_ports: vec!["80/tcp".into()],
        ..ImageConfig::default()
    };
    let text = serde_json::to_vec(&config)
        .map_err(|error| ImageError::malformed("image config", error))?;
    let id = Digest::of(&[text.as_slice(), diff_id.hex().as_bytes()].concat());
    let name = reference.canonical();
    if disk
        .index()
        .names
        .get(&name)
        .is_some_and(|known| known.image == id)
    {
        return Ok(());
    }
    if !disk.has_layer(&diff_id) {
        let expected = Expected {
            diff_id: diff_id.clone(),
            blob: None,
        };
        disk.add_layer(Box::new(std::io::Cursor::new(layer)), &expected)?;
    }
    let image = ImageRecord {
        config,
        layers: vec![diff_id],
    };
    disk.add_image(&id, image, &[(name, id.clone(), Origin::BuiltIn)], &[])
}
