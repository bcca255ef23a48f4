//! One pull: manifest, config, layers side by side, then the image's record.
//!
//! What is here already is not fetched: by the manifest's digest the whole image, by diff id a layer.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, mpsc};
use tracing::info;

use super::RegistryAuth;
use super::digest::Digest;
use super::disk::Disk;
use super::error::ImageError;
use super::index::{ImageRecord, Origin};
use super::layer::Expected;
use super::manifest::{ConfigFile, Descriptor, Manifest, choose};
use super::reference::Reference;
use super::registry::{Registry, Repository};
use super::store::{Pulled, on_blocking_thread};

/// Pieces (some 16 KiB each) of a layer that wait for its decompressor.
const PIECES_MAX: usize = 64;

/// What a pull works with.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub disk: &'a Arc<Disk>,
    pub registry: &'a Arc<Registry>,
    /// Layers that may be unpacked at once.
    pub slots: &'a Arc<Semaphore>,
}

/// Asks the reference's registry, and fetches what is missing.
pub(super) async fn pull(
    sources: Sources<'_>,
    reference: &Reference,
    auth: Option<&RegistryAuth>,
) -> Result<Pulled, ImageError> {
    let _adding = sources.disk.adding().read().await;
    let from = Repository { reference, auth };
    let name = reference.canonical();
    if let Some(known) = sources.disk.index().names.get(&name)
        && let Some(digest) = sources.registry.digest_of(from).await?
        && digest == known.digest
        && let Some(image) = sources
            .disk
            .image(&known.image, &name, &digest, known.origin)
    {
        return Ok(Pulled {
            image: Arc::new(image),
            moved_bytes: false,
        });
    }
    let document = sources.registry.manifest(from, None).await?;
    let digest = document.digest;
    let known = sources.disk.index().manifests.get(&digest).cloned();
    let is_known = known.is_some();
    let (id, record, manifests) = match known {
        Some(id) => {
            let record = sources.disk.index().images.get(&id).cloned();
            let record = record.ok_or_else(|| ImageError::NoSuchImage {
                reference: name.clone(),
            })?;
            (id, record, vec![digest.clone()])
        }
        None => fetch(sources, from, document.bytes, &digest).await?,
    };
    let disk = Arc::clone(sources.disk);
    let image = on_blocking_thread(move || {
        let named = [(name.clone(), digest.clone(), Origin::Registry)];
        disk.add_image(&id, record, &named, &manifests)?;
        let image = disk.image(&id, &name, &digest, Origin::Registry);
        image.ok_or(ImageError::NoSuchImage { reference: name })
    })
    .await?;
    if !is_known {
        info!(image = %reference.familiar(), digest = %image.digest, "image pulled");
    }
    Ok(Pulled {
        image: Arc::new(image),
        moved_bytes: !is_known,
    })
}

/// Fetches config and layers of a manifest, or of the fitting entry of an index.
async fn fetch(
    sources: Sources<'_>,
    from: Repository<'_>,
    top: Vec<u8>,
    top_digest: &Digest,
) -> Result<(Digest, ImageRecord, Vec<Digest>), ImageError> {
    let mut manifests = vec![top_digest.clone()];
    let mut manifest = Manifest::parse(&top)?;
    if let Manifest::Index(entries) = &manifest {
        let chosen = choose(entries)?.digest.clone();
        let document = sources.registry.manifest(from, Some(&chosen)).await?;
        manifest = Manifest::parse(&document.bytes)?;
        manifests.push(chosen);
    }
    let Manifest::Image { config, layers } = manifest else {
        return Err(ImageError::malformed(
            "manifest",
            "an index within an index",
        ));
    };
    let bytes = sources.registry.small_blob(from, &config).await?;
    let file = ConfigFile::parse(&bytes, layers.len())?;
    let diff_ids = file.rootfs.diff_ids;
    let fetched = diff_ids
        .iter()
        .zip(layers)
        .map(|(diff_id, blob)| fetch_layer(sources, from, diff_id, blob));
    try_join_all(fetched).await?;
    let record = ImageRecord {
        config: file.config,
        created: file.created,
        layers: diff_ids,
    };
    Ok((config.digest, record, manifests))
}

/// Fetches one layer unless it is here; whoever else wants it at the same time waits.
async fn fetch_layer(
    sources: Sources<'_>,
    from: Repository<'_>,
    diff_id: &Digest,
    blob: Descriptor,
) -> Result<(), ImageError> {
    if sources.disk.has_layer(diff_id) {
        return Ok(());
    }
    let lock = sources.disk.layer_lock(diff_id);
    let once = Arc::clone(&lock).lock_owned().await;
    if sources.disk.has_layer(diff_id) {
        return Ok(());
    }
    let slot = Arc::clone(sources.slots).acquire_owned().await;
    let slot = slot.map_err(|error| ImageError::malformed("shutdown", error))?;
    let expected = Expected {
        diff_id: diff_id.clone(),
        blob: Some(blob.digest.clone()),
    };
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let disk = Arc::clone(sources.disk);
    // The layer's lock and slot go with the work: it ends by itself even if this future is dropped.
    let unpacked = on_blocking_thread(move || {
        let _held = (lock, once, slot);
        disk.add_layer(
            Box::new(Incoming {
                receiver,
                current: Bytes::new(),
            }),
            &expected,
        )
    });
    let received = receive(sources.registry, from, blob, sender);
    let ((), unpacked) = futures_util::future::join(received, unpacked).await;
    unpacked
}

/// Feeds a blob to its unpacker, its failure included.
async fn receive(
    registry: &Registry,
    from: Repository<'_>,
    blob: Descriptor,
    to: mpsc::Sender<Result<Bytes, ImageError>>,
) {
    let mut reader = registry.blob(from, blob);
    while let Some(piece) = reader.next(registry, from).await.transpose() {
        let failed = piece.is_err();
        // An unpacker that stopped listening has an error of its own to give.
        if to.send(piece).await.is_err() || failed {
            return;
        }
    }
}

/// The unpacker's end. A sender that is gone without the whole blob fails the digest.
struct Incoming {
    receiver: mpsc::Receiver<Result<Bytes, ImageError>>,
    current: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(Ok(piece)) => self.current = piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(0),
            }
        }
        let read = self.current.len().min(buf.len());
        self.current.copy_to_slice(&mut buf[..read]);
        Ok(read)
    }
}
