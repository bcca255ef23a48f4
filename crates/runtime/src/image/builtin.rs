//! Images that are part of this program: one static executable, made into a layer in memory.

use std::io::Cursor;

use serde_json::json;

use super::digest::Digest;
use super::disk::Disk;
use super::error::ImageError;
use super::index::{ImageRecord, Origin};
use super::layer::Expected;
use super::manifest::{ConfigFile, host_architecture};
use super::reference::Reference;

/// Makes the image, unless exactly it is there.
pub(super) fn install(
    disk: &Disk,
    reference: &Reference,
    program: &[u8],
) -> Result<(), ImageError> {
    let _adding = disk.adding().blocking_read();
    let name = reference.path().rsplit('/').next().unwrap_or("program");
    let layer = layer(name, program).map_err(|error| ImageError::malformed("layer", error))?;
    let diff_id = Digest::of(&layer);
    let config = json!({
        "architecture": host_architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": [format!("/{name}")],
            "Env": ["PATH=/"],
            "WorkingDir": "/",
            "ExposedPorts": { "80/tcp": {} },
        },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    })
    .to_string();
    let id = Digest::of(config.as_bytes());
    let canonical = reference.canonical();
    if disk
        .index()
        .names
        .get(&canonical)
        .is_some_and(|known| known.image == id)
    {
        return Ok(());
    }
    let lock = disk.layer_lock(&diff_id);
    let once = lock.blocking_lock();
    if !disk.has_layer(&diff_id) {
        let expected = Expected {
            diff_id: diff_id.clone(),
            blob: None,
        };
        disk.add_layer(Box::new(Cursor::new(layer)), &expected)?;
    }
    drop(once);
    let config = ConfigFile::parse(config.as_bytes(), 1)?.config;
    let record = ImageRecord {
        config,
        created: None,
        layers: vec![diff_id],
    };
    disk.add_image(
        &id,
        record,
        &[(canonical, id.clone(), Origin::BuiltIn)],
        &[],
    )
}

/// The same bytes for the same program, always.
fn layer(name: &str, program: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let passwd: &[u8] =
        b"root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
    let group: &[u8] = b"root:x:0:\nnogroup:x:65534:\n";
    for (path, mode, content) in [
        ("etc/", 0o755, None),
        ("etc/passwd", 0o644, Some(passwd)),
        ("etc/group", 0o644, Some(group)),
        ("tmp/", 0o1777, None),
        (name, 0o755, Some(program)),
    ] {
        let mut header = tar::Header::new_ustar();
        let is_directory = content.is_none();
        header.set_entry_type(if is_directory {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        let content = content.unwrap_or_default();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content)?;
    }
    tar.into_inner()
}
