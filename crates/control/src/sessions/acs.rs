//! The ACS session of one host: what it shall run, and what it acknowledges.
//!
//! On connect: the instance is connected, then what is undelivered, the credentials of the rest, then a
//! manifest. Afterwards heartbeats, payloads whenever a committed batch leaves something undelivered, and at a slow tick
//! the manifest again, so that a stop which a host acknowledged and lost comes to it all the same. A
//! wake says only "look again". A payload that is not acknowledged is sent again; agents are
//! idempotent.
//! Rule: the container agent's protocol, ACS.

use super::credentials::Told;
use super::payloads::InFlight;
use super::registry::Session;
use super::{Host, Sessions};
use crate::clock;
use aws_api::agent::{
    AckRequest, AcsMessage, HeartbeatMessage, PayloadMessage, TaskManifestMessage,
    TaskStopVerificationAck, TaskStopVerificationMessage,
};
use aws_types::{AwsError, Ctx};
use ecs::instance::life;
use ecs::records::task::TASKS;
use ecs::task::credentials;
use ecs::task::delivery::{self, Parcel};
use futures_util::{SinkExt, StreamExt};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::{debug, info, warn};

/// Well under the 60 s after which an agent gives up.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// A host from which nothing comes for this long is gone: it left two heartbeats unanswered, since
/// its process is frozen or its link is cut.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// Runs the session until it ends.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    sessions: Sessions,
    host: Host,
    socket: WebSocketStream<S>,
) {
    let session = sessions.registry.enter(&host.instance_arn);
    let mut acs = Acs {
        sessions: &sessions,
        host: &host,
        socket,
        in_flight: InFlight::default(),
        told: Told::default(),
        manifest_id: String::new(),
        timeline: 0..0,
    };
    let outcome = acs.live(&session).await;
    info!(host = %host.instance_arn, ?outcome, "acs session ended");
    if sessions.registry.leave(&session) {
        let key = host.instance.clone();
        let submitted = sessions.state.submit(host.ctx(), move |txn, ctx| {
            life::disconnected(txn, ctx, &key);
            Ok(())
        });
        if let Err(error) = submitted.await {
            warn!(host = %host.instance_arn, ?error, "cannot record that a host is away");
        }
    }
}

/// Why a session ended.
#[derive(Debug)]
pub(super) enum End {
    Closed,
    Silent,
    Replaced,
    NotAllowed,
    Socket(#[expect(dead_code, reason = "for the log")] tungstenite::Error),
    State(#[expect(dead_code, reason = "for the log")] AwsError),
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        Self::Socket(error)
    }
}

impl From<AwsError> for End {
    fn from(error: AwsError) -> Self {
        Self::State(error)
    }
}

impl Host {
    pub(super) fn ctx(&self) -> Ctx {
        clock::own_ctx(&self.scope)
    }
}

pub(super) struct Acs<'a, S> {
    pub(super) sessions: &'a Sessions,
    pub(super) host: &'a Host,
    socket: WebSocketStream<S>,
    pub(super) told: Told,
    in_flight: InFlight,
    manifest_id: String,
    /// Numbers that are reserved and not given yet.
    timeline: Range<i64>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Acs<'_, S> {
    async fn live(&mut self, session: &Arc<Session>) -> Result<(), End> {
        self.connect().await?;
        self.deliver().await?;
        self.send_credentials().await?;
        self.send_manifest().await?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let every = self.sessions.manifest_every;
        let mut manifest = interval_at(Instant::now() + every, every);
        manifest.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = self.socket.next() => {
                    heard = Instant::now();
                    match frame.transpose()? {
                        None | Some(Message::Close(_)) => return Err(End::Closed),
                        Some(Message::Text(text)) => self.receive(&text).await?,
                        Some(_) => {}
                    }
                }
                () = session.wake.notified() => self.deliver().await?,
                () = session.replaced.notified() => {
                    let _ = self.socket.close(None).await;
                    return Err(End::Replaced);
                }
                _ = heartbeat.tick() => {
                    if heard.elapsed() > SILENCE_MAX {
                        return Err(End::Silent);
                    }
                    self.send_heartbeat().await?;
                    self.in_flight.forget_late();
                    self.deliver().await?;
                    self.send_credentials().await?;
                }
                _ = manifest.tick() => self.send_manifest().await?,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), End> {
        let (key, versions) = (self.host.instance.clone(), self.host.versions.clone());
        let allowed = self
            .sessions
            .state
            .submit(self.host.ctx(), move |txn, _| {
                Ok(life::connected(txn, &key, &versions))
            })
            .await?;
        info!(host = %self.host.instance_arn, allowed, "acs session opened");
        if allowed {
            Ok(())
        } else {
            Err(End::NotAllowed)
        }
    }

    /// Sends what the host has to be told and was not sent yet.
    async fn deliver(&mut self) -> Result<(), End> {
        loop {
            let world = self.sessions.state.snapshot();
            let parcels =
                delivery::undelivered(&world, &self.host.instance, &self.in_flight.tasks());
            if parcels.is_empty() {
                return Ok(());
            }
            let mut ctx = self.host.ctx();
            let message_id = ctx.ids.uuid();
            let generated_at = ctx.now;
            let timeline = self.next_timeline().await?;
            let session_key = &self.sessions.session_key;
            let one = |mut parcel: Parcel| {
                if let Some(record) = world.get(&TASKS, &parcel.key) {
                    let now = generated_at;
                    credentials::add(&world, record, &mut parcel.task, session_key, now);
                }
                ((parcel.key, parcel.count), parcel.task)
            };
            let (keys, tasks) = parcels.into_iter().map(one).unzip();
            self.in_flight.sent(message_id.clone(), keys);
            let payload = PayloadMessage {
                cluster_arn: Some(self.host.cluster_arn.clone()),
                container_instance_arn: Some(self.host.instance_arn.clone()),
                message_id: Some(message_id),
                generated_at: Some(generated_at),
                seq_num: Some(timeline),
                timeline: Some(timeline),
                tasks: Some(tasks),
            };
            self.send(AcsMessage::Payload(payload)).await?;
        }
    }

    async fn send_manifest(&mut self) -> Result<(), End> {
        let mut ctx = self.host.ctx();
        let message_id = ctx.ids.uuid();
        let generated_at = ctx.now;
        let timeline = self.next_timeline().await?;
        let tasks = delivery::manifest(&self.sessions.state.snapshot(), &self.host.instance);
        self.manifest_id.clone_from(&message_id);
        let manifest = TaskManifestMessage {
            cluster_arn: Some(self.host.cluster_arn.clone()),
            container_instance_arn: Some(self.host.instance_arn.clone()),
            message_id: Some(message_id),
            generated_at: Some(generated_at),
            timeline: Some(timeline),
            tasks: Some(tasks),
        };
        self.send(AcsMessage::TaskManifest(manifest)).await
    }

    async fn send_heartbeat(&mut self) -> Result<(), End> {
        let message_id = Some(clock::ids().uuid());
        self.send(AcsMessage::Heartbeat(HeartbeatMessage {
            message_id,
            healthy: Some(true),
        }))
        .await
    }

    async fn next_timeline(&mut self) -> Result<i64, End> {
        if let Some(next) = self.timeline.next() {
            return Ok(next);
        }
        let key = self.host.instance.clone();
        let ctx = self.host.ctx();
        let submitted = self.sessions.state.submit(ctx, move |txn, ctx| {
            Ok(life::reserve_timeline(txn, ctx, &key))
        });
        self.timeline = submitted.await?.ok_or(End::NotAllowed)?;
        self.timeline.next().ok_or(End::NotAllowed)
    }

    async fn receive(&mut self, text: &str) -> Result<(), End> {
        match AcsMessage::from_text(text) {
            Ok(AcsMessage::Ack(ack)) => self.acknowledge(ack),
            Ok(AcsMessage::TaskStopVerification(asked)) => self.verify_stops(asked).await?,
            Ok(AcsMessage::CredentialsAck(ack)) => self.credentials_acknowledged(&ack),
            Ok(AcsMessage::Nack(nack)) => {
                warn!(host = %self.host.instance_arn, reason = ?nack.reason, "a host refused a message");
            }
            Ok(other) => debug!(host = %self.host.instance_arn, kind = other.kind(), "acs frame"),
            Err(error) => warn!(host = %self.host.instance_arn, %error, "an unreadable acs frame"),
        }
        Ok(())
    }

    /// Makes an acknowledgement durable without holding up the session.
    fn acknowledge(&self, ack: AckRequest) {
        let Some(message_id) = ack.message_id else {
            return;
        };
        let Some(tasks) = self.in_flight.tasks_of(&message_id) else {
            return;
        };
        let (state, in_flight, key) = (
            self.sessions.state.clone(),
            self.in_flight.clone(),
            self.host.instance.clone(),
        );
        let ctx = self.host.ctx();
        tokio::spawn(async move {
            let committed = state.submit(ctx, move |txn, ctx| {
                delivery::acknowledged(txn, ctx, &key, &tasks);
                Ok(())
            });
            if let Err(error) = committed.await {
                warn!(
                    ?error,
                    "cannot record an acknowledgement; the payload will be sent again"
                );
            }
            in_flight.forget(&message_id);
        });
    }

    async fn verify_stops(&mut self, asked: TaskStopVerificationMessage) -> Result<(), End> {
        if asked.message_id.as_deref() != Some(self.manifest_id.as_str()) {
            return Ok(());
        }
        let world = self.sessions.state.snapshot();
        let ctx = self.host.ctx();
        let candidates = asked.stop_candidates.unwrap_or_default();
        let stop_tasks =
            delivery::stop_verification(&world, &ctx, &self.host.instance, &candidates);
        let answer = TaskStopVerificationAck {
            message_id: asked.message_id,
            generated_at: Some(ctx.now),
            stop_tasks: Some(stop_tasks),
        };
        self.send(AcsMessage::TaskStopVerificationAck(answer)).await
    }

    pub(super) async fn send(&mut self, message: AcsMessage) -> Result<(), End> {
        match message.to_text() {
            Ok(text) => Ok(self.socket.send(Message::text(text)).await?),
            Err(error) => {
                warn!(%error, kind = message.kind(), "cannot encode an acs frame");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Host, Registry, Sessions};
    use super::run;
    use crate::{clock, operations};
    use aws_api::agent::{AckRequest, AcsMessage, TaskManifestMessage};
    use aws_api::ecs::{
        ContainerDefinition, RegisterContainerInstanceRequest, RegisterTaskDefinitionRequest,
        Resource, StartTaskRequest, StopTaskRequest,
    };
    use aws_types::{AwsError, Ctx, Scope};
    use ecs::instance::life::SessionVersions;
    use ecs::ops;
    use ecs::task::reference;
    use futures_util::{SinkExt, StreamExt};
    use std::sync::Arc;
    use std::time::Duration;
    use store::backend::MemoryStore;
    use store::{Schema, StateHandle, Txn};
    use tokio::io::DuplexStream;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;

    /// A host whose agent acknowledges all that it is told, and does nothing.
    struct Agent {
        state: StateHandle,
        registry: Arc<Registry>,
        socket: WebSocketStream<DuplexStream>,
        instance: String,
    }

    impl Agent {
        async fn connected() -> Self {
            let schema = Schema::new(&operations::tables());
            let (state, writer) = store::start(Box::new(MemoryStore::default()), schema).unwrap();
            // Of the whole test process, which ends with it.
            std::mem::forget(writer);
            let instance = registered(&state).await;
            let scope = scope();
            let key = reference::instance_arn(&scope, &instance).unwrap();
            let host = Host {
                cluster_arn: ecs::records::cluster::cluster_arn(&scope, &key.cluster),
                instance_arn: instance.clone(),
                versions: SessionVersions::default(),
                instance: key,
                scope,
            };
            let registry = Arc::new(Registry::default());
            let sessions = Sessions {
                state: state.clone(),
                registry: registry.clone(),
                session_key: iam::session::SessionKey::new([1; 32]),
                manifest_every: Duration::from_millis(10),
                usage: Arc::default(),
            };
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let server = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
            tokio::spawn(run(sessions, host, server));
            let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
            Self {
                state,
                registry,
                socket,
                instance,
            }
        }

        /// The next manifest; payloads on the way are acknowledged.
        async fn manifest(&mut self) -> TaskManifestMessage {
            loop {
                let frame = self.socket.next().await.unwrap().unwrap();
                let Message::Text(text) = frame else { continue };
                let payload = match AcsMessage::from_text(&text).unwrap() {
                    AcsMessage::TaskManifest(manifest) => return manifest,
                    AcsMessage::Payload(payload) => payload,
                    _ => continue,
                };
                let ack = AcsMessage::Ack(AckRequest {
                    cluster: payload.cluster_arn,
                    container_instance: payload.container_instance_arn,
                    message_id: payload.message_id,
                });
                let text = ack.to_text().unwrap();
                self.socket.send(Message::text(text)).await.unwrap();
            }
        }

        /// Reads manifests until one lists exactly these (task, desired status).
        async fn until_told(&mut self, expected: &[(&str, &str)]) {
            loop {
                let listed = self.manifest().await.tasks.unwrap_or_default();
                let listed = listed.iter().map(|task| {
                    let arn = task.task_arn.as_deref().unwrap_or_default();
                    (arn, task.desired_status.as_deref().unwrap_or_default())
                });
                if listed.eq(expected.iter().copied()) {
                    return;
                }
            }
        }
    }

    fn scope() -> Scope {
        Scope::new("000000000000", "us-east-1")
    }

    async fn call<T: Send + 'static>(
        state: &StateHandle,
        call: impl FnOnce(&mut Txn, &mut Ctx) -> Result<T, AwsError> + Send + 'static,
    ) -> T {
        state.submit(clock::own_ctx(&scope()), call).await.unwrap()
    }

    async fn registered(state: &StateHandle) -> String {
        let whole = |name: &str, value| Resource {
            name: Some(name.into()),
            r#type: Some("INTEGER".into()),
            integer_value: Some(value),
            ..Default::default()
        };
        let input = RegisterContainerInstanceRequest {
            total_resources: Some(vec![whole("CPU", 1024), whole("MEMORY", 1024)]),
            ..Default::default()
        };
        let answer = call(state, move |txn, ctx| {
            ops::register_container_instance::register_container_instance(txn, ctx, &input)
        });
        let instance = answer.await.container_instance.unwrap();
        instance.container_instance_arn.unwrap()
    }

    async fn task_on(state: &StateHandle, instance: &str) -> String {
        let definition = RegisterTaskDefinitionRequest {
            family: Some("f".into()),
            container_definitions: Some(vec![ContainerDefinition {
                name: Some("c".into()),
                image: Some("i".into()),
                memory: Some(8),
                ..Default::default()
            }]),
            ..Default::default()
        };
        let start = StartTaskRequest {
            task_definition: Some("f".into()),
            container_instances: Some(vec![instance.to_owned()]),
            ..Default::default()
        };
        let answer = call(state, move |txn, ctx| {
            ops::register_task_definition::register_task_definition(txn, ctx, &definition)?;
            ops::start_task::start_task(txn, ctx, &start)
        });
        let answer = answer.await;
        let task = answer.tasks.unwrap_or_default().pop();
        task.unwrap_or_else(|| panic!("{:?}", answer.failures))
            .task_arn
            .unwrap()
    }

    #[tokio::test]
    async fn the_manifest_comes_again_with_a_greater_number_and_what_holds_then() {
        let mut agent = Agent::connected().await;
        let mut last = 0;
        for _ in 0..3 {
            let timeline = agent.manifest().await.timeline.unwrap();
            assert!(timeline > last, "{timeline} after {last}");
            last = timeline;
        }
        let arn = task_on(&agent.state, &agent.instance).await;
        agent.registry.wake_all();
        agent.until_told(&[(&arn, "RUNNING")]).await;
        let stop = StopTaskRequest {
            task: Some(arn.clone()),
            ..Default::default()
        };
        call(&agent.state, move |txn, ctx| {
            ops::stop_task::stop_task(txn, ctx, &stop)
        })
        .await;
        // Whether or not its payload was acknowledged, or sent: nobody was woken.
        agent.until_told(&[(&arn, "STOPPED")]).await;
    }
}
