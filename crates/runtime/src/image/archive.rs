//! Images out of files: `docker save` archives and OCI layouts.
//!
//! Layers are unpacked straight from their place in the archive; only a compressed archive is first
//! written out. Every digest is checked, so a file is trusted no more than a registry.
//! Rule: OCI image layout 1.1; Docker image specification 1.2 (`manifest.json`).

mod source;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::digest::Digest;
use super::disk::Disk;
use super::error::ImageError;
use super::index::{ImageRecord, Origin};
use super::layer::Expected;
use super::manifest::{ConfigFile, Descriptor, Manifest, choose};
use super::reference::{Reference, shown};
use source::{Source, blob_name, missing};

/// Takes in every image of the archive at `path`; gives their references in order.
pub(super) fn load(disk: &Disk, path: &Path) -> Result<Vec<String>, ImageError> {
    let _adding = disk.adding().blocking_read();
    let source = Source::open(disk, path)?;
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let images = match source.json("manifest.json")? {
        Some(manifest) => docker_images(&source, &manifest)?,
        None => match source.json("index.json")? {
            Some(index) => oci_images(&source, &index, &stem)?,
            None => {
                let text = "neither manifest.json nor index.json in it";
                return Err(ImageError::malformed("image archive", text));
            }
        },
    };
    let mut names = Vec::new();
    for image in images {
        names.extend(take_in(disk, &source, image)?);
    }
    Ok(names)
}

/// One image found in an archive.
struct Found {
    names: Vec<Reference>,
    /// The manifest's digest, or the config's where there is no manifest.
    digest: Digest,
    id: Digest,
    config: ConfigFile,
    /// Names of the layers' files, lowest first, with their digest where the archive says it.
    layers: Vec<(String, Option<Digest>)>,
}

fn take_in(disk: &Disk, source: &Source, found: Found) -> Result<Vec<String>, ImageError> {
    let diff_ids = found.config.rootfs.diff_ids;
    let work: Vec<_> = diff_ids.iter().zip(&found.layers).collect();
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let take_layers = || {
        while let Some((diff_id, (file, blob))) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = take_layer(disk, source, diff_id, file, blob.clone()) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                next.store(work.len(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(take_layers);
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let record = ImageRecord {
        config: found.config.config,
        created: found.config.created,
        layers: diff_ids,
    };
    let mut names: Vec<_> = found.names.iter().map(Reference::canonical).collect();
    if names.is_empty() {
        // Its id is its name: an image without one would be swept away.
        names.push(found.id.to_string());
    }
    let named: Vec<_> = (names.iter().cloned())
        .map(|name| (name, found.digest.clone(), Origin::Loaded))
        .collect();
    disk.add_image(&found.id, record, &named, &[])?;
    Ok(names.iter().map(|name| shown(name)).collect())
}

fn take_layer(
    disk: &Disk,
    source: &Source,
    diff_id: &Digest,
    file: &str,
    blob: Option<Digest>,
) -> Result<(), ImageError> {
    let lock = disk.layer_lock(diff_id);
    let _once = lock.blocking_lock();
    if disk.has_layer(diff_id) {
        return Ok(());
    }
    let reader = source.open_file(file)?;
    let reader = reader.ok_or_else(|| missing(file))?;
    disk.add_layer(
        reader,
        &Expected {
            diff_id: diff_id.clone(),
            blob,
        },
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

fn docker_images(source: &Source, manifest: &[u8]) -> Result<Vec<Found>, ImageError> {
    let images: Vec<DockerImage> =
        serde_json::from_slice(manifest).map_err(|e| ImageError::malformed("manifest.json", e))?;
    let found = |image: DockerImage| {
        let config = source
            .json(&image.config)?
            .ok_or_else(|| missing(&image.config))?;
        let id = Digest::of(&config);
        let names = image.repo_tags.unwrap_or_default();
        let names = names.iter().map(|name| {
            let invalid = || ImageError::InvalidReference {
                reference: name.clone(),
            };
            Reference::parse(name).ok_or_else(invalid)
        });
        Ok(Found {
            names: names.collect::<Result<_, _>>()?,
            digest: id.clone(),
            id,
            config: ConfigFile::parse(&config, image.layers.len())?,
            layers: image
                .layers
                .into_iter()
                .map(|layer| (layer, None))
                .collect(),
        })
    };
    images.into_iter().map(found).collect()
}

#[derive(Deserialize)]
struct LayoutIndex {
    manifests: Vec<Descriptor>,
}

fn oci_images(source: &Source, index: &[u8], stem: &str) -> Result<Vec<Found>, ImageError> {
    let index: LayoutIndex =
        serde_json::from_slice(index).map_err(|e| ImageError::malformed("index.json", e))?;
    let found = |entry: &Descriptor| {
        let mut document = source.blob(&entry.digest)?;
        if let Manifest::Index(entries) = Manifest::parse(&document)? {
            document = source.blob(&choose(&entries)?.digest)?;
        }
        let Manifest::Image { config, layers } = Manifest::parse(&document)? else {
            return Err(ImageError::malformed("index", "an index within an index"));
        };
        let file = ConfigFile::parse(&source.blob(&config.digest)?, layers.len())?;
        let layers = layers
            .into_iter()
            .map(|layer| (blob_name(&layer.digest), Some(layer.digest)));
        Ok(Found {
            names: layout_name(entry, stem).into_iter().collect(),
            digest: entry.digest.clone(),
            id: config.digest,
            config: file,
            layers: layers.collect(),
        })
    };
    index.manifests.iter().map(found).collect()
}

/// The full name if an annotation has one; a bare tag belongs to the layout's own file name.
fn layout_name(entry: &Descriptor, stem: &str) -> Option<Reference> {
    if let Some(full) = entry.annotations.get("io.containerd.image.name") {
        return Reference::parse(full);
    }
    let name = entry.annotations.get("org.opencontainers.image.ref.name")?;
    match name.contains(['/', ':']) {
        true => Reference::parse(name),
        false => Reference::parse(&format!("{stem}:{name}")),
    }
}
