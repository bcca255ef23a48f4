//! The ACS session: payloads become tasks, manifests are compared with what is here.

use super::{Reconnect, Socket, connect};
use crate::credentials::{self, Role};
use crate::engine::Host;
use crate::part::Part;
use crate::task::definition::task_id;
use aws_api::agent::{
    AckRequest, AcsMessage, HeartbeatAckRequest, IamRoleCredentials, IamRoleCredentialsAckRequest,
    IamRoleCredentialsMessage, PayloadMessage, TaskIdentifier, TaskManifestMessage,
    TaskStopVerificationAck, TaskStopVerificationMessage,
};
use aws_wire::head::percent_encoded;
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::{debug, info, warn};

/// Without any message for this long the server is taken for gone.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// Keeps the ACS session; never returns.
pub async fn acs(host: &Arc<Host>, instance: &str, part: Part) {
    let mut reconnect = Reconnect::new();
    let mut first = true;
    loop {
        let began = Instant::now();
        let query = acs_query(host, (instance, part), first);
        match connect(host, &query).await {
            Ok(socket) => {
                info!("acs connected");
                first = false;
                let (synced, acks) = mpsc::unbounded_channel();
                let ended = Acs {
                    host,
                    part,
                    socket,
                    manifest_id: String::new(),
                    synced,
                }
                .live(acks)
                .await;
                info!(?ended, "acs ended");
                reconnect.after(began.elapsed()).await;
            }
            Err(error) => {
                debug!(%error, "acs not connected");
                reconnect.after(Duration::ZERO).await;
            }
        }
    }
}

fn acs_query(host: &Host, (instance, part): (&str, Part), send_credentials: bool) -> String {
    format!(
        "agentHash=longshore&agentVersion={}&clusterArn={}&containerInstanceArn={}&dockerVersion={}&protocolVersion=2&sendCredentials={send_credentials}&seqNum=1",
        env!("CARGO_PKG_VERSION"),
        percent_encoded(part.cluster(&host.config)),
        percent_encoded(instance),
        percent_encoded(concat!(
            "DockerVersion: longshore-",
            env!("CARGO_PKG_VERSION")
        )),
    )
}

/// Why a session ended.
#[derive(Debug)]
#[expect(dead_code, reason = "for the log")]
enum End {
    Closed,
    Silent,
    Socket(tungstenite::Error),
}

struct Acs<'a> {
    host: &'a Arc<Host>,
    part: Part,
    socket: Socket,
    manifest_id: String,
    /// Acknowledgements whose tasks are on disk. Unbounded: one for each payload that came.
    synced: mpsc::UnboundedSender<AcsMessage>,
}

impl Acs<'_> {
    async fn live(&mut self, mut acks: mpsc::UnboundedReceiver<AcsMessage>) -> End {
        loop {
            let heard = tokio::select! {
                heard = tokio::time::timeout(SILENCE_MAX, self.socket.next()) => heard,
                // Never ends: the sender is in `self`.
                Some(ack) = acks.recv() => match self.send(&ack).await {
                    Ok(()) => continue,
                    Err(error) => return End::Socket(error),
                },
            };
            let frame = match heard {
                Err(_) => return End::Silent,
                Ok(None | Some(Ok(Message::Close(_)))) => return End::Closed,
                Ok(Some(Err(error))) => return End::Socket(error),
                Ok(Some(Ok(frame))) => frame,
            };
            let Message::Text(text) = frame else { continue };
            if let Err(error) = self.receive(&text).await {
                return End::Socket(error);
            }
        }
    }

    async fn receive(&mut self, text: &str) -> Result<(), tungstenite::Error> {
        match AcsMessage::from_text(text) {
            Ok(AcsMessage::Heartbeat(heartbeat)) => {
                let message_id = heartbeat.message_id;
                self.send(&AcsMessage::HeartbeatAck(HeartbeatAckRequest {
                    message_id,
                }))
                .await
            }
            Ok(AcsMessage::Payload(payload)) => {
                self.payload(payload, text);
                Ok(())
            }
            Ok(AcsMessage::TaskManifest(manifest)) => self.manifest(manifest).await,
            Ok(AcsMessage::Credentials(message)) => self.credentials(message).await,
            Ok(AcsMessage::TaskStopVerificationAck(ack)) => {
                self.verified(ack);
                Ok(())
            }
            Ok(other) => {
                debug!(kind = other.kind(), "acs frame");
                Ok(())
            }
            Err(error) => {
                warn!(%error, "an unreadable acs frame");
                Ok(())
            }
        }
    }

    /// Stops before starts. Acknowledged only if every task was accepted, and when all are safe on
    /// disk; their starts do not wait for that.
    fn payload(&mut self, payload: PayloadMessage, text: &str) {
        // The tasks are kept as they came, members that this version does not know included.
        let raw: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let mut tasks = raw["message"]["tasks"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let message_id = payload.message_id.clone();
        for task in &mut tasks {
            self.take_credentials(task, message_id.as_ref());
        }
        let is_stop = |task: &&serde_json::Value| task["desiredStatus"] == "STOPPED";
        let mut accepted = true;
        let mut ids = Vec::new();
        let starts = tasks.iter().filter(|task| !is_stop(task));
        for task in tasks.iter().filter(is_stop).chain(starts) {
            match self.host.accept(task) {
                Ok(()) => {
                    let arn = task["arn"].as_str().unwrap_or_default();
                    ids.extend(task_id(arn).ok().map(str::to_owned));
                }
                Err(error) => {
                    warn!(%error, "a task was refused");
                    self.host
                        .credentials
                        .forget(task["arn"].as_str().unwrap_or_default());
                    accepted = false;
                }
            }
        }
        self.remember(payload.seq_num.unwrap_or_default());
        if !accepted {
            return;
        }
        let ack = AckRequest {
            cluster: payload.cluster_arn,
            container_instance: payload.container_instance_arn,
            message_id: payload.message_id,
        };
        let (records, synced) = (self.host.records.clone(), self.synced.clone());
        tokio::task::spawn_blocking(move || match records.sync_tasks(&ids) {
            // A session that has ended takes none: the payload comes again.
            Ok(()) => drop(synced.send(AcsMessage::Ack(ack))),
            Err(error) => warn!(%error, "tasks could not be kept; they are not acknowledged"),
        });
    }

    /// Before its task begins, since its containers may ask at once.
    fn take_credentials(&self, task: &mut serde_json::Value, message_id: Option<&String>) {
        let arn = task["arn"].as_str().unwrap_or_default().to_owned();
        for (role, given) in credentials::taken_out(task) {
            let ack = credentials_ack(message_id.cloned(), &given);
            self.host.credentials.put(&arn, role, given);
            // A session that has ended takes none: all are told again in the next.
            drop(self.synced.send(AcsMessage::CredentialsAck(ack)));
        }
    }

    /// Fresh ones of a task that is here; for another, nothing is said.
    async fn credentials(
        &mut self,
        message: IamRoleCredentialsMessage,
    ) -> Result<(), tungstenite::Error> {
        let arn = message.task_arn.unwrap_or_default();
        let role = Role::of(message.role_type.as_deref().unwrap_or_default());
        let (Some(role), Some(given)) = (role, message.role_credentials) else {
            warn!(arn, "unreadable credentials");
            return Ok(());
        };
        if !self.host.task_arns().contains(&arn) {
            return Ok(());
        }
        let ack = credentials_ack(message.message_id, &given);
        self.host.credentials.put(&arn, role, given);
        self.send(&AcsMessage::CredentialsAck(ack)).await
    }

    async fn manifest(&mut self, manifest: TaskManifestMessage) -> Result<(), tungstenite::Error> {
        let timeline = manifest.timeline.unwrap_or_default();
        if timeline <= self.host.records.agent(self.part).latest_seq_num {
            return Ok(());
        }
        self.remember(timeline);
        self.manifest_id = manifest.message_id.clone().unwrap_or_default();
        let wanted: Vec<String> = manifest
            .tasks
            .unwrap_or_default()
            .into_iter()
            .filter(|task| task.desired_status.as_deref() == Some("RUNNING"))
            .filter_map(|task| task.task_arn)
            .collect();
        let strangers: Vec<TaskIdentifier> = self
            .host
            .tasks_of(self.part)
            .iter()
            .map(|task| task.definition.arn.clone())
            .filter(|arn| !wanted.contains(arn))
            .map(|arn| TaskIdentifier {
                task_arn: Some(arn),
                task_cluster_arn: manifest.cluster_arn.clone(),
                desired_status: Some("STOPPED".into()),
            })
            .collect();
        if !strangers.is_empty() {
            let ask = TaskStopVerificationMessage {
                message_id: manifest.message_id.clone(),
                stop_candidates: Some(strangers),
            };
            self.send(&AcsMessage::TaskStopVerification(ask)).await?;
        }
        let ack = AckRequest {
            cluster: manifest.cluster_arn,
            container_instance: manifest.container_instance_arn,
            message_id: manifest.message_id,
        };
        self.send(&AcsMessage::Ack(ack)).await
    }

    fn verified(&self, ack: TaskStopVerificationAck) {
        if ack.message_id.as_deref() != Some(self.manifest_id.as_str()) {
            return;
        }
        for task in ack.stop_tasks.unwrap_or_default() {
            self.host
                .stop_known(task.task_arn.as_deref().unwrap_or_default());
        }
    }

    fn remember(&self, seq_num: i64) {
        if let Err(error) = self.host.records.keep_seq_num(self.part, seq_num) {
            warn!(%error, "the agent's record could not be written");
        }
    }

    async fn send(&mut self, message: &AcsMessage) -> Result<(), tungstenite::Error> {
        match message.to_text() {
            Ok(text) => self.socket.send(Message::text(text)).await,
            Err(error) => {
                warn!(%error, kind = message.kind(), "cannot encode an acs frame");
                Ok(())
            }
        }
    }
}

fn credentials_ack(
    message_id: Option<String>,
    given: &IamRoleCredentials,
) -> IamRoleCredentialsAckRequest {
    IamRoleCredentialsAckRequest {
        message_id,
        expiration: given.expiration.clone(),
        credentials_id: given.credentials_id.clone(),
    }
}
