//! An agent's process: its connection and its tasks, each with the real machine of `agent::task`.
//!
//! What `agent/src/engine.rs` and `actor/` do with sockets, files and threads, in
//! the same order: written down before done.

use crate::event::{AgentId, Event, HostIndex, Request};
use crate::host_sync::SyncEnd;
use crate::session::SILENCE_MAX;
use crate::simulation::Simulation;
use crate::workload;
use agent::task::definition::TaskDefinition;
use agent::task::event::Command;
use agent::task::report::TaskChange;
use agent::task::state::{Made, TaskState};
use agent::task::{machine, resume};
use ecs::records::InstanceKey;
use netdev::vpc::desired::Desired;
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
    pub session: Option<Connection>,
    /// Its end of host sync, and what it was told.
    pub sync: Option<SyncEnd>,
    pub networks: Desired,
    /// Its tasks by ARN.
    pub live: BTreeMap<String, Live>,
}

/// The agent's end of a session.
#[derive(Debug)]
pub struct Connection {
    number: u64,
    pub heard: u64,
    /// The last manifest's message.
    pub manifest: u64,
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
    /// By when the row of its interface has to come, once that is waited for.
    pub row_by: Option<u64>,
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
        let first = self.first_of(host);
        if first != host && !self.hosts[first].agent.up {
            // One process: it begins with the first.
            return self.after(10, Event::AgentStarts(host));
        }
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
        if first == host {
            self.adopt_interfaces(host);
        }
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
            row_by: None,
        };
        self.hosts[agent.host].agent.live.insert(arn.into(), live);
        self.save(agent.host, arn);
        self.carry_out(agent, arn, commands);
    }

    /// A task of a payload becomes an actor.
    pub fn spawn(&mut self, agent: AgentId, definition: TaskDefinition) {
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
            row_by: None,
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
        let known = host.machine.disk.instance.clone();
        let input = workload::registration(agent.host, host.lends, known);
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
        // As `agent`'s records: another instance's numbers begin anew.
        if host.machine.disk.instance != Some(instance.arn()) {
            host.machine.disk.number = 0;
        }
        host.machine.disk.instance = Some(instance.arn());
        host.agent.registered = Some(instance);
        self.after(1, Event::Connect(agent));
        if self.hosts[agent.host].beside.is_none() {
            self.begin_sync(agent);
        }
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

    pub fn is_session(&self, agent: AgentId, session: u64) -> bool {
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
}
