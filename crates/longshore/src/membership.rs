//! Which server this host's agent belongs to: the one of this data directory, or one that it joined.

use crate::cli::AgentOptions;
use crate::settings::Settings;
use agent::{Server, Trust};
use anyhow::{Context, bail};
use control::write_private;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How long an agent waits for the first start of the server beside it.
const SERVER_PATIENCE: Duration = Duration::from_secs(60);

/// What a joined host keeps: where its server is. Its key lies in `keys/host.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Joined {
    url: String,
    region: String,
    account: String,
    /// The host's name at the server.
    host: String,
}

/// A server, and what to sign for it.
#[derive(Clone, Debug)]
pub struct Membership {
    pub server: Server,
    pub region: String,
}

/// Finds the server; exchanges the token where this host has no key yet.
pub async fn find(settings: &Settings, options: &AgentOptions) -> anyhow::Result<Membership> {
    match (joined(settings)?, &options.server) {
        (Some(joined), None) => of_joined(settings, &joined.url, joined.region),
        (Some(joined), Some(url)) => of_joined(settings, url, joined.region),
        (None, Some(url)) => join(settings, options, url).await,
        (None, None) => beside(settings).await,
    }
}

/// For a host that is taken down: nobody is spoken to, and the server may be gone.
pub fn unreached(settings: &Settings) -> anyhow::Result<Membership> {
    Ok(Membership {
        server: Server::new(&format!("https://{}", settings.listen), Trust::Nobody)?,
        region: settings.regions[0].clone(),
    })
}

fn file(settings: &Settings) -> PathBuf {
    settings.data.keys().join("joined.json")
}

fn joined(settings: &Settings) -> anyhow::Result<Option<Joined>> {
    let path = file(settings);
    match std::fs::read(&path) {
        Ok(text) => Ok(Some(
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?,
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn of_joined(settings: &Settings, url: &str, region: String) -> anyhow::Result<Membership> {
    let anchor = settings.data.keys().join("server-ca.pem");
    let trust = if url.starts_with("https:") {
        Trust::Anchor(&anchor)
    } else {
        Trust::Nobody
    };
    let server = Server::new(url, trust)?;
    Ok(Membership { server, region })
}

async fn join(
    settings: &Settings,
    options: &AgentOptions,
    url: &str,
) -> anyhow::Result<Membership> {
    let Some(token) = &options.token else {
        bail!(
            "this host has not joined {url}: give --token (on the server, `longshore server token` makes one)"
        );
    };
    let keys = settings.data.keys();
    if settings.data.host_key().is_ok() {
        bail!(
            "{} belongs to a server on this machine; a host that joins another needs a data directory of its own",
            settings.data.path().display()
        );
    }
    let member = agent::join(url, token, &keys.join("join-nonce"))
        .await
        .with_context(|| format!("cannot join {url}"))?;
    if let Some(ca) = &member.ca {
        write_private(&keys.join("server-ca.pem"), ca, 0o644)?;
    }
    let key = crate::data_dir::KeyFile {
        access_key_id: member.access_key_id,
        secret_access_key: member.secret_access_key,
    };
    write_private(
        &keys.join("host.json"),
        &serde_json::to_string(&key)?,
        0o600,
    )?;
    let joined = Joined {
        url: url.to_owned(),
        region: member.region.clone(),
        account: member.account,
        host: member.host,
    };
    // Last: it says that the rest is there.
    write_private(&file(settings), &serde_json::to_string(&joined)?, 0o600)?;
    of_joined(settings, url, member.region)
}

/// The server of this data directory, which may be starting at this moment.
async fn beside(settings: &Settings) -> anyhow::Result<Membership> {
    let deadline = tokio::time::Instant::now() + SERVER_PATIENCE;
    loop {
        let ready = settings.data.host_key().is_ok() && settings.data.server_info().is_ok();
        if ready || tokio::time::Instant::now() >= deadline {
            return of_this_directory(settings);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn of_this_directory(settings: &Settings) -> anyhow::Result<Membership> {
    let info = settings.data.server_info()?;
    Ok(Membership {
        server: info.server()?,
        region: info.region,
    })
}
