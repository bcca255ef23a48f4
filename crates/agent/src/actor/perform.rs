//! From what the machine asks for to who does it. Each outcome goes back as an event.

use super::TaskContext;
use crate::api::now;
use crate::submit;
use crate::task::machine::{Command, Event};
use crate::task::state::{ContainerIndex, TaskState};
use std::sync::Arc;
use tracing::warn;

impl TaskContext {
    pub(super) async fn perform(self: Arc<Self>, state: &TaskState, command: Command) {
        match command {
            Command::MakeCgroup => self.make_cgroup().await,
            Command::EnsureImage(index) => self.ensure_image(state, index).await,
            Command::AttachNetwork(index) => self.attach_network(state, index).await,
            Command::AttachInterface => self.attach_interface().await,
            Command::DetachInterface => self.detach_interface().await,
            Command::Start(index) => self.start_container(state, index).await,
            // Heard only where one is under way.
            Command::GiveUpStart(index) => self.starts[index].notify_waiters(),
            Command::Clear(index) => self.clear(state, index).await,
            Command::CheckHealth { container, run, at } => {
                tokio::time::sleep(at.since(now())).await;
                self.check_health(state, container, run).await;
            }
            Command::Signal(index, signal) => self.signal(index, signal).await,
            Command::SetTimer(timer, at) => {
                tokio::time::sleep(at.since(now())).await;
                self.send(Event::TimerFired(timer));
            }
            Command::FinishLogs(index) => {
                let id = &state.containers[index].runtime_id;
                self.host.logs.finish(id).await;
                self.send(Event::LogsFinished(index));
            }
            Command::DetachNetwork(index) => self.detach_network(state, index).await,
            Command::RemoveContainer(index) => self.remove_container(index).await,
            Command::RemoveCgroup => self.remove_cgroup().await,
            Command::Submit(change) => {
                let cluster = self.definition.cluster();
                submit::submit(&self.host.api, cluster, &state.arn, &change).await;
                self.send(Event::ReportAcknowledged);
            }
            Command::Forget => {}
        }
    }

    async fn signal(&self, index: ContainerIndex, signal: i32) {
        let dir = self.container_dir(index);
        if let Err(error) = self.host.runtime.signal(&dir, signal).await {
            warn!(task = %self.definition.arn, %error, signal, "a signal could not be sent");
        }
    }

    async fn detach_network(&self, state: &TaskState, index: ContainerIndex) {
        self.leave_bridge(&state.containers[index].runtime_id).await;
        self.send(Event::NetworkGone(index));
    }

    async fn remove_container(&self, index: ContainerIndex) {
        let dir = self.container_dir(index);
        if let Err(error) = self.host.runtime.remove(&dir).await {
            warn!(task = %self.definition.arn, %error, "a container could not be removed; the sweep does it");
        }
        self.send(Event::ContainerGone(index));
    }

    async fn remove_cgroup(&self) {
        self.remove_holder().await;
        let id = self.definition.id().unwrap_or_default();
        if let Err(error) = self.host.runtime.remove_task(id).await {
            warn!(task = %self.definition.arn, %error, "a task's cgroup could not be removed; the sweep does it");
        }
        self.send(Event::CgroupGone);
    }
}
