//! One ECS task: the machine's state, and the deeds that it asks for.
//!
//! The state is written down before the deeds are begun, so that an agent killed in between asks
//! for them again. Deeds run side by side; each sends its outcome back as an event.

use crate::api::now;
use crate::bundle::{self, Attachment, Place};
use crate::engine::Host;
use crate::images;
use crate::logs::{LogStreamSpec, Pipes};
use crate::records;
use crate::submit;
use crate::task::definition::{NetworkMode, TaskDefinition};
use crate::task::machine::{Command, Event, step};
use crate::task::resume::{Found, resume, to_look_for};
use crate::task::state::{Binding, ContainerIndex, TaskState};
use aws_types::Timestamp;
use netdev::{PortRequest, Protocol};
use runtime::host::Attached;
use runtime::host::Phase;
use runtime::image::{Image, PullBehavior};
use runtime::spec::{ExitRecord, TaskCgroupSpec};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// Sends events to a task's actor.
pub type Mailbox = mpsc::UnboundedSender<Event>;

/// What every deed of a task needs.
#[derive(Debug)]
pub struct TaskContext {
    /// The host's means.
    pub host: Arc<Host>,
    /// What the task is.
    pub definition: TaskDefinition,
    /// Its record directory.
    pub dir: PathBuf,
    /// Its containers' images and attachments, once there. `std` mutex: held for a look-up.
    parts: Mutex<Vec<Parts>>,
    mailbox: Mailbox,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    image: Option<Arc<Image>>,
    attachment: Option<Attachment>,
}

/// Starts the actor of a new task.
pub fn spawn(
    host: Arc<Host>,
    definition: TaskDefinition,
    dir: PathBuf,
    state: TaskState,
) -> Mailbox {
    start(host, definition, dir, Start::New(state))
}

/// Starts the actor of a task that an earlier agent left.
pub fn spawn_resumed(
    host: Arc<Host>,
    definition: TaskDefinition,
    dir: PathBuf,
    state: TaskState,
) -> Mailbox {
    start(host, definition, dir, Start::Resumed(state))
}

enum Start {
    New(TaskState),
    Resumed(TaskState),
}

fn start(host: Arc<Host>, definition: TaskDefinition, dir: PathBuf, begin: Start) -> Mailbox {
    // Unbounded: the sender is the task's own deeds, whose number the definition bounds.
    let (mailbox, events) = mpsc::unbounded_channel();
    let parts = Mutex::new(vec![Parts::default(); definition.containers.len()]);
    let context = Arc::new(TaskContext {
        host,
        definition,
        dir,
        parts,
        mailbox: mailbox.clone(),
    });
    tokio::spawn(live(context, begin, events));
    mailbox
}

async fn live(context: Arc<TaskContext>, begin: Start, mut events: mpsc::UnboundedReceiver<Event>) {
    let (mut state, commands) = match begin {
        Start::New(state) => step(&state, Event::Begin, now()),
        Start::Resumed(state) => context.look_and_resume(&state).await,
    };
    context.save(&state);
    context.carry_out(&state, commands);
    while !state.done {
        let Some(event) = events.recv().await else {
            return;
        };
        debug!(task = %state.arn, ?event, "task event");
        let (next, commands) = step(&state, event, now());
        let changed = next != state;
        state = next;
        if changed {
            context.save(&state);
        }
        context.carry_out(&state, commands);
    }
}

impl TaskContext {
    fn save(&self, state: &TaskState) {
        // A result must survive power loss; the way there starts again after one.
        if let Err(error) = records::write_state(&self.dir, state, state.stop_reported) {
            warn!(task = %state.arn, %error, "a task's state could not be written");
        }
    }

    fn container_dir(&self, index: ContainerIndex) -> PathBuf {
        self.dir
            .join("containers")
            .join(&self.definition.containers[index].name)
    }

    fn send(&self, event: Event) {
        // A task that is over hears nothing any more.
        let _ = self.mailbox.send(event);
    }

    fn parts(&self, index: ContainerIndex) -> Parts {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)[index].clone()
    }

    fn set_parts(&self, index: ContainerIndex, change: impl FnOnce(&mut Parts)) {
        change(&mut self.parts.lock().unwrap_or_else(PoisonError::into_inner)[index]);
    }

    fn carry_out(self: &Arc<Self>, state: &TaskState, commands: Vec<Command>) {
        for command in commands {
            if command == Command::Forget {
                self.host.forget(state, &self.dir);
                continue;
            }
            let context = self.clone();
            let state = state.clone();
            tokio::spawn(async move { context.perform(&state, command).await });
        }
    }

    async fn perform(self: Arc<Self>, state: &TaskState, command: Command) {
        match command {
            Command::MakeCgroup => self.make_cgroup().await,
            Command::EnsureImage(index) => self.ensure_image(state, index).await,
            Command::AttachNetwork(index) => self.attach_network(state, index).await,
            Command::Start(index) => self.start_container(state, index).await,
            Command::Signal(index, signal) => {
                if let Err(error) = self
                    .host
                    .runtime
                    .signal(&self.container_dir(index), signal)
                    .await
                {
                    warn!(task = %state.arn, %error, signal, "a signal could not be sent");
                }
            }
            Command::SetTimer(timer, at) => {
                tokio::time::sleep(at.since(now())).await;
                self.send(Event::TimerFired(timer));
            }
            Command::FinishLogs(index) => {
                self.host
                    .logs
                    .finish(&state.containers[index].runtime_id)
                    .await;
                self.send(Event::LogsFinished(index));
            }
            Command::DetachNetwork(index) => {
                if let Err(error) = self
                    .host
                    .network
                    .detach(&state.containers[index].runtime_id)
                    .await
                {
                    warn!(task = %state.arn, %error, "an attachment could not be removed; the next start removes it");
                }
                self.send(Event::NetworkGone(index));
            }
            Command::RemoveContainer(index) => {
                if let Err(error) = self.host.runtime.remove(&self.container_dir(index)).await {
                    warn!(task = %state.arn, %error, "a container could not be removed; the sweep does it");
                }
                self.send(Event::ContainerGone(index));
            }
            Command::RemoveCgroup => {
                let id = self.definition.id().unwrap_or_default();
                if let Err(error) = self.host.runtime.remove_task(id).await {
                    warn!(task = %state.arn, %error, "a task's cgroup could not be removed; the sweep does it");
                }
                self.send(Event::CgroupGone);
            }
            Command::Submit(change) => {
                submit::submit(
                    &self.host.api,
                    &self.host.config.cluster,
                    &state.arn,
                    &change,
                )
                .await;
                self.send(Event::ReportAcknowledged);
            }
            Command::Forget => {}
        }
    }

    async fn make_cgroup(&self) {
        let spec = TaskCgroupSpec {
            task_id: self.definition.id().unwrap_or_default().to_owned(),
            cpu_units: self.definition.cpu_units(),
            memory_mib: (self.definition.memory > 0).then_some(self.definition.memory),
            pids: None,
        };
        self.send(match self.host.runtime.create_task(&spec).await {
            Ok(()) => Event::CgroupMade,
            Err(error) => Event::CgroupFailed(format!("ResourceInitializationError: {error}")),
        });
    }

    async fn ensure_image(&self, state: &TaskState, index: ContainerIndex) {
        let container = &self.definition.containers[index];
        let began = now();
        let behavior = self.host.config.image_pull_behavior;
        let id = &state.containers[index].runtime_id;
        let ensured = images::ensure(&self.host, &container.image, id, behavior).await;
        self.send(match ensured {
            Ok(ensured) => {
                let image = ensured.image;
                let stop_signal = bundle::stop_signal(container, &image);
                let digest = image.from_registry.then(|| image.digest.clone());
                self.set_parts(index, |parts| parts.image = Some(image));
                let pulled = ensured.pulled.then(|| (began, now()));
                Event::ImageReady {
                    container: index,
                    digest,
                    stop_signal,
                    pulled,
                }
            }
            Err(error) => Event::ImageFailed(index, error.reason()),
        });
    }

    async fn attach_network(&self, state: &TaskState, index: ContainerIndex) {
        let ports: Vec<PortRequest> = self.definition.containers[index]
            .port_mappings
            .iter()
            .map(|port| PortRequest {
                container_port: port.container_port,
                host_port: port.host_port,
                protocol: if port.protocol == "udp" {
                    Protocol::Udp
                } else {
                    Protocol::Tcp
                },
            })
            .collect();
        let runtime_id = &state.containers[index].runtime_id;
        let attached = self.host.network.attach_bridge(runtime_id, &ports).await;
        self.send(match attached {
            Ok(attachment) => {
                let bindings = attachment.bindings.iter().map(binding).collect();
                self.keep_address(index, attachment.address);
                self.set_parts(index, |parts| {
                    parts.attachment = Some(Attachment::Bridge(Box::new(attachment)));
                });
                Event::NetworkMade(index, bindings)
            }
            Err(error) => {
                Event::NetworkFailed(index, format!("CannotStartContainerError: {error}"))
            }
        });
    }

    /// For the agent that takes the attachment over.
    fn keep_address(&self, index: ContainerIndex, address: std::net::Ipv4Addr) {
        let dir = self.container_dir(index);
        let kept = std::fs::create_dir_all(&dir).and_then(|()| {
            std::fs::write(dir.join(crate::engine::NETWORK_FILE), address.to_string())
        });
        if let Err(error) = kept {
            warn!(dir = %dir.display(), %error, "an attachment's address could not be written");
        }
    }

    async fn start_container(&self, state: &TaskState, index: ContainerIndex) {
        match self.try_start(state, index).await {
            Ok(pipes) => {
                self.host
                    .logs
                    .attach(self.log_spec(state, index), Some(pipes));
                self.send(Event::Started(index));
                self.wait_for_exit(index).await;
            }
            Err(reason) => self.send(Event::StartFailed(index, reason)),
        }
    }

    async fn try_start(&self, state: &TaskState, index: ContainerIndex) -> Result<Pipes, String> {
        let container = &self.definition.containers[index];
        let dir = self.container_dir(index);
        std::fs::create_dir_all(&dir)
            .map_err(|error| format!("CannotCreateContainerError: {}: {error}", dir.display()))?;
        let log_spec = self.log_spec(state, index);
        self.host.logs.prepare(&log_spec).await.map_err(|text| {
            format!("CannotStartContainerError: Error response from daemon: {text}")
        })?;
        let parts = self.parts(index);
        let image = match parts.image {
            Some(image) => image,
            // An earlier agent had it: it is on disk.
            None => {
                let cached = PullBehavior::PreferCached;
                let id = &state.containers[index].runtime_id;
                let ensured = images::ensure(&self.host, &container.image, id, cached).await;
                ensured.map_err(|error| error.reason())?.image
            }
        };
        let attachment = match self.definition.mode() {
            Ok(NetworkMode::Host) => Attachment::Host,
            Ok(NetworkMode::Bridge) => parts
                .attachment
                .ok_or("CannotStartContainerError: the container's network is gone")?,
            Ok(NetworkMode::None) | Err(_) => Attachment::None,
        };
        let place = Place {
            task_dir: &self.dir,
            container_dir: dir,
            runtime_id: &state.containers[index].runtime_id,
            forbidden: &self.host.config.data_dir,
        };
        let spec = bundle::spec(
            &self.definition,
            container,
            &image,
            &attachment,
            log_spec.stream_mode(),
            &place,
        )
        .map_err(|text| {
            format!("CannotCreateContainerError: Error response from daemon: {text}")
        })?;
        match self.host.runtime.start(spec).await {
            Ok(started) => Ok(Pipes {
                stdout: started.stdout,
                stderr: started.stderr,
            }),
            Err(error) => {
                let name = match error.phase() {
                    Phase::Create => "CannotCreateContainerError",
                    Phase::Start | Phase::Running => "CannotStartContainerError",
                };
                Err(format!("{name}: Error response from daemon: {error}"))
            }
        }
    }

    fn log_spec(&self, state: &TaskState, index: ContainerIndex) -> LogStreamSpec {
        let container = &self.definition.containers[index];
        let log = container
            .host_config()
            .map(|host| host.log_config)
            .unwrap_or_default();
        LogStreamSpec {
            runtime_id: state.containers[index].runtime_id.clone(),
            task_dir: self.dir.clone(),
            container_dir: self.container_dir(index),
            container: container.name.clone(),
            driver: log.driver,
            options: log.options,
        }
    }

    async fn wait_for_exit(&self, index: ContainerIndex) {
        let event = match self.host.runtime.wait(&self.container_dir(index)).await {
            Ok(exit) => exited(index, &exit),
            Err(error) => Event::Exited {
                container: index,
                exit_code: None,
                out_of_memory: false,
                at: now(),
                reason: Some(format!("CannotInspectContainerError: {error}")),
            },
        };
        self.send(event);
    }

    /// Asks the runtime how the containers of an earlier agent stand, and goes on from there.
    async fn look_and_resume(self: &Arc<Self>, state: &TaskState) -> (TaskState, Vec<Command>) {
        let mut found = Vec::new();
        let mut running = Vec::new();
        for index in to_look_for(state) {
            found.push((index, self.look(state, index, &mut running).await));
        }
        // Output that an earlier agent left in the pipes of what has ended, or read and did not
        // deliver.
        for (index, container) in state.containers.iter().enumerate() {
            let looked = found.iter().any(|(found, _)| *found == index);
            let open = !matches!(
                container.logs,
                crate::task::state::Logs::No | crate::task::state::Logs::Finished
            );
            if open && !looked {
                let pipes = match self.host.runtime.attach(&self.container_dir(index)).await {
                    Ok(Attached::Exited(_, pipes)) => {
                        pipes.map(|(stdout, stderr)| Pipes { stdout, stderr })
                    }
                    Ok(Attached::Running { .. } | Attached::Lost { .. } | Attached::NotFound)
                    | Err(_) => None,
                };
                self.host.logs.attach(self.log_spec(state, index), pipes);
            }
        }
        let (next, commands) = resume(state, &found, now());
        for index in running {
            let context = self.clone();
            tokio::spawn(async move { context.wait_for_exit(index).await });
        }
        (next, commands)
    }

    async fn look(
        &self,
        state: &TaskState,
        index: ContainerIndex,
        running: &mut Vec<ContainerIndex>,
    ) -> Found {
        let spec = self.log_spec(state, index);
        match self.host.runtime.attach(&self.container_dir(index)).await {
            Ok(Attached::Running { started }) => {
                self.host.logs.attach(
                    spec,
                    Some(Pipes {
                        stdout: started.stdout,
                        stderr: started.stderr,
                    }),
                );
                running.push(index);
                Found::Running
            }
            Ok(Attached::Exited(exit, pipes)) => {
                self.host
                    .logs
                    .attach(spec, pipes.map(|(stdout, stderr)| Pipes { stdout, stderr }));
                Found::Exited {
                    exit_code: exit.exit_code,
                    out_of_memory: exit.oom_killed,
                    at: Timestamp::from_millis(exit.exited_at_ms),
                    reason: exit.reason,
                }
            }
            Ok(Attached::Lost { reason }) => {
                warn!(task = %state.arn, reason, "a container's shim is gone");
                self.host.logs.attach(spec, None);
                running.push(index);
                Found::Running
            }
            Ok(Attached::NotFound) => Found::Nothing,
            Err(error) => {
                warn!(task = %state.arn, %error, "a container could not be taken over");
                Found::Nothing
            }
        }
    }
}

fn exited(index: ContainerIndex, exit: &ExitRecord) -> Event {
    Event::Exited {
        container: index,
        exit_code: exit.exit_code,
        out_of_memory: exit.oom_killed,
        at: Timestamp::from_millis(exit.exited_at_ms),
        reason: exit.reason.clone(),
    }
}

fn binding(port: &netdev::PortBinding) -> Binding {
    Binding {
        bind_ip: "0.0.0.0".into(),
        container_port: port.container_port,
        host_port: port.host_port,
        protocol: if port.protocol == Protocol::Udp {
            "udp"
        } else {
            "tcp"
        }
        .into(),
    }
}

/// A task directory that is not needed any more.
pub fn remove_dir(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        warn!(dir = %dir.display(), %error, "a task's records could not be removed");
    }
}
