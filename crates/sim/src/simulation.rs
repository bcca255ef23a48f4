//! The run itself: one queue, one step after the other.

use crate::agent::Agent;
use crate::balancer::Targets;
use crate::check::Check;
use crate::client::Client;
use crate::event::{AgentId, Answer, Effect, Event, HostIndex};
use crate::host::Machine;
use crate::host_sync::Sync;
use crate::plan::{Faults, Load, Mutation, Outcome, Plan, Seen, Statistics, Violation};
use crate::queue::Queue;
use crate::random::Random;
use crate::repeats::Repeats;
use crate::server::{START_MS, Server};
use crate::service_loop::Services;
use crate::session::Session;
use crate::vpc_calls::Vpc;
use crate::vpc_check::Known;
use aws_types::Timestamp;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use store::StoreError;

/// Milliseconds of one minute.
const MINUTE: u64 = 60_000;
/// The quiet after load and faults, in which every service has to come to what it wants.
const SETTLE: u64 = 15 * MINUTE;
/// The end without services, in which everything has to come to rest.
const CALM: u64 = 15 * MINUTE;
/// More can only be waiting if something asks for ever more.
const QUEUE_LEN_MAX: usize = 20_000;

/// A machine of the cluster, with its agent.
#[derive(Debug)]
pub struct Host {
    pub name: String,
    pub machine: Machine,
    pub agent: Agent,
    /// Milliseconds by which its clock is off.
    pub clock_ms: i64,
    /// Its link is cut until then.
    pub cut_until: u64,
    /// It lends FARGATE capacity, and is no container instance.
    pub lends: bool,
    /// It is a second registration of that machine's agent: one process, one set of networks.
    pub beside: Option<HostIndex>,
}

/// A run in progress.
#[derive(Debug)]
pub struct Simulation {
    pub plan: Plan,
    /// Milliseconds since the start: the true time, which nobody's clock has to show.
    pub now: u64,
    pub random: Random,
    pub faults: Faults,
    pub server: Server,
    pub sessions: BTreeMap<u64, Session>,
    /// Host sync's.
    pub syncs: BTreeMap<u64, Sync>,
    /// The users'.
    pub vpcs: Vec<Vpc>,
    pub hosts: Vec<Host>,
    pub client: Client,
    pub check: Check,
    pub interfaces: Known,
    pub services: Services,
    pub repeats: Repeats,
    pub targets: Targets,
    pub statistics: Statistics,
    pub seen: Seen,
    /// No load and no faults any more.
    pub is_calm: bool,
    queue: Queue<Event>,
    numbers: u64,
    trace: DefaultHasher,
    violation: Option<Violation>,
    is_over: bool,
}

impl Simulation {
    /// A cluster at rest, its agents about to start.
    pub fn new(plan: Plan) -> Result<Self, StoreError> {
        let mut random = Random::new(plan.seed);
        let faults = match plan.load {
            Load::Everything | Load::Services => Faults::draw(&mut random),
            Load::TwoServices => Faults::NONE,
        };
        let instances = random.between(2, 4);
        let lent = match plan.load {
            Load::Everything | Load::Services => random.between(1, 2),
            Load::TwoServices => 0,
        };
        // The first that lends may be a machine that is a container instance too, as by default.
        let beside = random.chance(600).then_some(0);
        let hosts = (0..instances + lent).map(|at| Host {
            name: match beside {
                Some(of) if at == instances => format!("host-{of}"),
                _ => format!("host-{at}"),
            },
            lends: at >= instances,
            beside: beside.filter(|_| at == instances),
            machine: Machine::default(),
            agent: Agent::default(),
            clock_ms: 0,
            cut_until: 0,
        });
        let mut simulation = Self {
            plan,
            now: 0,
            hosts: hosts.collect(),
            faults,
            server: Server::new(plan.seed, plan.mutation != Some(Mutation::Nameless))?,
            sessions: BTreeMap::new(),
            syncs: BTreeMap::new(),
            vpcs: Vec::new(),
            interfaces: Known::default(),
            client: Client::default(),
            check: Check::default(),
            services: Services::default(),
            repeats: Repeats::default(),
            targets: Targets::default(),
            statistics: Statistics::default(),
            seen: Seen::default(),
            is_calm: false,
            queue: Queue::new(),
            numbers: 0,
            trace: DefaultHasher::new(),
            violation: None,
            is_over: false,
            random,
        };
        simulation.server.keeps_refused = simulation.has(Mutation::KeptRefusal);
        simulation.begin();
        Ok(simulation)
    }

    /// Runs to the end, or to the first violation.
    pub fn run(mut self) -> Result<Outcome, StoreError> {
        while !self.is_over && self.violation.is_none() {
            let Some((at, event)) = self.queue.pop() else {
                break;
            };
            self.now = at;
            self.statistics.events += 1;
            (at, event.mark()).hash(&mut self.trace);
            self.happen(event)?;
            if self.queue.len() > QUEUE_LEN_MAX {
                self.violate(9, "more and more is waiting".into());
            }
        }
        Ok(Outcome {
            violation: self.violation,
            statistics: self.statistics,
            seen: self.seen,
            trace: self.trace.finish(),
        })
    }

    fn begin(&mut self) {
        self.define_vpcs();
        self.define_families();
        self.declare_targets();
        self.make_alarms();
        self.make_registry();
        for host in 0..self.hosts.len() {
            self.after(host as u64 * 10, Event::AgentStarts(host));
        }
        let life = self.server.life;
        self.after(1000, Event::Controllers { life });
        if self.plan.load == Load::Everything {
            self.after(3000, Event::Client);
            self.after(4000, Event::Ec2Client);
        }
        self.begin_services();
        self.restart_services();
        self.plan_troubles();
        let end = self.plan.minutes * MINUTE;
        self.after(end, Event::Calm);
        self.after(end + SETTLE, Event::EndServices { tries: 3 });
        self.after(end + SETTLE + CALM, Event::End);
    }

    fn happen(&mut self, event: Event) -> Result<(), StoreError> {
        match event {
            Event::Request(request) => self.serve(*request),
            Event::Answer(answer) => self.answered(answer),
            Event::Commit { life } if life == self.server.life && self.server.up => {
                self.commit()?;
            }
            Event::Commit { .. } => {}
            Event::Controllers { life } => self.control(life),
            Event::ServerStarts => self.start_server()?,
            Event::Client => self.client_turn(),
            Event::Ec2Client => self.ec2_client_turn(),
            Event::Sync { session, event } => self.happen_in_sync(session, event),
            Event::Trouble(trouble) => self.make_trouble(trouble)?,
            Event::KillAgent(agent) => self.kill_amid(agent),
            Event::ServiceClient => self.service_client_turn(),
            Event::Services { life } => self.service_turn(life),
            Event::ServicesTick { life } => self.service_tick(life),
            Event::Calm => self.calm_down(),
            Event::MendServices { tries } => self.keep_mending(tries),
            Event::EndServices { tries } => self.end_services(tries),
            Event::StopAll { tries } => self.stop_all(tries),
            Event::End => {
                self.check_services_gone();
                self.check_rest();
                self.check_networks_rest();
                self.is_over = true;
            }
            Event::Upgrade { agent, session } => self.upgrade(agent, session),
            Event::ToServer { session, frame } => self.server_hears(session, frame),
            Event::SessionTurn { session } => self.session_turn(session),
            Event::SessionClosed { session } => self.end_session(session),
            Event::Exit {
                host,
                process,
                exit_code,
            } => self.exit(host, process, exit_code),
            other => self.happen_to_agent(other),
        }
        Ok(())
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Started {
                call,
                tasks,
                refused,
            } => self.started(call, tasks, refused),
            Answer::StopTaken { task } => self.stop_taken(&task),
            Answer::ServiceMade { name } => self.service_made(&name),
            Answer::Registered { agent, instance } => self.registered(agent, instance),
            Answer::Taken { agent, arn, number } => self.report_taken(agent, &arn, number),
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let Some(committed) = self.server.commit()? else {
            return Ok(());
        };
        self.statistics.commits += 1;
        for change in &committed.changes {
            (change.table, &change.value).hash(&mut self.trace);
        }
        self.check_commit(&committed.changes);
        self.check_repeats(&committed.changes);
        self.concern_hosts(&committed.changes);
        self.concern_services(&committed.changes);
        for effect in committed.effects {
            match effect {
                Effect::Answer(answer) => self.send_answer(answer),
                Effect::Opened { session, numbers } => self.opened(session, numbers),
                Effect::Acknowledged { session, message } => self.recorded(session, message),
            }
        }
        self.deliver_all();
        Ok(())
    }

    /// An answer leaves the server; it may be lost.
    fn send_answer(&mut self, answer: Answer) {
        let host = match &answer {
            Answer::Registered { agent, .. } | Answer::Taken { agent, .. } => Some(agent.host),
            Answer::Started { .. } | Answer::StopTaken { .. } | Answer::ServiceMade { .. } => None,
        };
        if self.is_lost(host) {
            return;
        }
        let delay = self.random.wait(3) + 1;
        self.after(delay, Event::Answer(answer));
    }

    /// Whether a request or answer on the way to or from this host, or a user, is lost.
    pub fn is_lost(&mut self, host: Option<HostIndex>) -> bool {
        let is_cut = host.is_some_and(|host| self.hosts[host].cut_until > self.now);
        let is_lost = is_cut || self.random.chance(self.faults.lost);
        self.statistics.lost += u64::from(is_lost);
        is_lost
    }

    /// Lets a batch that has just been opened be committed.
    pub fn wait_for_commit(&mut self, effect: Option<Effect>) {
        if self.server.after_commit(effect) {
            let is_slow = self.random.chance(self.faults.slow_disk);
            let delay = self.random.wait(if is_slow { 2000 } else { 3 }) + 1;
            let life = self.server.life;
            self.after(delay, Event::Commit { life });
        }
    }

    /// Lets something happen after so many milliseconds.
    pub fn after(&mut self, delay: u64, event: Event) {
        self.queue.push(self.now + delay, event);
    }

    /// A number that was not given before.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// What a host's clock shows.
    pub fn host_now(&self, host: HostIndex) -> Timestamp {
        let truth = i64::try_from(self.now).unwrap_or(i64::MAX);
        Timestamp::from_millis(START_MS + truth + self.hosts[host].clock_ms)
    }

    /// Whether this process of an agent still runs.
    pub fn is_alive(&self, agent: AgentId) -> bool {
        let found = &self.hosts[agent.host].agent;
        found.up && found.life == agent.life
    }

    /// Writes down the first violation; the run ends with this step.
    pub fn violate(&mut self, invariant: u8, what: String) {
        let (step, at_ms) = (self.statistics.events, self.now);
        self.violation.get_or_insert(Violation {
            invariant,
            step,
            at_ms,
            what,
        });
    }

    /// Whether this bug is planted.
    pub fn has(&self, mutation: Mutation) -> bool {
        self.plan.mutation == Some(mutation)
    }
}
