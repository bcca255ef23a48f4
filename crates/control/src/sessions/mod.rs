//! Agents' sessions: one ACS, one TCS and one host sync websocket per host.
//!
//! [`accept`] judges the upgrade request (who it is, which instance, whether it may), and either
//! answers in the agent's own error form or hands the socket to the session's loop.

mod acs;
mod credentials;
mod host_sync;
mod payloads;
mod registry;
mod tcs;

pub use registry::Registry;

use crate::gateway::answer::{self, Answer};
use crate::usage::Usage;
use aws_types::{Caller, Scope};
use aws_wire::head::pairs;
use ecs::instance::life::SessionVersions;
use ecs::records::container_instance::{CONTAINER_INSTANCES, InstanceKey, InstanceStatus};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use iam::Ask;
use iam::session::SessionKey;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::StateHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::debug;

/// The longest frame an agent may send; TCS frames are at most 1 MiB.
const FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What every session works with.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The control plane's state.
    pub state: StateHandle,
    /// Who is connected.
    pub registry: Arc<Registry>,
    /// From which the credentials of tasks' roles are made.
    pub session_key: SessionKey,
    /// How often a host is told all that it should run.
    pub manifest_every: Duration,
    /// What tasks use.
    pub usage: Arc<Usage>,
}

/// Which of the websockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Acs,
    Tcs,
    HostSync,
}

/// An upgrade request that may go on.
#[derive(Clone, Debug)]
pub struct Host {
    scope: Scope,
    instance: InstanceKey,
    instance_arn: String,
    cluster_arn: String,
    versions: SessionVersions,
}

/// Answers an upgrade request and starts the session.
pub fn accept(
    sessions: &Sessions,
    request: &mut Request<Incoming>,
    scope: Scope,
    caller: &Caller,
) -> Answer {
    let query: BTreeMap<String, String> =
        pairs(request.uri().query().unwrap_or_default()).collect();
    let (host, channel) = match admit(sessions, &query, scope, caller) {
        Ok(admitted) => admitted,
        Err((kind, text)) => {
            let body = serde_json::json!({ kind: text }).to_string();
            return answer::plain(StatusCode::BAD_REQUEST, "application/json", body);
        }
    };
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
        return answer::plain(
            StatusCode::BAD_REQUEST,
            "text/plain",
            "a websocket upgrade is expected".into(),
        );
    };
    let accept_key = derive_accept_key(key.as_bytes());
    tokio::spawn(run(
        sessions.clone(),
        hyper::upgrade::on(request),
        host,
        channel,
    ));
    answer::switching_protocols(&accept_key)
}

async fn run(sessions: Sessions, upgrade: OnUpgrade, host: Host, channel: Channel) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => {
            debug!(%error, "websocket upgrade failed");
            return;
        }
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    match channel {
        Channel::Acs => acs::run(sessions, host, socket).await,
        Channel::Tcs => tcs::run(sessions, host, socket).await,
        Channel::HostSync => host_sync::run(sessions, host, socket).await,
    }
}

/// Which session of which instance, and what that needs. The channels name their parameters
/// differently: ACS says `containerInstanceArn`, TCS `containerInstance`, host sync `hostSync`.
fn wanted(
    query: &BTreeMap<String, String>,
) -> Result<(&String, Channel, &'static str), (&'static str, String)> {
    // Who may hear what a host shall run may hear what it shall hold.
    let channels = [
        ("containerInstanceArn", Channel::Acs, "ecs:Poll"),
        (
            "containerInstance",
            Channel::Tcs,
            "ecs:StartTelemetrySession",
        ),
        ("hostSync", Channel::HostSync, "ecs:Poll"),
    ];
    let named = channels
        .into_iter()
        .find_map(|(name, channel, action)| Some((query.get(name)?, channel, action)));
    named.ok_or_else(|| {
        let text = "No container instance was named.".into();
        ("InvalidInstanceException", text)
    })
}

/// Who may open which session.
fn admit(
    sessions: &Sessions,
    query: &BTreeMap<String, String>,
    scope: Scope,
    caller: &Caller,
) -> Result<(Host, Channel), (&'static str, String)> {
    let (instance_arn, channel, action) = wanted(query)?;
    let world = sessions.state.snapshot();
    let unknown = || {
        (
            "InvalidInstanceException",
            format!("Container instance {instance_arn} was not found."),
        )
    };
    let instance = ecs::task::reference::instance_arn(&scope, instance_arn).ok_or_else(unknown)?;
    let record = world
        .get(&CONTAINER_INSTANCES, &instance)
        .ok_or_else(unknown)?;
    iam::evaluate::authorise(
        &world,
        caller,
        &[Ask::new(action, instance_arn.as_str())],
        ecs::host_rights::host_rights,
    )
    .map_err(|error| ("AccessDeniedException", error.message().to_owned()))?;
    if record.status == InstanceStatus::Inactive {
        return Err((
            "InactiveInstanceException",
            "The container instance is inactive.".into(),
        ));
    }
    let text = |name: &str| query.get(name).cloned();
    let docker = text("dockerVersion").map(|version| {
        if version.starts_with("DockerVersion: ") {
            version
        } else {
            format!("DockerVersion: {version}")
        }
    });
    let host = Host {
        cluster_arn: ecs::records::cluster::cluster_arn(&scope, &instance.cluster),
        instance_arn: instance_arn.clone(),
        versions: SessionVersions {
            agent_version: text("agentVersion"),
            agent_hash: text("agentHash"),
            docker_version: docker,
        },
        instance,
        scope,
    };
    Ok((host, channel))
}
