//! A container's start, from its parts to its end.

use super::TaskContext;
use crate::api::now;
use crate::bundle::{self, Attachment, Place};
use crate::cdi;
use crate::fargate;
use crate::images;
use crate::labels::{self, ContainerLabels};
use crate::logs::{LogStreamSpec, Pipes};
use crate::task::deadline::START_TIMED_OUT;
use crate::task::definition::NetworkMode;
use crate::task::machine::Event;
use crate::task::state::{ContainerIndex, TaskState};
use crate::volumes;
use aws_types::Timestamp;
use runtime::host::Phase;
use runtime::image::{Image, PullBehavior};
use runtime::spec::{ContainerSpec, ExitRecord, StreamMode};
use std::path::PathBuf;
use std::sync::Arc;
use tracing::warn;

impl TaskContext {
    pub(super) async fn start_container(&self, state: &TaskState, index: ContainerIndex) {
        let started = tokio::select! {
            started = self.try_start(state, index) => started,
            () = self.starts[index].notified() => self.give_up(index).await,
        };
        match started {
            Ok((pipes, at)) => {
                // The output of an earlier run, which is being delivered, comes first.
                let logs = &self.host.logs;
                logs.detach(&state.containers[index].runtime_id).await;
                logs.attach(self.log_spec(state, index), Some(pipes));
                self.send(Event::Started(index, at));
                self.wait_for_exit(index).await;
            }
            Err(reason) => self.send(Event::StartFailed(index, reason)),
        }
    }

    /// After a start that was dropped: nothing is left of it.
    async fn give_up<T>(&self, index: ContainerIndex) -> Result<T, String> {
        let dir = self.container_dir(index);
        if let Err(error) = self.host.runtime.give_up(&dir).await {
            warn!(task = %self.definition.arn, %error, "a start that took too long was not undone; the sweep does it");
        }
        Err(START_TIMED_OUT.into())
    }

    async fn try_start(
        &self,
        state: &TaskState,
        index: ContainerIndex,
    ) -> Result<(Pipes, Timestamp), String> {
        let dir = self.container_dir(index);
        std::fs::create_dir_all(&dir)
            .map_err(|error| format!("CannotCreateContainerError: {}: {error}", dir.display()))?;
        let log_spec = self.log_spec(state, index);
        self.host.logs.check(&log_spec).map_err(|text| {
            format!("CannotCreateContainerError: Error response from daemon: {text}")
        })?;
        // A further run's stream is there: it must not wait for the server.
        if state.containers[index].started_at.is_none() {
            self.host.logs.prepare(&log_spec).await.map_err(|text| {
                format!("CannotStartContainerError: Error response from daemon: {text}")
            })?;
        }
        let parts = self.parts(index);
        let image = self.image(state, index, parts.image).await?;
        let attachment = self.attachment(state, index, parts.attachment)?;
        let task_files = self.files();
        let container_files = self.ensure_files(index).await?;
        let place = Place {
            task_files: &task_files,
            container_files,
            container_dir: dir,
            runtime_id: &state.containers[index].runtime_id,
            forbidden: &self.host.config.data_dir,
            holder: self.holder(),
            names: self.proxied_names(),
            links: self.linked(state, index).await.map_err(|text| {
                format!("CannotStartContainerError: Error response from daemon: {text}")
            })?,
        };
        let stream_mode = log_spec.stream_mode();
        let spec = self
            .spec(index, &image, &attachment, stream_mode, &place)
            .map_err(|text| {
                format!("CannotCreateContainerError: Error response from daemon: {text}")
            })?;
        match self.host.runtime.start(spec).await {
            Ok(started) => {
                let at = Timestamp::from_millis(started.started_at_ms);
                let (stdout, stderr) = (started.stdout, started.stderr);
                Ok((Pipes { stdout, stderr }, at))
            }
            Err(error) => {
                let name = match error.phase() {
                    Phase::Create => "CannotCreateContainerError",
                    Phase::Start | Phase::Running => "CannotStartContainerError",
                };
                Err(format!("{name}: Error response from daemon: {error}"))
            }
        }
    }

    /// Where the container writes, on the task's disk if it has one, and for a task with ids of its own its holder, which the first to start finds missing.
    async fn ensure_files(&self, index: ContainerIndex) -> Result<PathBuf, String> {
        let told = |error| format!("CannotStartContainerError: {error}");
        let given = self.given.clone().map_err(told)?;
        {
            let _alone = self.holding.lock().await;
            // An earlier agent's disk is not mounted any more where the machine was restarted.
            let made = self.host.isolation.make_disk(given, &self.dir).await;
            made.map_err(told)?;
        }
        if given.ids.is_some() {
            self.ensure_holder().await.map_err(told)?;
        }
        let dir = self.container_files(index);
        match std::fs::create_dir_all(&dir) {
            Ok(()) => Ok(dir),
            Err(error) => {
                let dir = dir.display();
                Err(format!("CannotCreateContainerError: {dir}: {error}"))
            }
        }
    }

    fn spec(
        &self,
        index: ContainerIndex,
        image: &Image,
        attachment: &Attachment,
        stream_mode: StreamMode,
        place: &Place<'_>,
    ) -> Result<ContainerSpec, String> {
        let task = &self.definition;
        let container = &task.containers[index];
        let mut spec = bundle::spec(task, container, image, attachment, stream_mode, place)?;
        let config = &self.host.config;
        cdi::add_gpus(&mut spec, &config.cdi_dirs, task, container)?;
        if let Some(uris) = self.endpoint_uris(attachment, index) {
            uris.add_to(&mut spec.env);
        }
        fargate::harden(&mut spec, task);
        self.given().apply(&mut spec, image)?;
        let kept = ContainerLabels {
            runtime_id: place.runtime_id.to_owned(),
            labels: labels::of(task, container, image, &task.told_cluster()),
            volumes: volumes::labels(task, container, place),
            image_id: image.id.clone(),
            created_at: now(),
        };
        labels::keep(&place.container_dir, &kept)
            .map_err(|error| format!("{}: {error}", place.container_dir.display()))?;
        Ok(spec)
    }

    /// `made`: what this agent got; what an earlier one got is on disk.
    async fn image(
        &self,
        state: &TaskState,
        index: ContainerIndex,
        made: Option<Arc<Image>>,
    ) -> Result<Arc<Image>, String> {
        if let Some(image) = made {
            return Ok(image);
        }
        let reference = &self.definition.containers[index].image;
        let id = &state.containers[index].runtime_id;
        let cached = PullBehavior::PreferCached;
        let ensured = images::ensure(&self.host, reference, id, cached).await;
        Ok(ensured.map_err(|error| error.reason())?.image)
    }

    /// Where the container's network is. `made` is its place on the bridge, if this agent made it.
    fn attachment(
        &self,
        state: &TaskState,
        index: ContainerIndex,
        made: Option<Attachment>,
    ) -> Result<Attachment, String> {
        let container = &self.definition.containers[index];
        if container
            .docker()
            .is_ok_and(|docker| docker.network_disabled)
        {
            return Ok(Attachment::None);
        }
        match self.definition.mode() {
            Ok(NetworkMode::Host) => Ok(Attachment::Host),
            Ok(NetworkMode::Bridge) => made
                .or_else(|| self.adopted_attachment(state, index))
                .ok_or_else(|| "CannotStartContainerError: the container's network is gone".into()),
            Ok(NetworkMode::Awsvpc) => self
                .adopted_interface()
                .map(|interface| Attachment::Vpc(Box::new(interface)))
                .ok_or_else(|| "CannotStartContainerError: the task's network is gone".into()),
            Ok(NetworkMode::None) | Err(_) => Ok(Attachment::None),
        }
    }

    /// Of a container that an earlier agent started, and that is started again.
    fn adopted_attachment(&self, state: &TaskState, index: ContainerIndex) -> Option<Attachment> {
        let id = &state.containers[index].runtime_id;
        let attachment = self.host.network.attached(id)?;
        Some(Attachment::Bridge(Box::new(attachment)))
    }

    pub(super) fn log_spec(&self, state: &TaskState, index: ContainerIndex) -> LogStreamSpec {
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
            signer: self.log_signer(),
        }
    }

    /// Whose execution role signs what log drivers send; `None` for a task without one.
    pub fn log_signer(&self) -> Option<String> {
        let role = self.definition.execution_role_credentials.as_ref();
        role.map(|_| self.definition.arn.clone())
    }

    pub(super) async fn wait_for_exit(&self, index: ContainerIndex) {
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
