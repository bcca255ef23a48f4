//! `docker save` archives: `manifest.json`, configs and layers in one tar, which may be gzipped.
//!
//! Read in two passes over the file, since the manifest may stand behind the layers: first names and
//! small documents, then each layer, straight into the store.

use super::digest::Digest;
use super::disk::Disk;
use super::error::ImageError;
use super::index::{ImageRecord, Origin};
use super::layer::Expected;
use super::manifest::ConfigFile;
use super::reference::Reference;
use flate2::read::GzDecoder;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

/// Manifests and configs are small; larger members are layers.
const DOCUMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Loads every image of an archive; the names that it brought.
pub(super) fn load(disk: &Disk, path: &Path) -> Result<Vec<String>, ImageError> {
    let documents = documents(path)?;
    let malformed = |text: &str| ImageError::malformed("image archive", text);
    let manifest = documents
        .get("manifest.json")
        .ok_or_else(|| malformed("it has no manifest.json"))?;
    let entries: Vec<Entry> = serde_json::from_slice(manifest)
        .map_err(|error| ImageError::malformed("image archive", error))?;
    let mut names = Vec::new();
    for entry in entries {
        let config = documents
            .get(&entry.config)
            .ok_or_else(|| malformed("a config is missing"))?;
        let id = Digest::of(config);
        let file = ConfigFile::parse(config, entry.layers.len())?;
        let wanted: BTreeMap<&str, &Digest> = entry
            .layers
            .iter()
            .map(String::as_str)
            .zip(&file.rootfs.diff_ids)
            .collect();
        add_layers(disk, path, &wanted)?;
        if file
            .rootfs
            .diff_ids
            .iter()
            .any(|diff_id| !disk.has_layer(diff_id))
        {
            return Err(malformed("a layer is missing"));
        }
        let tags = entry.repo_tags.unwrap_or_default();
        let references = tags.iter().filter_map(|tag| Reference::parse(tag));
        let named: Vec<_> = references
            .map(|reference| (reference.canonical(), id.clone(), Origin::Loaded))
            .collect();
        let image = ImageRecord {
            config: file.config,
            layers: file.rootfs.diff_ids,
        };
        disk.add_image(&id, image, &named, &[])?;
        names.extend(tags);
    }
    Ok(names)
}

fn open(path: &Path) -> Result<tar::Archive<Box<dyn Read>>, ImageError> {
    let failed = || ImageError::io("open", path);
    let mut file = File::open(path).map_err(failed())?;
    let mut magic = [0; 2];
    let short = file.read(&mut magic).map_err(failed())? < 2;
    let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed())?);
    let reader: Box<dyn Read> = if !short && magic == GZIP_MAGIC {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    Ok(tar::Archive::new(reader))
}

fn name_of<R: Read>(entry: &tar::Entry<'_, R>) -> String {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    name.strip_prefix("./").map(str::to_owned).unwrap_or(name)
}

/// Small members by name.
fn documents(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, ImageError> {
    let mut archive = open(path)?;
    let mut documents = BTreeMap::new();
    for entry in archive.entries().map_err(ImageError::io("read", path))? {
        let entry = entry.map_err(ImageError::io("read", path))?;
        let name = name_of(&entry);
        let is_layer = name.ends_with(".tar") || name.ends_with(".tar.gz");
        if entry.header().entry_type().is_file() && entry.size() <= DOCUMENT_BYTES_MAX && !is_layer
        {
            let mut bytes = Vec::new();
            entry
                .take(DOCUMENT_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map_err(ImageError::io("read", path))?;
            documents.insert(name, bytes);
        }
    }
    Ok(documents)
}

fn add_layers(
    disk: &Disk,
    path: &Path,
    wanted: &BTreeMap<&str, &Digest>,
) -> Result<(), ImageError> {
    let mut archive = open(path)?;
    for entry in archive.entries().map_err(ImageError::io("read", path))? {
        let mut entry = entry.map_err(ImageError::io("read", path))?;
        let name = name_of(&entry);
        let Some(diff_id) = wanted.get(name.as_str()) else {
            continue;
        };
        if disk.has_layer(diff_id) {
            continue;
        }
        // The store reads a layer on two threads; the archive's reader stays on this one.
        let mut spool = tempfile_beside(disk)?;
        std::io::copy(&mut entry, &mut spool).map_err(ImageError::io("write", path))?;
        std::io::Seek::rewind(&mut spool).map_err(ImageError::io("read", path))?;
        disk.add_layer(
            Box::new(spool),
            &Expected {
                diff_id: (*diff_id).clone(),
                blob: None,
            },
        )?;
    }
    Ok(())
}

/// A file without a name, gone when it is closed.
fn tempfile_beside(disk: &Disk) -> Result<File, ImageError> {
    let path = disk.temporary_path();
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(ImageError::io("create", &path))?;
    std::fs::remove_file(&path).map_err(ImageError::io("remove", &path))?;
    Ok(file)
}

/// A layer of one program, `/tmp` and a password file that knows root.
pub(super) fn layer_of_program(file: &str, program: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, mode: u32, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        tar.append_data(&mut header, name, Cursor::new(content))
            .expect("a Vec takes every byte, and the names are short");
    };
    add(file, tar::EntryType::Regular, 0o755, program);
    add("etc", tar::EntryType::Directory, 0o755, b"");
    add(
        "etc/passwd",
        tar::EntryType::Regular,
        0o644,
        b"root:x:0:0:root:/:/\n",
    );
    add("etc/group", tar::EntryType::Regular, 0o644, b"root:x:0:\n");
    add("tmp", tar::EntryType::Directory, 0o1777, b"");
    tar.into_inner().expect("a Vec takes every byte")
}
