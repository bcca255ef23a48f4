//! The image store from outside: archives taken in, pins, removal, and what a killed process leaves.
//! Needs root.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use runtime::image::{CleanupPolicy, Digest, DiskStore, ImageError, ImageStore, PullBehavior};

/// One file in a layer.
fn layer(content: &[u8]) -> Vec<u8> {
    tar_of(&[("file", content)])
}

fn tar_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A `docker save` archive of one image with these names.
fn saved(names: &[&str], layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers
        .iter()
        .map(|layer| Digest::of(layer).to_string())
        .collect();
    let config = serde_json::json!({"os": "linux", "config": {}, "rootfs": {"diff_ids": diff_ids}})
        .to_string();
    let files: Vec<_> = (0..layers.len())
        .map(|number| format!("{number}/layer.tar"))
        .collect();
    let manifest =
        serde_json::json!([{"Config": "config.json", "RepoTags": names, "Layers": files}])
            .to_string();
    let mut members = vec![
        ("config.json", config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
    ];
    members.extend(
        files
            .iter()
            .map(String::as_str)
            .zip(layers.iter().map(Vec::as_slice)),
    );
    tar_of(&members)
}

struct Place {
    dir: tempfile::TempDir,
    store: DiskStore,
}

impl Place {
    fn new() -> Place {
        assert!(
            rustix::process::geteuid().is_root(),
            "layers have owners: run these tests as root"
        );
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(&dir.path().join("images")).unwrap();
        Place { dir, store }
    }

    /// As after kill -9: what was in memory is gone.
    fn reopen(self) -> Place {
        let Place { dir, store } = self;
        drop(store);
        let store = DiskStore::open(&dir.path().join("images")).unwrap();
        Place { dir, store }
    }

    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join("archive");
        fs::write(&path, content).unwrap();
        path
    }

    async fn load(&self, content: &[u8]) -> Result<Vec<String>, ImageError> {
        self.store.load(&self.file(content)).await
    }

    fn layers(&self) -> BTreeSet<String> {
        names_in(&self.store.layers_dir())
    }
}

fn names_in(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

async fn image(store: &DiskStore, name: &str) -> std::sync::Arc<runtime::image::Image> {
    store
        .ensure(name, None, PullBehavior::PreferCached)
        .await
        .unwrap()
        .image
}

#[tokio::test]
async fn a_pin_outlives_the_process_and_keeps_the_image_from_removal() {
    let place = Place::new();
    place
        .load(&saved(&["app:1"], &[layer(b"1")]))
        .await
        .unwrap();
    let pinned = image(&place.store, "app:1").await;
    place.store.pin("owner-1", &pinned).await.unwrap();
    let place = place.reopen();
    assert_eq!(place.store.pinned().await.unwrap(), ["owner-1"]);
    let refused = place.store.remove("app:1").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "image app:1 is in use by container owner-1"
    );
    place.store.unpin("owner-1").await.unwrap();
    place.store.unpin("owner-1").await.unwrap();
    assert!(place.store.remove("app:1").await.unwrap());
    assert!(!place.store.remove("app:1").await.unwrap());
    assert_eq!(place.layers(), BTreeSet::from(["empty".to_owned()]));
    // It was removed between being given and being pinned: the caller must ask again.
    let late = place.store.pin("owner-2", &pinned).await.unwrap_err();
    assert!(matches!(late, ImageError::NoSuchImage { .. }), "{late}");
    assert!(place.store.pinned().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_layer_stays_while_any_image_has_it() {
    let place = Place::new();
    let (shared, own) = (layer(b"shared"), layer(b"own"));
    place
        .load(&saved(&["one:1", "alias:1"], &[shared.clone(), own]))
        .await
        .unwrap();
    place.load(&saved(&["two:1"], &[shared])).await.unwrap();
    let all = place.layers();
    assert_eq!(all.len(), 3);
    assert!(place.store.remove("one:1").await.unwrap());
    assert_eq!(place.layers(), all, "it has another name");
    assert!(place.store.remove("alias:1").await.unwrap());
    assert_eq!(place.layers().len(), 2);
    let two = image(&place.store, "two:1").await;
    assert_eq!(fs::read(two.layers[0].join("file")).unwrap(), b"shared");
}

#[tokio::test]
async fn what_was_loaded_is_never_removed_by_itself() {
    let place = Place::new();
    let unnamed = place.load(&saved(&[], &[layer(b"no name")])).await.unwrap();
    place
        .load(&saved(&["app:1"], &[layer(b"1")]))
        .await
        .unwrap();
    let eager = CleanupPolicy {
        minimum_age: Duration::ZERO,
        images_max: 100,
    };
    assert_eq!(
        place.store.clean_up(eager).await.unwrap(),
        Vec::<String>::new()
    );
    let place = place.reopen();
    let listed = place.store.list().await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|image| image.reference == unnamed[0]));
    image(&place.store, &unnamed[0]).await;
    assert!(place.store.remove(&unnamed[0]).await.unwrap());
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let place = Place::new();
    let second = DiskStore::open(&place.dir.path().join("images")).unwrap_err();
    assert!(matches!(second, ImageError::StoreLocked { .. }), "{second}");
}

#[tokio::test]
async fn a_zstd_archive_and_a_zstd_bomb() {
    let place = Place::new();
    let packed = zstd::encode_all(&saved(&["packed:1"], &[layer(b"1")])[..], 3).unwrap();
    assert_eq!(place.load(&packed).await.unwrap(), ["packed:1"]);
    let options = runtime::image::StoreOptions {
        limits: runtime::image::Limits {
            layer_bytes_max: 1 << 20,
            ..Default::default()
        },
        ..Default::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let small = DiskStore::open_with(&dir.path().join("images"), options).unwrap();
    let bomb = zstd::encode_all(&vec![0u8; 64 << 20][..], 3).unwrap();
    assert!(bomb.len() < 1 << 16);
    let refused = small
        .load(&place.file(&bomb))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("too large"), "{refused}");
    assert!(names_in(&dir.path().join("images/tmp")).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever happened to an archive's bytes: it is taken in whole, or nothing is left of it.
    #[test]
    fn a_damaged_archive_is_loaded_whole_or_leaves_nothing(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        packed: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let mut archive = saved(&["app:1"], &[layer(b"one"), layer(b"two")]);
            if packed {
                archive = zstd::encode_all(&archive[..], 1).unwrap();
            }
            for (at, byte) in flips {
                let at = at.index(archive.len());
                archive[at] = byte;
            }
            if let Some(cut) = cut {
                archive.truncate(cut.index(archive.len()));
            }
            match place.load(&archive).await {
                Ok(names) => {
                    for name in names {
                        let image = image(&place.store, &name).await;
                        assert!(image.layers.iter().all(|layer| layer.is_dir()));
                    }
                }
                Err(_) => {
                    assert_eq!(place.layers(), BTreeSet::from(["empty".to_owned()]));
                    assert!(place.store.list().await.unwrap().is_empty());
                }
            }
            assert!(names_in(&place.dir.path().join("images/tmp")).is_empty());
        });
    }
}
