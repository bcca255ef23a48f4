//! The JSON of images: manifests, indexes and configs, OCI's and Docker's.
//!
//! Only what is used is read; members unknown to us are ignored.
//! Rule: OCI image specification 1.1; Docker image manifest version 2, schema 2.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::error::ImageError;

/// Media types of manifests and indexes, in the order a registry is asked for them.
pub(super) const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// A manifest, index or config longer than this is refused, as Docker does.
pub(super) const JSON_LEN_MAX: u64 = 4 << 20;

/// Overlay's depth in Docker; a longer chain is refused before anything is fetched.
const LAYERS_MAX: usize = 127;

/// Names a blob: where a manifest points.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    pub platform: Option<Platform>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Platform {
    pub architecture: String,
    pub os: String,
    pub variant: Option<String>,
}

/// What a manifest document turned out to be.
#[derive(Debug)]
pub(super) enum Manifest {
    Index(Vec<Descriptor>),
    Image {
        config: Descriptor,
        layers: Vec<Descriptor>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

impl Manifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, ImageError> {
        let document: Document = serde_json::from_slice(bytes)
            .map_err(|error| ImageError::malformed("manifest", error))?;
        if document.schema_version != 2 {
            let media_type = "application/vnd.docker.distribution.manifest.v1+json".to_owned();
            return Err(ImageError::UnsupportedMediaType { media_type });
        }
        match document {
            Document {
                manifests: Some(manifests),
                config: None,
                ..
            } => Ok(Manifest::Index(manifests)),
            Document {
                manifests: None,
                config: Some(config),
                layers: Some(layers),
                ..
            } => {
                if layers.len() > LAYERS_MAX {
                    return Err(ImageError::malformed("manifest", "max depth exceeded"));
                }
                Ok(Manifest::Image { config, layers })
            }
            Document { media_type, .. } => Err(ImageError::UnsupportedMediaType { media_type }),
        }
    }
}

/// The architecture of this program in an image's words.
pub(super) fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The entry of an index for this machine. An entry without variant, or with the base one, wins.
pub(super) fn choose(entries: &[Descriptor]) -> Result<&Descriptor, ImageError> {
    let here = host_architecture();
    let rank = |entry: &&Descriptor| -> Option<u8> {
        let Some(platform) = &entry.platform else {
            return Some(3);
        };
        if platform.os != "linux" || platform.architecture != here {
            return None;
        }
        match platform.variant.as_deref() {
            None | Some("") => Some(0),
            Some("v1" | "v8") => Some(1),
            // A later x86-64 level may hold instructions that this processor lacks.
            Some(_) => None,
        }
    };
    entries
        .iter()
        .filter(|entry| {
            ACCEPTED.contains(&entry.media_type.as_str()) || entry.media_type.is_empty()
        })
        .filter_map(|entry| rank(&entry).map(|rank| (rank, entry)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, entry)| entry)
        .ok_or_else(|| ImageError::NoPlatform {
            platform: format!("linux/{here}"),
        })
}

/// What an image says of the container to be made from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    /// `NAME=value`, in order.
    #[serde(deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    pub working_dir: Option<String>,
    pub user: Option<String>,
    pub stop_signal: Option<String>,
    /// `80/tcp`, sorted.
    #[serde(deserialize_with = "keys", serialize_with = "as_keys")]
    pub exposed_ports: Vec<String>,
    /// Mount points that Docker would make an anonymous volume of, sorted.
    #[serde(deserialize_with = "keys", serialize_with = "as_keys")]
    pub volumes: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    pub healthcheck: Option<Healthcheck>,
}

/// Docker's `HEALTHCHECK`; durations in nanoseconds, 0 means Docker's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`; empty inherits.
    #[serde(deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    pub interval: u64,
    pub timeout: u64,
    pub start_period: u64,
    pub retries: u32,
}

/// The config blob as far as we read it.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigFile {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    /// RFC 3339.
    pub created: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: ImageConfig,
    pub rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
pub(super) struct RootFs {
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

impl ConfigFile {
    /// Reads a config blob that must describe `layers` layers for this machine.
    pub(super) fn parse(bytes: &[u8], layers: usize) -> Result<ConfigFile, ImageError> {
        let mut file: ConfigFile = serde_json::from_slice(bytes)
            .map_err(|error| ImageError::malformed("image config", error))?;
        if file.rootfs.diff_ids.len() != layers {
            let found = file.rootfs.diff_ids.len();
            let text = format!("{found} layer digests for {layers} layers");
            return Err(ImageError::malformed("image config", text));
        }
        let elsewhere = !file.architecture.is_empty() && file.architecture != host_architecture();
        if elsewhere || (!file.os.is_empty() && file.os != "linux") {
            let platform = format!("linux/{}", host_architecture());
            return Err(ImageError::NoPlatform { platform });
        }
        for text in [
            &mut file.config.working_dir,
            &mut file.config.user,
            &mut file.config.stop_signal,
        ] {
            text.take_if(|text| text.is_empty());
        }
        Ok(file)
    }
}

fn null_is_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

fn keys<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let map = Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(from)?;
    Ok(map.unwrap_or_default().into_keys().collect())
}

fn as_keys<S: serde::Serializer>(keys: &[String], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(
        keys.iter()
            .map(|key| (key, BTreeMap::<String, String>::new())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(architecture: &str, variant: Option<&str>) -> Descriptor {
        let variant = variant
            .map(|v| format!(r#","variant":"{v}""#))
            .unwrap_or_default();
        let digest = Digest::of(format!("{architecture}{variant}").as_bytes());
        serde_json::from_str(&format!(
            r#"{{"mediaType":"{}","digest":"{digest}","size":1,
               "platform":{{"os":"linux","architecture":"{architecture}"{variant}}}}}"#,
            ACCEPTED[2]
        ))
        .unwrap()
    }

    #[test]
    fn an_index_gives_the_entry_of_this_machine() {
        let here = host_architecture();
        let entries = [
            entry("s390x", None),
            entry(here, Some("v4")),
            entry(here, Some("v1")),
            entry(here, None),
        ];
        assert_eq!(choose(&entries).unwrap().digest, entries[3].digest);
        assert_eq!(choose(&entries[..3]).unwrap().digest, entries[2].digest);
        let error = choose(&entries[..2]).unwrap_err().to_string();
        assert!(error.ends_with(&format!(
            "no matching manifest for linux/{here} in the manifest list entries"
        )));
    }

    #[test]
    fn a_config_with_nulls_and_a_config_without_members_are_the_same() {
        let nulls = br#"{"config":{"Env":null,"Cmd":null,"ExposedPorts":null,"User":"","Labels":null},"rootfs":{"diff_ids":null}}"#;
        let bare = br#"{"rootfs":{}}"#;
        assert_eq!(
            ConfigFile::parse(nulls, 0).unwrap().config,
            ConfigFile::parse(bare, 0).unwrap().config
        );
    }

    /// JSON of the members that the readers know, with values that do not fit.
    fn document() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let value = prop_oneof![
            Just("null".to_owned()),
            Just("[]".to_owned()),
            Just("{}".to_owned()),
            Just("2".to_owned()),
            Just("-1".to_owned()),
            Just("1e99".to_owned()),
            Just(r#""x""#.to_owned()),
            Just(format!("{:?}", Digest::of(b"x").to_string())),
            Just(format!("[{:?}]", Digest::of(b"x").to_string())),
        ];
        let key = proptest::sample::select(vec![
            "schemaVersion",
            "mediaType",
            "manifests",
            "config",
            "layers",
            "digest",
            "size",
            "platform",
            "os",
            "architecture",
            "variant",
            "annotations",
            "rootfs",
            "diff_ids",
            "Env",
            "Cmd",
            "Healthcheck",
            "Test",
            "Volumes",
            "ExposedPorts",
            "Labels",
            "created",
        ]);
        value.prop_recursive(4, 40, 6, move |inner| {
            let member =
                (key.clone(), inner.clone()).prop_map(|(key, value)| format!("{key:?}:{value}"));
            prop_oneof![
                proptest::collection::btree_set(member, 0..6).prop_map(|members| format!(
                    "{{{}}}",
                    members.into_iter().collect::<Vec<_>>().join(",")
                )),
                proptest::collection::vec(inner, 0..4)
                    .prop_map(|items| format!("[{}]", items.join(","))),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn no_document_makes_the_readers_panic(text in document(), layers in 0usize..3) {
            if let Ok(Manifest::Index(entries)) = Manifest::parse(text.as_bytes()) {
                let _ = choose(&entries);
            }
            if let Ok(file) = ConfigFile::parse(text.as_bytes(), layers) {
                proptest::prop_assert_eq!(file.rootfs.diff_ids.len(), layers);
            }
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = (Manifest::parse(&bytes), ConfigFile::parse(&bytes, 0));
        }
    }
}
