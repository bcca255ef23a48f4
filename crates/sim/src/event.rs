//! Everything that can happen.

use crate::host_sync::SyncEvent;
use crate::service_calls::ServiceCall;
use crate::vpc_calls::Ec2Call;
use agent::task::report::TaskChange;
use aws_api::agent::{Task, TaskHealth, TaskIdentifier};
use aws_api::ecs::{
    RegisterContainerInstanceRequest, RunTaskRequest, StartTaskRequest, StopTaskRequest,
};
use ecs::records::InstanceKey;
use std::ops::Range;

/// Position of a host in the simulation.
pub type HostIndex = usize;

/// One process of a host's agent: a restarted agent is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentId {
    /// Its host.
    pub host: HostIndex,
    /// Counts the host's agents.
    pub life: u64,
}

/// What happens at a moment.
#[derive(Debug)]
pub enum Event {
    /// A request reaches the server.
    Request(Box<Request>),
    /// An answer reaches whoever asked.
    Answer(Answer),
    /// The writer's batch is durable, unless the server of this life is gone.
    Commit { life: u64 },
    /// The loops look at the state.
    Controllers { life: u64 },
    /// The killed server is there again.
    ServerStarts,
    /// The users' next call.
    Client,
    /// The users' next call to EC2.
    Ec2Client,
    /// In a host sync session.
    Sync { session: u64, event: SyncEvent },
    /// Something goes wrong.
    Trouble(Trouble),
    /// `kill -9` of this agent, in the middle of what it does.
    KillAgent(AgentId),
    /// The users' next call about a service.
    ServiceClient,
    /// The scheduler looks at the services.
    Services { life: u64 },
    /// The scheduler's slow tick.
    ServicesTick { life: u64 },
    /// The load and the faults end.
    Calm,
    /// Every service gets what it is well with.
    MendServices { tries: u32 },
    /// Every service has what it wants; then it is deleted.
    EndServices { tries: u32 },
    /// Every task that is left is asked to stop.
    StopAll { tries: u32 },
    /// The run is over.
    End,
    /// A killed agent is there again.
    AgentStarts(HostIndex),
    /// An agent tries to register.
    Register(AgentId),
    /// An agent opens a session.
    Connect(AgentId),
    /// The upgrade request reaches the server.
    Upgrade { agent: AgentId, session: u64 },
    /// A frame reaches the agent.
    ToAgent {
        agent: AgentId,
        session: u64,
        frame: Down,
    },
    /// A frame reaches the server.
    ToServer { session: u64, frame: Up },
    /// The session's turn: heartbeat, and what was not acknowledged.
    SessionTurn { session: u64 },
    /// The server sees that a session's other end is gone.
    SessionClosed { session: u64 },
    /// The agent looks whether its session is silent.
    Watch { agent: AgentId, session: u64 },
    /// The agent sees that its session's other end is gone.
    Hangup { agent: AgentId, session: u64 },
    /// The tasks of a payload are safe on the agent's disk.
    Synced {
        agent: AgentId,
        session: u64,
        message: u64,
        tasks: Vec<String>,
    },
    /// A task's actor begins.
    Begin { agent: AgentId, arn: String },
    /// A deed that the machine asked for is done.
    Deed {
        agent: AgentId,
        arn: String,
        number: u64,
    },
    /// An answer to a report did not come in time.
    Resubmit {
        agent: AgentId,
        arn: String,
        number: u64,
        tries: u32,
    },
    /// A program ends, unless it did before.
    Exit {
        host: HostIndex,
        process: u64,
        exit_code: i32,
    },
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// `kill -9` of the server.
    KillServer,
    /// `kill -9` of some agent.
    KillAgent,
    /// Some host loses power.
    Power,
    /// Some host's link is cut for a while.
    Cut,
    /// Some clock is set.
    Clock,
}

/// Frames from server to agent.
#[derive(Clone, Debug)]
pub enum Down {
    Heartbeat,
    Payload {
        message: u64,
        number: i64,
        tasks: Vec<Task>,
    },
    Manifest {
        message: u64,
        number: i64,
        tasks: Vec<TaskIdentifier>,
    },
    Verified {
        message: u64,
        stop: Vec<TaskIdentifier>,
    },
}

/// Frames from agent to server.
#[derive(Clone, Debug)]
pub enum Up {
    HeartbeatAck,
    /// How the host's tasks with health checks stand.
    Health {
        tasks: Vec<TaskHealth>,
    },
    Ack {
        message: u64,
    },
    Verify {
        message: u64,
        candidates: Vec<TaskIdentifier>,
    },
}

/// Calls of the API.
#[derive(Clone, Debug)]
pub enum Request {
    Run {
        call: u64,
        input: RunTaskRequest,
    },
    Start {
        call: u64,
        input: StartTaskRequest,
    },
    Stop {
        input: StopTaskRequest,
    },
    Deregister {
        instance: InstanceKey,
        force: bool,
    },
    Service(ServiceCall),
    Ec2(Ec2Call),
    Register {
        agent: AgentId,
        name: String,
        input: RegisterContainerInstanceRequest,
    },
    Submit {
        agent: AgentId,
        arn: String,
        number: u64,
        change: TaskChange,
    },
}

/// Answers of the API, sent when what they say is durable.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of RunTask and StartTask: the tasks started.
    Started {
        call: u64,
        tasks: Vec<String>,
        refused: u64,
    },
    /// Of CreateService.
    ServiceMade { name: String },
    /// Of StopTask.
    StopTaken { task: String },
    Registered {
        agent: AgentId,
        instance: InstanceKey,
    },
    /// The report was taken.
    Taken {
        agent: AgentId,
        arn: String,
        number: u64,
    },
}

/// What waits for a commit.
#[derive(Debug)]
pub enum Effect {
    Answer(Answer),
    /// A session may begin, or may not; with numbers for its messages.
    Opened {
        session: u64,
        numbers: Option<Range<i64>>,
    },
    /// A message's acknowledgement is recorded.
    Acknowledged {
        session: u64,
        message: u64,
    },
}

impl Event {
    /// What distinguishes this event in the trace.
    pub fn mark(&self) -> (u8, u64) {
        let agent = |agent: &AgentId| (agent.host as u64) << 32 | agent.life;
        match self {
            Self::Request(_) => (1, 0),
            Self::Answer(_) => (2, 0),
            Self::Commit { life } => (3, *life),
            Self::Controllers { life } => (4, *life),
            Self::ServerStarts => (5, 0),
            Self::Client => (6, 0),
            Self::Trouble(kind) => (7, *kind as u64),
            Self::KillAgent(id) => (33, agent(id)),
            Self::Calm => (8, 0),
            Self::End => (9, 0),
            Self::ServiceClient => (26, 0),
            Self::Ec2Client => (31, 0),
            Self::Sync { session, event } => (32, session << 32 | event.mark()),
            Self::Services { life } => (27, *life),
            Self::ServicesTick { life } => (30, *life),
            Self::MendServices { tries } => (28, u64::from(*tries)),
            Self::EndServices { tries } => (29, u64::from(*tries)),
            Self::StopAll { tries } => (25, u64::from(*tries)),
            Self::AgentStarts(host) => (10, *host as u64),
            Self::Register(id) => (11, agent(id)),
            Self::Connect(id) => (12, agent(id)),
            Self::Upgrade { session, .. } => (13, *session),
            Self::ToAgent { session, .. } => (14, *session),
            Self::ToServer { session, .. } => (15, *session),
            Self::SessionTurn { session } => (16, *session),
            Self::SessionClosed { session } => (17, *session),
            Self::Watch { session, .. } => (18, *session),
            Self::Hangup { session, .. } => (19, *session),
            Self::Synced { message, .. } => (20, *message),
            Self::Begin { agent: id, .. } => (21, agent(id)),
            Self::Deed { number, .. } => (22, *number),
            Self::Resubmit { number, .. } => (23, *number),
            Self::Exit { process, .. } => (24, *process),
        }
    }
}
