//! Layers, honest and hostile, unpacked as root: nothing may be made outside their directory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Cursor;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tar::EntryType;

use super::{Limits, UnpackError, Unpacked, unpack};

/// A layer's directory with neighbours that no layer may reach.
struct Place {
    _dir: tempfile::TempDir,
    outside: PathBuf,
    root: PathBuf,
}

impl Place {
    fn new() -> Place {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests make devices: run them as root"
        );
        let dir = tempfile::tempdir().unwrap();
        let (outside, root) = (dir.path().join("outside"), dir.path().join("a/b/root"));
        fs::create_dir_all(&outside).unwrap();
        fs::create_dir_all(&root).unwrap();
        fs::write(outside.join("secret"), "untouched").unwrap();
        Place {
            _dir: dir,
            outside,
            root,
        }
    }

    fn unpack(&self, archive: &[u8]) -> Result<Unpacked, UnpackError> {
        self.unpack_within(archive, Limits::default())
    }

    fn unpack_within(&self, archive: &[u8], limits: Limits) -> Result<Unpacked, UnpackError> {
        let unpacked = unpack(
            &mut Cursor::new(archive),
            &File::open(&self.root).unwrap(),
            limits,
        );
        self.check_outside();
        unpacked
    }

    /// All that is not the layer's is as it was.
    fn check_outside(&self) {
        let names = |path: &Path| {
            let mut names: Vec<_> = fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        let secret = self.outside.join("secret");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "untouched");
        assert_eq!(fs::metadata(&secret).unwrap().nlink(), 1);
        assert_eq!(names(&self.outside), ["secret"]);
        assert_eq!(names(self.root.parent().unwrap()), ["root"]);
        assert_eq!(names(self._dir.path()), ["a", "outside"]);
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

/// An entry as raw as an attacker writes it: no path is checked.
fn raw(kind: EntryType, path: &[u8], link: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(content.len() as u64);
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    if matches!(kind, EntryType::Char | EntryType::Block) {
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(path: &str, content: &str) -> Vec<u8> {
    raw(EntryType::Regular, path.as_bytes(), b"", content.as_bytes())
}

fn directory(path: &str) -> Vec<u8> {
    raw(EntryType::Directory, path.as_bytes(), b"", b"")
}

fn symlink(path: &str, target: &str) -> Vec<u8> {
    raw(EntryType::Symlink, path.as_bytes(), target.as_bytes(), b"")
}

fn hard_link(path: &str, target: &str) -> Vec<u8> {
    raw(EntryType::Link, path.as_bytes(), target.as_bytes(), b"")
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut content = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while rest + length.to_string().len() != length {
            length = rest + length.to_string().len();
        }
        content.extend_from_slice(format!("{length} {key}=").as_bytes());
        content.extend_from_slice(value);
        content.push(b'\n');
    }
    raw(EntryType::XHeader, b"pax", b"", &content)
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn opaque(path: &Path) -> Option<Vec<u8>> {
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(path, "trusted.overlay.opaque", &mut value).ok()?;
    Some(value[..length].to_vec())
}

#[test]
fn paths_that_leave_the_layer_are_refused() {
    for path in [
        "../x",
        "../../outside/x",
        "a/../../x",
        "..",
        "/../x",
        "./../x",
        "a/b/../../../x",
    ] {
        for entry in [
            file(path, "x"),
            directory(path),
            symlink(path, "y"),
            hard_link(path, "y"),
        ] {
            let place = Place::new();
            let error = place.unpack(&archive(&[entry])).unwrap_err();
            assert!(
                matches!(error, UnpackError::LeavesRoot { .. }),
                "{path}: {error}"
            );
        }
    }
    let place = Place::new();
    let long = archive(&[
        pax(&[("path", b"../../../outside/x")]),
        file("harmless", "x"),
    ]);
    assert!(matches!(
        place.unpack(&long),
        Err(UnpackError::LeavesRoot { .. })
    ));
}

#[test]
fn absolute_paths_and_inner_dots_stay_inside() {
    let place = Place::new();
    let outside = place.outside.join("planted").to_string_lossy().into_owned();
    let archive = archive(&[
        file("/etc/x", "1"),
        file("a/../b", "2"),
        file(".//./c", "3"),
        pax(&[("path", outside.as_bytes())]),
        file("y", "4"),
    ]);
    place.unpack(&archive).unwrap();
    for (path, content) in [
        ("etc/x", "1"),
        ("b", "2"),
        ("c", "3"),
        (outside.trim_start_matches('/'), "4"),
    ] {
        assert_eq!(
            fs::read_to_string(place.at(path)).unwrap(),
            content,
            "{path}"
        );
    }
}

#[test]
fn links_on_the_way_are_resolved_within_the_layer() {
    let place = Place::new();
    let outside = place.outside.to_string_lossy().into_owned();
    let up = "../".repeat(12) + outside.trim_start_matches('/');
    for (number, target) in [outside.as_str(), &up, "/proc/self/root", "/", "../"]
        .into_iter()
        .enumerate()
    {
        let link = format!("link{number}");
        let archive = archive(&[
            symlink(&link, target),
            file(&format!("{link}/planted{number}"), "x"),
            directory(&format!("{link}/d{number}")),
            file(&format!("{link}/secret"), "overwritten"),
        ]);
        place
            .unpack(&archive)
            .unwrap_or_else(|error| panic!("{target}: {error}"));
        // Whoever enters the layer as its root finds the file where the link leads.
        let planted = place
            .at(target.trim_start_matches('/').trim_start_matches("../"))
            .join(format!("planted{number}"));
        assert_eq!(fs::read_to_string(&planted).unwrap(), "x", "{target}");
    }
}

#[test]
fn a_last_component_that_is_a_link_is_replaced_not_followed() {
    let place = Place::new();
    let secret = place.outside.join("secret").to_string_lossy().into_owned();
    let archive = archive(&[
        symlink("link", &secret),
        file("link", "mine"),
        symlink("dir", &secret),
        directory("dir"),
        file("dir/x", "y"),
    ]);
    place.unpack(&archive).unwrap();
    assert!(fs::symlink_metadata(place.at("link")).unwrap().is_file());
    assert_eq!(fs::read_to_string(place.at("link")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(place.at("dir/x")).unwrap(), "y");
}

#[test]
fn hard_links_reach_only_what_the_layer_holds() {
    let place = Place::new();
    let secret = place.outside.join("secret").to_string_lossy().into_owned();
    let outside = place.outside.to_string_lossy().into_owned();
    for entries in [
        vec![hard_link("x", &secret)],
        vec![hard_link("x", "../../../outside/secret")],
        vec![symlink("d", &outside), hard_link("x", "d/secret")],
        vec![hard_link("x", "/")],
        vec![hard_link("x", "absent")],
    ] {
        assert!(place.unpack(&archive(&entries)).is_err());
        assert!(fs::symlink_metadata(place.at("x")).is_err());
    }
    // A link to a symbolic link is one more name of the link, never of its target.
    place
        .unpack(&archive(&[
            symlink("l", &secret),
            hard_link("m", "l"),
            file("f", "1"),
            hard_link("g", "/f"),
            hard_link("f", "f"),
        ]))
        .unwrap();
    assert!(fs::symlink_metadata(place.at("m")).unwrap().is_symlink());
    assert_eq!(
        fs::metadata(place.at("f")).unwrap().ino(),
        fs::metadata(place.at("g")).unwrap().ino()
    );
}

#[test]
fn devices_and_fifos_are_made_inside_only() {
    let place = Place::new();
    let archive = archive(&[
        raw(EntryType::Char, b"null", b"", b""),
        raw(EntryType::Block, b"disk", b"", b""),
        raw(EntryType::Fifo, b"fifo", b"", b""),
    ]);
    place.unpack(&archive).unwrap();
    let kind = |path: &str| fs::symlink_metadata(place.at(path)).unwrap();
    assert!(
        kind("null").file_type().is_char_device()
            && kind("null").rdev() == rustix::fs::makedev(1, 3)
    );
    assert!(kind("disk").file_type().is_block_device());
    assert!(kind("fifo").file_type().is_fifo());
    assert_eq!(kind("null").permissions().mode() & 0o7777, 0o644);
    let error = place
        .unpack(&self::archive(&[raw(EntryType::new(b'?'), b"x", b"", b"")]))
        .unwrap_err();
    assert!(error.to_string().contains("unknown type"), "{error}");
}

#[test]
fn whiteouts_become_the_overlay_s_own() {
    let place = Place::new();
    let archive = archive(&[
        file(".wh.gone", ""),
        directory("d"),
        file("d/.wh..wh..opq", ""),
        file("d/kept", "x"),
        file("both", "new"),
        file(".wh.both", ""),
        directory("replaced"),
        file(".wh.replaced", ""),
        file(".wh..wh.plnk", ""),
        file(".wh.first", ""),
        directory("first"),
    ]);
    place.unpack(&archive).unwrap();
    let gone = fs::symlink_metadata(place.at("gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert_eq!(opaque(&place.at("d")).as_deref(), Some(&b"y"[..]));
    // A whiteout hides what is below, not what its own layer holds.
    assert_eq!(fs::read_to_string(place.at("d/kept")).unwrap(), "x");
    assert_eq!(fs::read_to_string(place.at("both")).unwrap(), "new");
    assert_eq!(opaque(&place.at("replaced")).as_deref(), Some(&b"y"[..]));
    assert_eq!(opaque(&place.at("first")).as_deref(), Some(&b"y"[..]));
    assert!(!fs::read_dir(&place.root).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".wh.")
    }));
}

#[test]
fn whiteouts_of_nothing_and_of_the_outside_are_refused() {
    for path in [".wh.", ".wh...", "d/.wh...", ".wh.."] {
        let place = Place::new();
        let error = place.unpack(&archive(&[file(path, "")])).unwrap_err();
        assert!(
            matches!(error, UnpackError::LeavesRoot { .. }),
            "{path}: {error}"
        );
    }
    let place = Place::new();
    let outside = place.outside.to_string_lossy().into_owned();
    place
        .unpack(&archive(&[
            symlink("l", &outside),
            file("l/.wh.secret", ""),
            file("l/.wh..wh..opq", ""),
        ]))
        .unwrap();
    assert_eq!(opaque(&place.outside), None);
}

#[test]
fn attributes_of_the_overlay_are_refused_and_others_kept() {
    for name in ["trusted.overlay.redirect", "user.overlay.opaque"] {
        let place = Place::new();
        let error = place
            .unpack(&archive(&[
                pax(&[(&format!("SCHILY.xattr.{name}"), b"/etc")]),
                directory("d"),
            ]))
            .unwrap_err();
        assert!(error.to_string().contains("overlayfs attribute"), "{error}");
    }
    let place = Place::new();
    // cap_net_bind_service=ep, as `setcap` writes it.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    place
        .unpack(&archive(&[
            pax(&[
                ("SCHILY.xattr.security.capability", &capability),
                ("uid", b"1000"),
                ("mtime", b"12.5"),
            ]),
            file("f", "x"),
        ]))
        .unwrap();
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(place.at("f"), "security.capability", &mut value).unwrap();
    assert_eq!(value[..length], capability);
    let stat = fs::metadata(place.at("f")).unwrap();
    assert_eq!(
        (stat.uid(), stat.mtime(), stat.mtime_nsec()),
        (1000, 12, 500_000_000)
    );
}

#[test]
fn a_later_entry_replaces_an_earlier_one_of_another_kind() {
    let place = Place::new();
    let archive = archive(&[
        directory("a"),
        file("a/deep/file", "x"),
        file("a", "file now"),
        file("b", "x"),
        directory("b"),
        file("b/inner", "y"),
        directory("c"),
        directory("c"),
        file("c/kept", "z"),
        directory("c"),
    ]);
    place.unpack(&archive).unwrap();
    assert_eq!(fs::read_to_string(place.at("a")).unwrap(), "file now");
    assert_eq!(fs::read_to_string(place.at("b/inner")).unwrap(), "y");
    assert_eq!(fs::read_to_string(place.at("c/kept")).unwrap(), "z");
}

#[test]
fn limits_hold_and_damage_is_named() {
    let place = Place::new();
    let limits = Limits {
        layer_bytes_max: 10,
        layer_entries_max: 2,
    };
    let three = archive(&[directory("a"), directory("b"), directory("c")]);
    assert!(matches!(
        place.unpack_within(&three, limits),
        Err(UnpackError::TooLarge {
            what: "entries",
            ..
        })
    ));
    let long = archive(&[file("f", "more than ten bytes")]);
    assert!(matches!(
        place.unpack_within(&long, limits),
        Err(UnpackError::TooLarge { what: "bytes", .. })
    ));
    // What a header promises is not believed: neither memory nor disk is taken for it.
    let mut promise = raw(EntryType::GNULongName, b"x", b"", b"");
    promise[124..136].copy_from_slice(b"77777777777\0");
    let sum: u32 = promise[..512]
        .iter()
        .enumerate()
        .map(|(at, &byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u32::from(byte)
            }
        })
        .sum();
    promise[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(matches!(
        place.unpack(&promise),
        Err(UnpackError::TooLarge {
            what: "bytes of extended header",
            ..
        })
    ));
    let whole = archive(&[file("f", &"x".repeat(2000))]);
    for cut in [1, 511, 513, 1024, 2511] {
        assert!(place.unpack(&whole[..cut]).is_err(), "{cut}");
    }
    let mut other = whole;
    other[0] ^= 1;
    assert!(matches!(
        place.unpack(&other),
        Err(UnpackError::Damaged { .. })
    ));
}

/// Names that meet one another, so that links, files and whiteouts get into each other's way.
fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("a"),
        Just("b"),
        Just(".."),
        Just("."),
        Just(".wh.a"),
        Just(".wh..wh..opq"),
        Just("")
    ];
    proptest::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"))
}

fn entry() -> impl Strategy<Value = (u8, String, String)> {
    (0u8..8, path(), path())
}

fn bytes_of(outside: &Path, (kind, path, link): &(u8, String, String)) -> Vec<u8> {
    let outside = outside.to_string_lossy();
    match kind {
        0 | 1 => file(path, link),
        2 => directory(path),
        3 => symlink(path, link),
        4 => symlink(path, &format!("{outside}/{link}")),
        5 => hard_link(path, link),
        6 => raw(EntryType::Char, path.as_bytes(), b"", b""),
        _ => [
            pax(&[("path", path.as_bytes()), ("linkpath", link.as_bytes())]),
            symlink("x", "y"),
        ]
        .concat(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However entries are combined, the neighbours stay as they were ([`Place::check_outside`]).
    #[test]
    fn no_layer_reaches_out(entries in proptest::collection::vec(entry(), 1..12)) {
        let place = Place::new();
        let entries: Vec<_> = entries.iter().map(|entry| bytes_of(&place.outside, entry)).collect();
        let _ = place.unpack(&archive(&entries));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), flips in proptest::collection::btree_map(0usize..3000, any::<u8>(), 0..6)) {
        let limits = Limits { layer_bytes_max: 1 << 20, layer_entries_max: 100 };
        let place = Place::new();
        let _ = place.unpack_within(&bytes, limits);
        let mut honest = archive(&[pax(&[("path", b"long"), ("SCHILY.xattr.user.x", b"y"), ("mtime", b"1.5")]), file("f", "content"), symlink("l", "f"), hard_link("h", "f")]);
        flip(&mut honest, &flips);
        let _ = place.unpack_within(&honest, limits);
    }
}

/// Changes bytes, and mends the checksums of headers so that the reader gets past them.
fn flip(archive: &mut [u8], flips: &BTreeMap<usize, u8>) {
    for (&at, &byte) in flips {
        if let Some(place) = archive.get_mut(at) {
            *place = byte;
        }
    }
    for block in archive.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            let sum: u32 = block
                .iter()
                .enumerate()
                .map(|(at, &byte)| {
                    if (148..156).contains(&at) {
                        32
                    } else {
                        u32::from(byte)
                    }
                })
                .sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}
