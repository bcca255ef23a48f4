//! [`DiskStore`]: who may be answered from disk, and one pull at a time for what may not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tracing::{info, warn};

use super::digest::Digest;
use super::disk::Disk;
use super::error::ImageError;
use super::index::{NameRecord, Origin};
use super::pull;
use super::reference::Reference;
use super::registry::{Registry, RegistryOptions};
use super::unpack::Limits;
use super::{CleanupPolicy, Ensured, Image, ImageStore, ImageSummary, PullBehavior, RegistryAuth};
use super::{archive, builtin};

/// How a [`DiskStore`] behaves.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    pub limits: Limits,
    pub registry: RegistryOptions,
}

/// As dockerd's `max-concurrent-downloads`: a slow connection keeps no processor busy.
const DOWNLOADS_MIN: usize = 3;

type PullKey = (Reference, Option<RegistryAuth>);
type SharedPull = Shared<BoxFuture<'static, Result<Pulled, ImageError>>>;

/// What a pull came to.
#[derive(Clone, Debug)]
pub(super) struct Pulled {
    pub image: Arc<Image>,
    pub moved_bytes: bool,
}

/// The images below one directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DiskStore {
    inner: Arc<Inner>,
}

struct Inner {
    disk: Arc<Disk>,
    registry: Arc<Registry>,
    /// Layers that may be fetched and unpacked at once.
    slots: Arc<tokio::sync::Semaphore>,
    /// `std` mutex: held for a look-up, never across an await.
    pulls: Mutex<HashMap<PullKey, SharedPull>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}

impl DiskStore {
    /// Opens or makes the store at `root` (`<data>/images`) and removes what was left half done.
    ///
    /// # Errors
    /// [`ImageError::StoreLocked`] while another process has it open.
    pub fn open(root: &Path) -> Result<DiskStore, ImageError> {
        DiskStore::open_with(root, StoreOptions::default())
    }

    /// As [`DiskStore::open`], with other limits or registries.
    pub fn open_with(root: &Path, options: StoreOptions) -> Result<DiskStore, ImageError> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let slots = cores.max(DOWNLOADS_MIN);
        Ok(DiskStore {
            inner: Arc::new(Inner {
                disk: Arc::new(Disk::open(root, options.limits)?),
                registry: Arc::new(Registry::new(options.registry)),
                slots: Arc::new(tokio::sync::Semaphore::new(slots)),
                pulls: Mutex::default(),
            }),
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> Result<T, ImageError> + Send + 'static,
    ) -> Result<T, ImageError> {
        let disk = Arc::clone(&self.inner.disk);
        on_blocking_thread(move || work(&disk)).await
    }

    /// The image as far as no registry need be asked for it.
    fn without_registry(&self, reference: &Reference, behavior: PullBehavior) -> Option<Image> {
        let index = self.inner.disk.index();
        if let Some(digest) = reference.digest()
            && let Some(id) = index.manifests.get(digest)
        {
            return self
                .inner
                .disk
                .image(id, &reference.canonical(), digest, Origin::Registry);
        }
        let name = index.names.get(&reference.canonical())?;
        let asks = match (name.origin, behavior) {
            (Origin::Loaded | Origin::BuiltIn, _) => false,
            (Origin::Registry, PullBehavior::Once | PullBehavior::PreferCached) => false,
            (Origin::Registry, PullBehavior::Default | PullBehavior::Always) => true,
        };
        if asks {
            None
        } else {
            self.named(reference, name)
        }
    }

    fn named(&self, reference: &Reference, name: &NameRecord) -> Option<Image> {
        self.inner.disk.image(
            &name.image,
            &reference.canonical(),
            &name.digest,
            name.origin,
        )
    }

    /// Joins the pull of the same image by the same user, or starts it. It goes on when its callers
    /// go away: the next one finds what it fetched.
    async fn pull(&self, key: PullKey) -> Result<Pulled, ImageError> {
        let pull = {
            let mut pulls = self
                .inner
                .pulls
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let start = || {
                let inner = Arc::clone(&self.inner);
                let key = key.clone();
                let task = tokio::spawn(async move {
                    let sources = pull::Sources {
                        disk: &inner.disk,
                        registry: &inner.registry,
                        slots: &inner.slots,
                    };
                    let result = pull::pull(sources, &key.0, key.1.as_ref()).await;
                    inner
                        .pulls
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&key);
                    result
                });
                let joined = async move {
                    task.await
                        .unwrap_or_else(|error| Err(ImageError::malformed("pull", error)))
                };
                joined.boxed().shared()
            };
            pulls.entry(key.clone()).or_insert_with(start).clone()
        };
        pull.await
    }
}

#[async_trait]
impl ImageStore for DiskStore {
    async fn ensure(
        &self,
        reference: &str,
        auth: Option<RegistryAuth>,
        behavior: PullBehavior,
    ) -> Result<Ensured, ImageError> {
        if let Some(id) = Digest::parse(reference) {
            let image = self.inner.disk.image(&id, reference, &id, Origin::Loaded);
            let image = image.ok_or_else(|| ImageError::NoSuchImage {
                reference: reference.to_owned(),
            })?;
            return Ok(Ensured {
                image: Arc::new(image),
                pulled: false,
            });
        }
        let parsed = parse(reference)?;
        if let Some(image) = self.without_registry(&parsed, behavior) {
            return Ok(Ensured {
                image: Arc::new(image),
                pulled: false,
            });
        }
        let auth = match auth {
            None => self.inner.registry.user_at(parsed.host()).await?,
            given => given,
        };
        match self.pull((parsed.clone(), auth)).await {
            Ok(Pulled { image, moved_bytes }) => Ok(Ensured {
                image,
                pulled: moved_bytes,
            }),
            Err(error) if behavior == PullBehavior::Default => {
                let index = self.inner.disk.index();
                let name = index.names.get(&parsed.canonical());
                let here = name
                    .and_then(|name| self.named(&parsed, name))
                    .ok_or(error.clone())?;
                warn!(image = %parsed.familiar(), %error, "registry failed, image of last pull used");
                Ok(Ensured {
                    image: Arc::new(here),
                    pulled: false,
                })
            }
            Err(error) => Err(error),
        }
    }

    async fn load(&self, archive: &Path) -> Result<Vec<String>, ImageError> {
        let path = archive.to_owned();
        let loaded = self.blocking(move |disk| archive::load(disk, &path)).await;
        if loaded.is_err() {
            // Layers that were good are of no use without their image.
            self.blocking(Disk::sweep_now).await?;
        }
        let names = loaded?;
        info!(?names, "images loaded");
        Ok(names)
    }

    async fn install_builtin(
        &self,
        reference: &str,
        program: &'static [u8],
    ) -> Result<(), ImageError> {
        let reference = parse(reference)?;
        self.blocking(move |disk| builtin::install(disk, &reference, program))
            .await
    }

    async fn list(&self) -> Result<Vec<ImageSummary>, ImageError> {
        self.blocking(Disk::summaries).await
    }

    async fn remove(&self, reference: &str) -> Result<bool, ImageError> {
        let name = match Digest::parse(reference) {
            Some(id) => id.to_string(),
            None => parse(reference)?.canonical(),
        };
        self.blocking(move |disk| disk.remove(&name)).await
    }

    async fn pin(&self, owner: &str, image: &Image) -> Result<(), ImageError> {
        self.inner.disk.pin(owner, image)
    }

    async fn unpin(&self, owner: &str) -> Result<(), ImageError> {
        self.inner.disk.unpin(owner)
    }

    async fn pinned(&self) -> Result<Vec<String>, ImageError> {
        self.blocking(Disk::pinned).await
    }

    async fn clean_up(&self, policy: CleanupPolicy) -> Result<Vec<String>, ImageError> {
        self.blocking(move |disk| disk.clean_up(policy)).await
    }

    fn layers_dir(&self) -> PathBuf {
        self.inner.disk.layers_dir()
    }
}

/// Runs blocking work; a panic there is a panic here.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Err(ImageError::malformed("shutdown", error)),
    }
}

fn parse(reference: &str) -> Result<Reference, ImageError> {
    let invalid = || ImageError::InvalidReference {
        reference: reference.chars().take(300).collect(),
    };
    Reference::parse(reference).ok_or_else(invalid)
}
