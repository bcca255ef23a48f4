//! Whom a host is at which registry, as ECS users say it: the agent's `ECS_ENGINE_AUTH_TYPE` and
//! `ECS_ENGINE_AUTH_DATA`, or Docker's `config.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::image::RegistryAuth;
use crate::image::error::ImageError;

/// Docker's `config.json` longer than this is refused.
const FILE_LEN_MAX: usize = 1 << 20;

/// The users of one host, by registry.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    known: BTreeMap<String, RegistryAuth>,
    /// A `config.json`, read anew for each pull: `docker login` takes effect at once.
    file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Entry {
    username: Option<String>,
    password: Option<String>,
    /// `username:password` in base64.
    auth: Option<String>,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

impl Credentials {
    /// Reads the agent's two variables: `docker` data holds user names and passwords, `dockercfg` data
    /// the `auth` members of a `config.json`.
    ///
    /// # Errors
    /// An unknown type, or data that is not of it. The text never holds the data.
    pub fn from_engine_auth(auth_type: &str, data: &str) -> Result<Credentials, ImageError> {
        let what = "ECS_ENGINE_AUTH_DATA";
        if !matches!(auth_type, "docker" | "dockercfg") {
            let text = format!("{auth_type:?} is neither \"docker\" nor \"dockercfg\"");
            return Err(ImageError::malformed("ECS_ENGINE_AUTH_TYPE", text));
        }
        let entries: BTreeMap<String, Entry> = serde_json::from_str(data)
            .map_err(|_| ImageError::malformed(what, "it is not the JSON of its type"))?;
        Ok(Credentials {
            known: by_host(entries, what)?,
            file: None,
        })
    }

    /// Looks into this `config.json`, too.
    #[must_use]
    pub fn with_file(mut self, file: Option<PathBuf>) -> Credentials {
        self.file = file;
        self
    }

    /// The user at `host` (as a reference names it), if one is known.
    ///
    /// # Errors
    /// The `config.json` cannot be read or understood.
    pub(in crate::image) async fn user_at(
        &self,
        host: &str,
    ) -> Result<Option<RegistryAuth>, ImageError> {
        if let Some(known) = self.known.get(host) {
            return Ok(Some(known.clone()));
        }
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let bytes = tokio::fs::read(file)
            .await
            .map_err(ImageError::io("open", file))?;
        Ok(parse_config(&bytes)?.remove(host))
    }
}

fn parse_config(bytes: &[u8]) -> Result<BTreeMap<String, RegistryAuth>, ImageError> {
    let what = "docker config";
    if bytes.len() > FILE_LEN_MAX {
        return Err(ImageError::malformed(what, "it is too long"));
    }
    let config: DockerConfig = serde_json::from_slice(bytes)
        .map_err(|_| ImageError::malformed(what, "it is not the JSON of a config.json"))?;
    by_host(config.auths, what)
}

/// Entries that name a user; one without (a credential helper's mark) counts as absent.
fn by_host(
    entries: BTreeMap<String, Entry>,
    what: &'static str,
) -> Result<BTreeMap<String, RegistryAuth>, ImageError> {
    let mut users = BTreeMap::new();
    for (key, entry) in entries {
        let user = match (entry.username, entry.password, entry.auth) {
            (Some(username), Some(password), _) => RegistryAuth { username, password },
            (_, _, Some(auth)) if !auth.is_empty() => decoded(&auth).ok_or_else(|| {
                ImageError::malformed(
                    what,
                    format!("auth of {key:.100} is not base64 of name:password"),
                )
            })?,
            _ => continue,
        };
        users.insert(host_of(&key).to_owned(), user);
    }
    Ok(users)
}

fn decoded(auth: &str) -> Option<RegistryAuth> {
    let text = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(RegistryAuth {
        username: username.to_owned(),
        // Docker's oldest writers padded with NULs.
        password: password.trim_end_matches('\0').to_owned(),
    })
}

/// `https://index.docker.io/v1/` and its like are `docker.io`; of other keys the host counts.
fn host_of(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, after)| after);
    match key.split('/').next().unwrap_or(key) {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(username: &str, password: &str) -> RegistryAuth {
        RegistryAuth {
            username: username.into(),
            password: password.into(),
        }
    }

    #[test]
    fn both_types_of_engine_auth_data_are_read() {
        let docker = r#"{"https://index.docker.io/v1/":{"username":"a","password":"b:c","email":"x"},"r.example:5000":{"username":"d","password":""}}"#;
        let known = Credentials::from_engine_auth("docker", docker)
            .unwrap()
            .known;
        assert_eq!(known["docker.io"], user("a", "b:c"));
        assert_eq!(known["r.example:5000"], user("d", ""));
        // printf 'a:b:c' | base64
        let dockercfg = r#"{"http://r.example/v2/":{"auth":"YTpiOmM=","email":"x"},"helped":{}}"#;
        let known = Credentials::from_engine_auth("dockercfg", dockercfg)
            .unwrap()
            .known;
        assert_eq!(
            known,
            BTreeMap::from([("r.example".to_owned(), user("a", "b:c"))])
        );
    }

    #[test]
    fn bad_data_is_refused_without_being_shown() {
        for (auth_type, data) in [
            ("docker", "{\"r\": \"secret\"}"),
            ("docker", "secret"),
            ("dockercfg", r#"{"r":{"auth":"c2VjcmV0"}}"#),
            ("dockercfg", r#"{"r":{"auth":"secret!"}}"#),
            ("other", "secret"),
        ] {
            let error = Credentials::from_engine_auth(auth_type, data).unwrap_err();
            let shown = error.to_string();
            assert!(shown.contains("ECS_ENGINE_AUTH_"), "{shown}");
            assert!(
                !shown.contains("secret") && !shown.contains("c2Vjcm"),
                "{shown}"
            );
        }
    }

    #[test]
    fn debug_output_shows_no_password() {
        let credentials = Credentials::from_engine_auth(
            "docker",
            r#"{"r":{"username":"u","password":"hidden"}}"#,
        );
        let shown = format!("{credentials:?}");
        assert!(
            shown.contains("\"u\"") && !shown.contains("hidden"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn a_config_json_is_read_at_each_question() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        let credentials = Credentials::default().with_file(Some(file.clone()));
        assert!(credentials.user_at("r").await.is_err());
        std::fs::write(&file, r#"{"auths":{"r":{"auth":"YTpi"}},"credsStore":"x"}"#).unwrap();
        assert_eq!(
            credentials.user_at("r").await.unwrap(),
            Some(user("a", "b"))
        );
        assert_eq!(credentials.user_at("other").await.unwrap(), None);
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(credentials.user_at("r").await.unwrap(), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), key in "\\PC{0,40}", auth in "[A-Za-z0-9+/=]{0,20}") {
            let _ = parse_config(&bytes);
            let config = serde_json::json!({"auths": {key: {"auth": auth}}}).to_string();
            let _ = parse_config(config.as_bytes());
        }
    }
}
