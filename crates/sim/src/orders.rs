//! The agent's end of its session: payloads become tasks, manifests are compared with what is here.
//!
//! What `agent/src/session/acs.rs` does with a socket, in the same order: kept before acknowledged.

use crate::agent::Live;
use crate::event::{AgentId, Down, Event, HostIndex, Up};
use crate::host::Kept;
use crate::plan::Mutation;
use crate::simulation::Simulation;
use agent::task::definition::{Desired, TaskDefinition};
use agent::task::machine;
use agent::task::state::ContainerState;
use aws_api::agent::{
    AcsMessage, ContainerHealth, PayloadMessage, Task, TaskHealth, TaskIdentifier,
};
use serde_json::Value;

impl Simulation {
    /// A frame of the server arrives.
    pub fn agent_hears(&mut self, agent: AgentId, session: u64, frame: Down) {
        let now = self.now;
        if let Some(connection) = &mut self.hosts[agent.host].agent.session {
            connection.heard = now;
        }
        match frame {
            Down::Heartbeat => {
                self.send_up(session, Up::HeartbeatAck);
                let tasks = self.health_of(agent.host);
                if !tasks.is_empty() {
                    self.send_up(session, Up::Health { tasks });
                }
            }
            Down::Payload {
                message,
                number,
                tasks,
            } => self.payload(agent, session, (message, number), tasks),
            Down::Manifest {
                message,
                number,
                tasks,
            } => self.manifest(agent, session, (message, number), &tasks),
            Down::Verified { message, stop } => {
                let connection = self.hosts[agent.host].agent.session.as_ref();
                if connection.is_some_and(|connection| connection.manifest == message) {
                    for arn in stop.into_iter().filter_map(|task| task.task_arn) {
                        self.tell(agent, &arn, machine::Event::StopRequested);
                    }
                }
            }
        }
    }

    /// How the tasks with health checks stand, as `agent/src/health.rs` publishes it.
    fn health_of(&self, host: HostIndex) -> Vec<TaskHealth> {
        let container = |container: &ContainerState| {
            let health = container.health.as_ref()?;
            Some(ContainerHealth {
                container_name: Some(container.name.clone()),
                health_status: Some(health.status.as_str().into()),
                ..ContainerHealth::default()
            })
        };
        let live = self.hosts[host].agent.live.iter();
        let of = |(arn, live): (&String, &Live)| TaskHealth {
            task_arn: Some(arn.clone()),
            containers: Some(live.state.containers.iter().filter_map(container).collect()),
            ..TaskHealth::default()
        };
        live.map(of)
            .filter(|task| task.containers.as_ref().is_some_and(|c| !c.is_empty()))
            .collect()
    }

    /// Stops before starts; acknowledged when all are safe on disk.
    fn payload(
        &mut self,
        agent: AgentId,
        session: u64,
        (message, number): (u64, i64),
        tasks: Vec<Task>,
    ) {
        let is_slow = self.random.chance(self.faults.slow_disk);
        let delay = self.random.wait(if is_slow { 10_000 } else { 10 }) + 1;
        if self.has(Mutation::LostAcknowledgement) && message != 0 {
            // The planted bug: taken, and kept only later. Message 0 has nobody to answer.
            self.send_up(session, Up::Ack { message });
            let frame = Down::Payload {
                message: 0,
                number,
                tasks,
            };
            let event = Event::ToAgent {
                agent,
                session,
                frame,
            };
            return self.after(delay, event);
        }
        let mut tasks = match as_on_the_wire(tasks) {
            Ok(tasks) => tasks,
            Err(error) => return self.violate(1, format!("an unreadable payload: {error}")),
        };
        tasks.sort_by_key(|task| task["desiredStatus"] != "STOPPED");
        let mut arns = Vec::new();
        for task in tasks {
            arns.push(task["arn"].as_str().unwrap_or_default().to_owned());
            self.accept(agent, task);
        }
        let disk = &mut self.hosts[agent.host].machine.disk;
        disk.number = disk.number.max(number);
        let tasks = arns;
        let event = Event::Synced {
            agent,
            session,
            message,
            tasks,
        };
        self.after(delay, event);
    }

    fn accept(&mut self, agent: AgentId, payload: Value) {
        let arn = payload["arn"].as_str().unwrap_or_default().to_owned();
        let is_stop = payload["desiredStatus"] == "STOPPED";
        if self.hosts[agent.host].agent.live.contains_key(&arn) {
            if is_stop && !self.has(Mutation::StopUnheard) {
                self.tell(agent, &arn, machine::Event::StopRequested);
            }
            return;
        }
        let mut definition = match TaskDefinition::parse(&payload) {
            Ok(definition) => definition,
            Err(error) => return self.violate(1, format!("{arn} was refused: {error}")),
        };
        if is_stop {
            definition.desired_status = Desired::Stopped;
        }
        let kept = Kept {
            payload,
            synced: false,
            state: None,
            durable: None,
        };
        let disk = &mut self.hosts[agent.host].machine.disk;
        disk.tasks.insert(arn, kept);
        self.spawn(agent, definition);
    }

    /// What a payload brought survives a power failure: now it may be acknowledged.
    pub fn synced(&mut self, agent: AgentId, session: u64, message: u64, tasks: &[String]) {
        let disk = &mut self.hosts[agent.host].machine.disk;
        for arn in tasks {
            if let Some(kept) = disk.tasks.get_mut(arn) {
                kept.synced = true;
            }
        }
        if message != 0 && self.is_session(agent, session) {
            self.send_up(session, Up::Ack { message });
        }
    }

    fn manifest(
        &mut self,
        agent: AgentId,
        session: u64,
        (message, number): (u64, i64),
        tasks: &[TaskIdentifier],
    ) {
        let host = &mut self.hosts[agent.host];
        if number <= host.machine.disk.number {
            return;
        }
        host.machine.disk.number = number;
        if let Some(connection) = &mut host.agent.session {
            connection.manifest = message;
        }
        let is_wanted = |arn: &String| {
            tasks.iter().any(|task| {
                task.desired_status.as_deref() == Some("RUNNING")
                    && task.task_arn.as_ref() == Some(arn)
            })
        };
        let strangers = host.agent.live.keys().filter(|arn| !is_wanted(arn));
        let candidates: Vec<_> = strangers
            .map(|arn| TaskIdentifier {
                task_arn: Some(arn.clone()),
                task_cluster_arn: None,
                desired_status: Some("STOPPED".into()),
            })
            .collect();
        if !candidates.is_empty() {
            let ask = Up::Verify {
                message,
                candidates,
            };
            self.send_up(session, ask);
        }
        self.send_up(session, Up::Ack { message });
    }
}

/// The tasks of a payload, written and read as the websocket carries them.
fn as_on_the_wire(tasks: Vec<Task>) -> Result<Vec<Value>, String> {
    let message = AcsMessage::Payload(PayloadMessage {
        tasks: Some(tasks),
        ..PayloadMessage::default()
    });
    let text = message.to_text().map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    match json["message"]["tasks"].as_array() {
        Some(tasks) => Ok(tasks.clone()),
        None => Err("it has no tasks".into()),
    }
}
