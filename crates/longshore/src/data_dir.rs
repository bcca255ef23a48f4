//! Where everything of one Longshore lies. Its tag names what lives outside the directory:
//! namespaces, links, cgroups and nftables tables of this Longshore and of no other.

use agent::{Server, Trust};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An absolute data directory.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// What a running server says of itself, for the other commands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Base URL of the API.
    pub url: String,
    /// The default region.
    pub region: String,
    /// The account.
    pub account: String,
    /// PEM file with what vouches for the server's certificate; absent for plain HTTP.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl ServerInfo {
    /// The server, to connect to.
    pub fn server(&self) -> anyhow::Result<Server> {
        let trust = match &self.ca_file {
            Some(file) => Trust::Anchor(file),
            None => Trust::Nobody,
        };
        Ok(Server::new(&self.url, trust)?)
    }
}

/// A key pair as it lies in the directory.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeyFile {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

impl DataDir {
    /// The directory by its absolute path; it need not exist.
    pub fn new(path: &Path) -> anyhow::Result<Self> {
        let absolute = std::path::absolute(path)
            .with_context(|| format!("data directory {}", path.display()))?;
        // The tag must not depend on the way the path was written.
        Ok(Self(fs::canonicalize(&absolute).unwrap_or(absolute)))
    }

    /// Makes the directory and its parts. What holds tasks, layers, records or logs is root's alone:
    /// tasks have secrets in their environment, layers have setuid programs.
    pub fn create(&mut self) -> anyhow::Result<()> {
        let open = [self.0.clone(), self.run(), self.keys()].map(|dir| (dir, 0o711));
        let closed = [
            self.state(),
            self.log(),
            self.0.join("agent"),
            self.0.join("images"),
        ];
        for (dir, mode) in open.into_iter().chain(closed.map(|dir| (dir, 0o700))) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .and_then(|()| fs::set_permissions(&dir, fs::Permissions::from_mode(mode)))
                .with_context(|| format!("cannot make {}", dir.display()))?;
        }
        self.0 = fs::canonicalize(&self.0)?;
        Ok(())
    }

    /// Gives the root user's key to the person who started Longshore by sudo, who could read it
    /// anyway: so that `longshore env` needs no sudo.
    pub fn hand_over_root_key(&self) -> anyhow::Result<()> {
        let id = |name: &str| {
            std::env::var(name)
                .ok()
                .and_then(|id| id.parse::<u32>().ok())
        };
        if let (Some(user), Some(group)) = (id("SUDO_UID"), id("SUDO_GID")) {
            let path = self.keys().join("root.json");
            std::os::unix::fs::chown(&path, Some(user), Some(group))
                .with_context(|| format!("cannot hand over {}", path.display()))?;
        }
        Ok(())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Eight hexadecimal digits of the path's SHA-256.
    pub fn tag(&self) -> String {
        let digest = Sha256::digest(self.0.as_os_str().as_encoded_bytes());
        digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Sockets, locks and what a running server says of itself.
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// Key files, mode 0600.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The records' store.
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// The processes' own logs.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// What a running server says of itself; an error that names the next step when there is none.
    pub fn server_info(&self) -> anyhow::Result<ServerInfo> {
        let path = self.run().join("server.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => anyhow::bail!(
                "no server runs for {0}: start one with `longshore up --data {0}`",
                self.0.display()
            ),
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// The root user's key pair.
    pub fn root_key(&self) -> anyhow::Result<KeyFile> {
        self.key("root")
    }

    /// This host's key pair.
    pub fn host_key(&self) -> anyhow::Result<KeyFile> {
        self.key("host")
    }

    fn key(&self, name: &str) -> anyhow::Result<KeyFile> {
        let path = self.keys().join(format!("{name}.json"));
        let text = fs::read(&path).with_context(|| {
            format!(
                "cannot read {} (are you the user who started Longshore?)",
                path.display()
            )
        })?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }
}
