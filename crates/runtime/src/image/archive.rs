//! Images out of files: `docker save` archives and OCI layouts.
//!
//! Layers are unpacked straight from their place in the archive; only a compressed archive is first
//! written out. Every digest is checked, so a file is trusted no more than a registry.
//! Rule: OCI image layout 1.1; Docker image specification 1.2 (`manifest.json`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::digest::Digest;
use super::disk::Disk;
use super::error::ImageError;
use super::index::{ImageRecord, Origin};
use super::layer::{Expected, decompress, mismatch};
use super::manifest::{ConfigFile, Descriptor, JSON_LEN_MAX, Manifest, choose};
use super::reference::Reference;

/// Links from file to file within an archive are followed so many times.
const LINKS_MAX: usize = 8;

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
        layers: diff_ids,
    };
    let names: Vec<_> = (found.names.iter())
        .map(|name| (name.canonical(), found.digest.clone(), Origin::Loaded))
        .collect();
    disk.add_image(&found.id, record, &names, &[])?;
    if found.names.is_empty() {
        return Ok(vec![found.id.to_string()]);
    }
    Ok(found.names.iter().map(Reference::familiar).collect())
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

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn missing(name: &str) -> ImageError {
    ImageError::malformed("image archive", format!("{name:?} is missing"))
}

/// The files of an archive, by name.
enum Source {
    Directory(PathBuf),
    Tar {
        file: Arc<File>,
        files: BTreeMap<String, (u64, u64)>,
        links: BTreeMap<String, String>,
    },
}

impl Source {
    fn open(disk: &Disk, path: &Path) -> Result<Source, ImageError> {
        let failed = || ImageError::io("open", path);
        let mut file = File::open(path).map_err(failed())?;
        if file.metadata().map_err(failed())?.is_dir() {
            return Ok(Source::Directory(path.to_owned()));
        }
        let mut magic = [0; 4];
        let read = file.read_at(&mut magic, 0).map_err(failed())?;
        if magic[..read].starts_with(&[0x1f, 0x8b]) || magic == [0x28, 0xb5, 0x2f, 0xfd] {
            file = written_out(disk, file)?;
        }
        scan(file).map_err(ImageError::io("read", path))
    }

    fn open_file(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, ImageError> {
        match self {
            Source::Directory(root) => {
                let within = rustix::fs::ResolveFlags::IN_ROOT;
                let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
                let path = root.join(name);
                let dir = File::open(root).map_err(ImageError::io("open", root))?;
                let mode = rustix::fs::Mode::empty();
                match rustix::fs::openat2(&dir, name, flags, mode, within) {
                    Ok(fd) => Ok(Some(Box::new(File::from(fd)))),
                    Err(rustix::io::Errno::NOENT) => Ok(None),
                    Err(error) => Err(ImageError::io("open", &path)(error.into())),
                }
            }
            Source::Tar { file, files, links } => {
                let mut name = clean(name);
                for _ in 0..LINKS_MAX {
                    match links.get(&name) {
                        Some(target) => name = target.clone(),
                        None => break,
                    }
                }
                let part = files.get(&name).map(|&(at, left)| {
                    Box::new(Part {
                        file: Arc::clone(file),
                        at,
                        left,
                    }) as Box<dyn Read + Send>
                });
                Ok(part)
            }
        }
    }

    /// The whole of a small file, if it is there.
    fn json(&self, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let Some(reader) = self.open_file(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        reader
            .take(JSON_LEN_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(ImageError::io("read", Path::new(name)))?;
        if bytes.len() as u64 > JSON_LEN_MAX {
            return Err(ImageError::malformed(
                "image archive",
                format!("{name:?} is too long"),
            ));
        }
        Ok(Some(bytes))
    }

    fn blob(&self, digest: &Digest) -> Result<Vec<u8>, ImageError> {
        let name = blob_name(digest);
        let bytes = self.json(&name)?.ok_or_else(|| missing(&name))?;
        let actual = Digest::of(&bytes);
        if actual != *digest {
            return Err(mismatch("image archive", digest, actual));
        }
        Ok(bytes)
    }
}

/// A decompressed copy, already unlinked.
fn written_out(disk: &Disk, compressed: File) -> Result<File, ImageError> {
    let path = disk.temporary_path();
    let copy = || -> io::Result<File> {
        let mut out = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        std::fs::remove_file(&path)?;
        io::copy(&mut decompress(compressed)?, &mut out)?;
        out.seek(SeekFrom::Start(0))?;
        Ok(out)
    };
    copy().map_err(ImageError::io("write", &path))
}

fn scan(file: File) -> io::Result<Source> {
    let (mut files, mut links) = (BTreeMap::new(), BTreeMap::new());
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = clean(&String::from_utf8_lossy(&entry.path_bytes()));
        match entry.header().entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                files.insert(name, (entry.raw_file_position(), entry.size()));
            }
            kind @ (tar::EntryType::Symlink | tar::EntryType::Link) => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = String::from_utf8_lossy(&target).into_owned();
                // A symbolic link is relative to its own directory, a hard link to the archive.
                let above = name.rsplit_once('/').map_or("", |(above, _)| above);
                let target = match kind {
                    tar::EntryType::Symlink => clean(&format!("{above}/{target}")),
                    _ => clean(&target),
                };
                links.insert(name, target);
            }
            _ => {}
        }
    }
    Ok(Source::Tar {
        file: Arc::new(archive.into_inner()),
        files,
        links,
    })
}

/// Without `.`, `..` and doubled slashes: a key of the archive's own map, never a path to open.
fn clean(name: &str) -> String {
    let mut kept = Vec::new();
    for component in name.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    kept.join("/")
}

/// A stretch of a file. Has its own position, so that threads may read the file at once.
struct Part {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let read = self.file.read_at(&mut buf[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
