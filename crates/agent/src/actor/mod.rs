//! One ECS task: the machine's state, and the deeds that it asks for.
//!
//! The state is written down before the deeds are begun, so that an agent killed in between asks
//! for them again. Deeds run side by side; each sends its outcome back as an event.

mod again;
mod endpoints;
mod holder;
mod interface;
mod linked;
mod perform;
mod prepare;
mod proxy;
mod start;
mod take_over;

use crate::api::now;
use crate::bundle::{self, Attachment};
use crate::engine::Host;
use crate::isolation::{self, Given};
use crate::records;
use crate::task::definition::{Desired, TaskDefinition};
use crate::task::machine::{Command, Event, step};
use crate::task::state::{ContainerIndex, TaskState};
use runtime::image::Image;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, watch};
use tracing::{debug, warn};

/// A task on this host: what every deed of it needs, and the way to tell it something.
#[derive(Debug)]
pub struct TaskContext {
    /// The host's means.
    pub host: Arc<Host>,
    /// What the task is.
    pub definition: TaskDefinition,
    /// Its record directory.
    pub dir: PathBuf,
    /// The unguessable part of each container's paths; none where they cannot be kept.
    pub endpoint_ids: Vec<String>,
    /// What of the host it has to itself; why it has nothing.
    given: Result<Given, String>,
    /// Held while the holder is looked for or started: containers start side by side.
    holding: tokio::sync::Mutex<()>,
    /// Its containers' images and attachments, once there. Watched by those that are linked to them.
    parts: watch::Sender<Vec<Parts>>,
    /// By container: tells a start that it is given up.
    starts: Vec<Notify>,
    mailbox: mpsc::UnboundedSender<Event>,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    image: Option<Arc<Image>>,
    attachment: Option<Attachment>,
    /// The attachment cannot be made.
    is_cut_off: bool,
}

/// Starts the actor of a new task.
pub fn spawn(
    host: Arc<Host>,
    definition: TaskDefinition,
    dir: PathBuf,
    state: TaskState,
) -> Arc<TaskContext> {
    start(host, definition, dir, Start::New(state))
}

/// Starts the actor of a task that an earlier agent left.
pub fn spawn_resumed(
    host: Arc<Host>,
    definition: TaskDefinition,
    dir: PathBuf,
    state: TaskState,
) -> Arc<TaskContext> {
    start(host, definition, dir, Start::Resumed(state))
}

enum Start {
    New(TaskState),
    Resumed(TaskState),
}

fn start(
    host: Arc<Host>,
    definition: TaskDefinition,
    dir: PathBuf,
    begin: Start,
) -> Arc<TaskContext> {
    // Unbounded: the sender is the task's own deeds, whose number the definition bounds.
    let (mailbox, events) = mpsc::unbounded_channel();
    let (parts, _) = watch::channel(vec![Parts::default(); definition.containers.len()]);
    let starts = definition
        .containers
        .iter()
        .map(|_| Notify::new())
        .collect();
    let endpoint_ids = endpoints::ids(&definition, &dir);
    let is_new = matches!(begin, Start::New(_));
    let given = host.isolation.give(&definition, &dir, is_new);
    let context = Arc::new(TaskContext {
        host,
        definition,
        dir,
        endpoint_ids,
        given,
        holding: tokio::sync::Mutex::default(),
        parts,
        starts,
        mailbox,
    });
    tokio::spawn(live(context.clone(), begin, events));
    context
}

async fn live(context: Arc<TaskContext>, begin: Start, mut events: mpsc::UnboundedReceiver<Event>) {
    let (mut state, commands) = match begin {
        Start::New(state) => step(&state, Event::Begin, now()),
        Start::Resumed(state) => {
            let state = unless_unknown(state, &context.given);
            context.look_and_resume(&state).await
        }
    };
    context.save(&state);
    context.host.health.note(&context.definition, &state);
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
            context.host.health.note(&context.definition, &state);
        }
        context.carry_out(&state, commands);
    }
}

/// A task that may have something to itself, nobody knows what, is stopped: it would go on without.
fn unless_unknown(mut state: TaskState, given: &Result<Given, String>) -> TaskState {
    if let (Err(reason), Desired::Running) = (given, state.desired) {
        state.desired = Desired::Stopped;
        state.reason = Some(format!("ResourceInitializationError: {reason}"));
    }
    state
}

impl TaskContext {
    fn save(&self, state: &TaskState) {
        // A result must survive power loss; the way there starts again after one.
        if let Err(error) = records::write_state(&self.dir, state, state.stop_reported) {
            warn!(task = %state.arn, %error, "a task's state could not be written");
        }
    }

    /// Where a container's records are.
    pub fn container_dir(&self, index: ContainerIndex) -> PathBuf {
        self.dir
            .join("containers")
            .join(&self.definition.containers[index].name)
    }

    /// What it has to itself. Of a task that could be given nothing no container is ever started.
    pub fn given(&self) -> Given {
        self.given.clone().unwrap_or_default()
    }

    /// Where what its containers write is kept.
    fn files(&self) -> PathBuf {
        self.given().files(&self.dir)
    }

    /// Where what a container writes is kept.
    fn container_files(&self, index: ContainerIndex) -> PathBuf {
        bundle::container_files(&self.files(), &self.definition.containers[index].name)
    }

    /// Tells the task what happened.
    pub fn send(&self, event: Event) {
        // A task that is over hears nothing any more.
        let _ = self.mailbox.send(event);
    }

    fn parts(&self, index: ContainerIndex) -> Parts {
        self.parts.borrow()[index].clone()
    }

    fn set_parts(&self, index: ContainerIndex, change: impl FnOnce(&mut Parts)) {
        self.parts.send_modify(|parts| change(&mut parts[index]));
    }

    fn carry_out(self: &Arc<Self>, state: &TaskState, commands: Vec<Command>) {
        if commands.is_empty() {
            return;
        }
        let shared = Arc::new(state.clone());
        for command in commands {
            if command == Command::Forget {
                self.host.forget(state, &self.dir, self.given());
                continue;
            }
            let (context, state) = (self.clone(), shared.clone());
            tokio::spawn(async move { context.perform(&state, command).await });
        }
    }
}

/// A task directory that is not needed any more, with its disk. Blocks where there is one.
pub fn remove_dir(dir: &Path) {
    isolation::remove_disk(dir);
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        warn!(dir = %dir.display(), %error, "a task's records could not be removed");
    }
}
