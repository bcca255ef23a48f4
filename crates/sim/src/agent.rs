//! An agent's process: its session and its tasks, each with the real machine of `agent::task`.
//!
//! What `agent/src/engine.rs`, `session/acs.rs` and `actor/` do with sockets, files and threads, in
//! the same order: kept before acknowledged, written down before done.

use crate::event::{AgentId, Down, Event, HostIndex, Request, Up};
use crate::host::Kept;
use crate::plan::Mutation;
use crate::session::SILENCE_MAX;
use crate::simulation::Simulation;
use crate::workload;
use agent::task::definition::{Desired, TaskDefinition};
use agent::task::event::Command;
use agent::task::report::TaskChange;
use agent::task::state::{Made, TaskState};
use agent::task::{machine, resume};
use aws_api::agent::{AcsMessage, PayloadMessage, Task, TaskIdentifier};
use ecs::records::InstanceKey;
use serde_json::Value;
use std::collections::BTreeMap;

/// The agent's default, in milliseconds.
const STOP_TIMEOUT: u64 = 30_000;
/// Waits between tries of registering and connecting.
const RETRY: (u64, u64) = (1000, 5000);

/// The process of a host's agent.
#[derive(Debug, Default)]
pub struct Agent {
    pub up: bool,
    /// Counts the host's agents.
    pub life: u64,
    /// Which instance it is, once this process has registered.
    pub registered: Option<InstanceKey>,
    session: Option<Connection>,
    /// Its tasks by ARN.
    pub live: BTreeMap<String, Live>,
}

/// The agent's end of a session.
#[derive(Debug)]
struct Connection {
    number: u64,
    heard: u64,
    manifest: u64,
}

/// A task's actor.
#[derive(Debug)]
pub struct Live {
    pub definition: TaskDefinition,
    pub state: TaskState,
    /// It has had its first event; before that, a stop waits.
    begun: bool,
    stop_waits: bool,
    /// Deeds under way, by number.
    pub asked: BTreeMap<u64, Command>,
    /// The report under way, by its deed's number.
    pub submitting: Option<(u64, TaskChange)>,
}

impl Simulation {
    /// Events of agents; those of a process that is gone reach nobody.
    pub fn happen_to_agent(&mut self, event: Event) {
        match event {
            Event::AgentStarts(host) => self.start_agent(host),
            Event::Register(agent) if self.is_alive(agent) => self.register(agent),
            Event::Connect(agent) if self.is_alive(agent) => self.connect(agent),
            Event::Hangup { agent, session } | Event::Watch { agent, session }
                if !self.is_alive(agent) || !self.is_session(agent, session) => {}
            Event::Hangup { agent, .. } => self.disconnected(agent),
            Event::Watch { agent, session } => self.watch(agent, session),
            Event::ToAgent {
                agent,
                session,
                frame,
            } if self.is_alive(agent) && self.is_session(agent, session) => {
                self.agent_hears(agent, session, frame);
            }
            Event::Synced {
                agent,
                session,
                message,
                tasks,
            } if self.is_alive(agent) => self.synced(agent, session, message, &tasks),
            Event::Begin { agent, arn } if self.is_alive(agent) => self.begin_task(agent, &arn),
            Event::Deed { agent, arn, number } if self.is_alive(agent) => {
                self.done(agent, &arn, number);
            }
            Event::Resubmit {
                agent,
                arn,
                number,
                tries,
            } if self.is_alive(agent) => self.submit_report(agent, &arn, number, tries),
            _ => {}
        }
    }

    /// A new process takes over what an earlier one left, then registers.
    fn start_agent(&mut self, host: HostIndex) {
        let agent = &mut self.hosts[host].agent;
        if agent.up {
            return;
        }
        *agent = Agent {
            up: true,
            life: agent.life + 1,
            ..Agent::default()
        };
        let id = AgentId {
            host,
            life: agent.life,
        };
        self.adopt_networks(host);
        let kept = self.hosts[host].machine.disk.tasks.clone();
        for (arn, task) in kept {
            match TaskDefinition::parse(&task.payload) {
                Ok(definition) => self.take_over(id, &arn, definition, task.state),
                Err(error) => self.violate(1, format!("{arn} cannot be read again: {error}")),
            }
        }
        self.after(20, Event::Register(id));
    }

    /// Keeps the attachments that the tasks' states name, as `HostNetwork::adopt` does.
    fn adopt_networks(&mut self, host: HostIndex) {
        let machine = &mut self.hosts[host].machine;
        let tasks = &machine.disk.tasks;
        machine.attached.retain(|(arn, index), _| {
            let state = tasks.get(arn).and_then(|kept| kept.state.as_ref());
            state.is_some_and(|state| state.containers[*index].network == Made::Yes)
        });
    }

    fn take_over(
        &mut self,
        agent: AgentId,
        arn: &str,
        definition: TaskDefinition,
        state: Option<TaskState>,
    ) {
        let Some(state) = state else {
            return self.spawn(agent, definition);
        };
        let machine = &self.hosts[agent.host].machine;
        let to_look_for = resume::to_look_for(&state).into_iter();
        let found: Vec<_> = to_look_for
            .map(|index| (index, machine.look(arn, index)))
            .collect();
        let now = self.host_now(agent.host);
        let (state, commands) = resume::resume(&state, &found, now);
        let live = Live {
            definition,
            state,
            begun: true,
            stop_waits: false,
            asked: BTreeMap::new(),
            submitting: None,
        };
        self.hosts[agent.host].agent.live.insert(arn.into(), live);
        self.save(agent.host, arn);
        self.carry_out(agent, arn, commands);
    }

    /// A task of a payload becomes an actor.
    fn spawn(&mut self, agent: AgentId, definition: TaskDefinition) {
        let ids = definition.containers.iter();
        let ids: Vec<_> = ids.map(|_| format!("{:064x}", self.number())).collect();
        let now = self.host_now(agent.host);
        let state = TaskState::new(&definition, ids, STOP_TIMEOUT, now);
        let arn = definition.arn.clone();
        let live = Live {
            definition,
            state,
            begun: false,
            stop_waits: false,
            asked: BTreeMap::new(),
            submitting: None,
        };
        self.hosts[agent.host].agent.live.insert(arn.clone(), live);
        let delay = self.random.wait(2);
        self.after(delay, Event::Begin { agent, arn });
    }

    fn begin_task(&mut self, agent: AgentId, arn: &str) {
        let Some(live) = self.hosts[agent.host].agent.live.get_mut(arn) else {
            return;
        };
        live.begun = true;
        let stop_waits = live.stop_waits;
        self.tell(agent, arn, machine::Event::Begin);
        if stop_waits {
            self.tell(agent, arn, machine::Event::StopRequested);
        }
    }

    /// Tells a task what happened: the machine decides, the state is written down, deeds begin.
    pub fn tell(&mut self, agent: AgentId, arn: &str, event: machine::Event) {
        let now = self.host_now(agent.host);
        let Some(live) = self.hosts[agent.host].agent.live.get_mut(arn) else {
            return;
        };
        if !live.begun {
            live.stop_waits |= event == machine::Event::StopRequested;
            return;
        }
        let (state, commands) = machine::step(&live.state, event, now);
        if state != live.state {
            live.state = state;
            self.save(agent.host, arn);
        }
        self.carry_out(agent, arn, commands);
    }

    fn save(&mut self, host: HostIndex, arn: &str) {
        let host = &mut self.hosts[host];
        let live = host.agent.live.get(arn);
        if let (Some(live), Some(kept)) = (live, host.machine.disk.tasks.get_mut(arn)) {
            kept.state = Some(live.state.clone());
            if live.state.stop_reported {
                kept.durable.clone_from(&kept.state);
            }
        }
    }

    fn register(&mut self, agent: AgentId) {
        let host = &self.hosts[agent.host];
        if host.agent.registered.is_some() {
            return;
        }
        let input = workload::registration(agent.host, host.machine.disk.instance.clone());
        let name = host.name.clone();
        self.send_request(Some(agent.host), Request::Register { agent, name, input });
        let again = self.random.between(RETRY.0, RETRY.1) + 5000;
        self.after(again, Event::Register(agent));
    }

    /// The server's answer to a registration.
    pub fn registered(&mut self, agent: AgentId, instance: InstanceKey) {
        if !self.is_alive(agent) || self.hosts[agent.host].agent.registered.is_some() {
            return;
        }
        let host = &mut self.hosts[agent.host];
        host.machine.disk.instance = Some(instance.arn());
        host.agent.registered = Some(instance);
        self.after(1, Event::Connect(agent));
    }

    fn connect(&mut self, agent: AgentId) {
        let (number, now) = (self.number(), self.now);
        let host = &mut self.hosts[agent.host];
        if host.agent.session.is_some() {
            return;
        }
        host.agent.session = Some(Connection {
            number,
            heard: now,
            manifest: 0,
        });
        let session = number;
        if host.cut_until <= now {
            let delay = self.random.wait(5) + 1;
            self.after(delay, Event::Upgrade { agent, session });
        }
        self.after(SILENCE_MAX, Event::Watch { agent, session });
    }

    fn is_session(&self, agent: AgentId, session: u64) -> bool {
        let connection = self.hosts[agent.host].agent.session.as_ref();
        connection.is_some_and(|connection| connection.number == session)
    }

    fn watch(&mut self, agent: AgentId, session: u64) {
        let heard = self.hosts[agent.host].agent.session.as_ref();
        let silent_for = self.now - heard.map_or(0, |connection| connection.heard);
        if silent_for >= SILENCE_MAX {
            if self.hosts[agent.host].cut_until <= self.now {
                self.after(1, Event::SessionClosed { session });
            }
            return self.disconnected(agent);
        }
        self.after(SILENCE_MAX - silent_for, Event::Watch { agent, session });
    }

    fn disconnected(&mut self, agent: AgentId) {
        self.hosts[agent.host].agent.session = None;
        let delay = self.random.between(RETRY.0 / 10, RETRY.1);
        self.after(delay, Event::Connect(agent));
    }

    fn agent_hears(&mut self, agent: AgentId, session: u64, frame: Down) {
        let now = self.now;
        if let Some(connection) = &mut self.hosts[agent.host].agent.session {
            connection.heard = now;
        }
        match frame {
            Down::Heartbeat => self.send_up(session, Up::HeartbeatAck),
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
            if is_stop {
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

    fn synced(&mut self, agent: AgentId, session: u64, message: u64, tasks: &[String]) {
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
