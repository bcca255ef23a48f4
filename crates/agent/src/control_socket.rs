//! The agent's own socket, `run/agent.sock`: images are loaded, listed and removed by the process
//! that has their store open, and what is known of this host's containers alone is told. Root alone
//! can reach it.

use crate::connect;
use crate::engine::Host;
use crate::labels;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tracing::warn;

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostRequest {
    /// Load an archive or OCI layout; answers the names.
    Load(PathBuf),
    /// Answers each name's [`ImageSummary`](runtime::image::ImageSummary) in JSON.
    List,
    /// Remove an image by name.
    Remove(String),
    /// Answers each container's [`ContainerLabels`](crate::ContainerLabels) in JSON.
    Labels,
    /// Answers what each proxy of Service Connect counted: [`EndpointCounts`](crate::EndpointCounts) in JSON.
    Connect,
}

type Answer = Result<Vec<String>, String>;

/// Asks the agent that runs for this data directory.
///
/// # Errors
/// No agent runs, or it refused.
pub async fn ask(run_dir: &Path, request: &HostRequest) -> io::Result<Vec<String>> {
    let mut stream = UnixStream::connect(run_dir.join("agent.sock"))
        .await
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "no agent answers at {}: is `longshore up` running?",
                    run_dir.join("agent.sock").display()
                ),
            )
        })?;
    stream
        .write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes())
        .await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    let answer: Answer = serde_json::from_str(&line)?;
    answer.map_err(io::Error::other)
}

/// Answers until the agent ends.
pub async fn serve(host: Arc<Host>) {
    let path = host.config.run_dir().join("agent.sock");
    let _ = std::fs::remove_file(&path);
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => {
            warn!(path = %path.display(), %error, "the agent's socket cannot be made");
            return;
        }
    };
    // The directory is open to all; the socket is not, whatever the umask.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    if let Err(error) = std::fs::set_permissions(&path, private) {
        warn!(path = %path.display(), %error, "the agent's socket cannot be made private");
        return;
    }
    while let Ok((stream, _)) = listener.accept().await {
        let host = host.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(&host, stream).await {
                warn!(%error, "a request on the agent's socket failed");
            }
        });
    }
}

async fn converse(host: &Host, stream: UnixStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => perform(host, request).await,
        Err(error) => Err(error.to_string()),
    };
    stream
        .write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes())
        .await
}

async fn perform(host: &Host, request: HostRequest) -> Answer {
    let images = &host.images;
    match request {
        HostRequest::Load(path) => images.load(&path).await.map_err(|error| error.to_string()),
        HostRequest::List => {
            let listed = images.list().await.map_err(|error| error.to_string())?;
            let lines = listed.iter().map(serde_json::to_string);
            lines
                .collect::<Result<_, _>>()
                .map_err(|error| error.to_string())
        }
        HostRequest::Labels => Ok(labels::all(host)),
        HostRequest::Connect => Ok(connect::told(host).await),
        HostRequest::Remove(name) => match images.remove(&name).await {
            Ok(true) => Ok(vec![name]),
            Ok(false) => Err(format!("No such image: {name}")),
            Err(error) => Err(error.to_string()),
        },
    }
}
