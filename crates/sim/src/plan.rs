//! What one run is, and how it ended.

use crate::random::Random;
use std::fmt;

/// One run. The same plan gives the same run, to the last step.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything that chance decides follows from it.
    pub seed: u64,
    /// Simulated minutes under load and faults; a quiet end of a quarter of an hour follows.
    pub minutes: u64,
    /// What the users do.
    pub load: Load,
    /// A bug to be planted at the simulator's own edge; for tests of the simulator.
    pub mutation: Option<Mutation>,
}

/// What the users do, and what goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Calls of every kind, and the seed's mixture of faults.
    Everything,
    /// The calls about services alone, many of them, and the seed's mixture of faults.
    Services,
    /// Two services are made and left alone, one of which has an image that cannot be pulled; nothing
    /// else goes wrong. For AWS's long waits.
    TwoServices,
}

/// A known bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Calls of RunTask that wait for one commit each place from the same stale snapshot.
    DoublePlacement,
    /// Now and then a report of STOPPED is acknowledged and not applied.
    ForgottenRelease,
    /// The agent acknowledges a payload before it has kept it.
    LostAcknowledgement,
    /// What a request had written when it failed stays.
    KeptRefusal,
    /// A service's task counts as healthy as soon as it is RUNNING: the old ones are stopped too early.
    HealthyAtOnce,
    /// What the tasks of a lost host still hold there is given to others at once.
    ForgottenHost,
    /// Grace periods are as good as none.
    GraceIgnored,
    /// A service may have twice as many tasks as its maximum allows.
    MaximumDoubled,
    /// A DAEMON's instance that has its task counts as one without.
    TakenSeat,
    /// Agents do not stop what they are told to stop.
    StopUnheard,
    /// Task sets get twice their share.
    ScaledTwice,
    /// A task set that is deleted is gone before its tasks are.
    ForgottenSet,
    /// A circuit breaker that is to roll back does not.
    NoRollback,
    /// Protected tasks are stopped like others.
    ProtectionIgnored,
    /// Nothing follows from what a transaction changed: no name, no event.
    Nameless,
    /// What is to leave its load balancer counts as gone from it at once.
    TargetForgotten,
    /// A strategy's weights are taken for one another's.
    WeightsExchanged,
    /// What a service told is forgotten at once.
    ForgottenTellings,
    /// A hook that is open holds nothing up.
    HooksPassed,
    /// Nobody does what StopServiceDeployment asked for.
    StopIgnored,
    /// Alarms end no deployment.
    AlarmIgnored,
    /// The scheduler is not woken by this.
    MissedWake(Wake),
    /// The addresses of a lost host's tasks are free as soon as the tasks count as STOPPED.
    FreedWhenLost,
    /// An agent says that an interface is gone before it is.
    SaidGoneTooEarly,
    /// An agent that begins keeps every device it finds, also one that was only begun.
    AdoptedAll,
    /// Rows of interfaces that are gone are not taken back from hosts.
    KeptRows,
    /// Hosts do not hear of changes of security group rules.
    UntoldRules,
}

/// What wakes the scheduler for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The change of a task.
    Task,
    /// The change of an instance.
    Instance,
    /// The change of the service itself, or of its deployment.
    Service,
    /// The change of an alarm.
    Alarm,
    /// The moment that its last plan named.
    Time,
}

/// How often what goes wrong; each seed has its own mixture, so that some runs are almost calm and
/// others have one kind of trouble only.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Mean milliseconds between kills of the server; 0 is never.
    pub kill_server: u64,
    /// Mean milliseconds between kills of some agent.
    pub kill_agent: u64,
    /// Mean milliseconds between power failures of some host.
    pub power: u64,
    /// Mean milliseconds between cuts of some host's link.
    pub cut: u64,
    /// Mean milliseconds between steps of some clock.
    pub clock: u64,
    /// Requests or answers lost, of a thousand.
    pub lost: u64,
    /// Requests that arrive twice, of a thousand.
    pub twice: u64,
    /// Pulls that take minutes, of a thousand.
    pub slow_pull: u64,
    /// Deeds on a host that fail, of a thousand.
    pub failing: u64,
    /// Commits and syncs of a disk that take seconds, of a thousand.
    pub slow_disk: u64,
    /// Requests that fail after all their work, as by a panic in the last step, of a thousand.
    pub late_failure: u64,
}

const MINUTE: u64 = 60_000;

impl Faults {
    /// No faults.
    pub const NONE: Self = Self {
        kill_server: 0,
        kill_agent: 0,
        power: 0,
        cut: 0,
        clock: 0,
        lost: 0,
        twice: 0,
        slow_pull: 0,
        failing: 0,
        slow_disk: 0,
        late_failure: 0,
    };

    /// A seed's mixture.
    pub fn draw(random: &mut Random) -> Self {
        let mut mean = |minutes: u64| match random.below(3) {
            0 => 0,
            1 => minutes * MINUTE,
            _ => minutes * MINUTE / 4,
        };
        let (kill_server, kill_agent, power) = (mean(20), mean(8), mean(60));
        let (cut, clock) = (mean(12), mean(30));
        let mut share = |most: u64| match random.below(3) {
            0 => 0,
            _ => random.between(1, most),
        };
        Self {
            kill_server,
            kill_agent,
            power,
            cut,
            clock,
            lost: share(100),
            twice: share(100),
            slow_pull: share(150),
            failing: share(100),
            slow_disk: share(50),
            late_failure: share(30),
        }
    }
}

/// What must always hold and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in the design's list.
    pub invariant: u8,
    /// The step after which it was seen.
    pub step: u64,
    /// Simulated milliseconds since the start.
    pub at_ms: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, rest) = (self.at_ms / 3_600_000, self.at_ms % 3_600_000);
        write!(
            f,
            "invariant {} violated at step {} ({hours}h{:02}m{:02}.{:03}s): {}",
            self.invariant,
            self.step,
            rest / MINUTE,
            rest % MINUTE / 1000,
            rest % 1000,
            self.what
        )
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Steps.
    pub events: u64,
    /// Tasks started.
    pub tasks: u64,
    /// Tasks that found no room.
    pub refused: u64,
    /// Containers started.
    pub containers: u64,
    /// Commits.
    pub commits: u64,
    /// Kills of the server.
    pub server_kills: u64,
    /// Kills of agents, those of power failures included.
    pub agent_kills: u64,
    /// Requests, answers and frames lost.
    pub lost: u64,
    /// Requests that arrived twice.
    pub twice: u64,
    /// Requests answered with an error.
    pub failed: u64,
    /// Hosts that were lost.
    pub hosts_lost: u64,
    /// Services made.
    pub services: u64,
    /// Deployments asked for, the first of each service included.
    pub deployments: u64,
    /// Task sets made.
    pub task_sets: u64,
    /// Deployments that a user stopped.
    pub rollouts_stopped: u64,
    /// Deployments that were rolled back.
    pub rollbacks: u64,
    /// Deployments that alarms ended.
    pub alarmed: u64,
    /// Times that the target of a hook was asked.
    pub hooks: u64,
    /// Tasks that a service replaced because they were unhealthy.
    pub unhealthy: u64,
    /// Interfaces attached.
    pub interfaces: u64,
    /// Host sync sessions.
    pub syncs: u64,
    /// Starts that a full subnet refused, and calls to EC2 that it did.
    pub full_subnets: u64,
}

/// How AWS's waits for services were kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The longest time, in milliseconds, for which starts were held back after failures.
    pub held_longest_ms: u64,
    /// The age of the youngest task of a deployment that completed.
    pub counted_youngest_ms: Option<u64>,
    /// How often a steady state was told again.
    pub steady_again: u64,
}

impl Statistics {
    /// The counts of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            tasks: self.tasks + other.tasks,
            refused: self.refused + other.refused,
            containers: self.containers + other.containers,
            commits: self.commits + other.commits,
            server_kills: self.server_kills + other.server_kills,
            agent_kills: self.agent_kills + other.agent_kills,
            lost: self.lost + other.lost,
            twice: self.twice + other.twice,
            failed: self.failed + other.failed,
            hosts_lost: self.hosts_lost + other.hosts_lost,
            services: self.services + other.services,
            deployments: self.deployments + other.deployments,
            task_sets: self.task_sets + other.task_sets,
            rollouts_stopped: self.rollouts_stopped + other.rollouts_stopped,
            rollbacks: self.rollbacks + other.rollbacks,
            alarmed: self.alarmed + other.alarmed,
            hooks: self.hooks + other.hooks,
            unhealthy: self.unhealthy + other.unhealthy,
            interfaces: self.interfaces + other.interfaces,
            syncs: self.syncs + other.syncs,
            full_subnets: self.full_subnets + other.full_subnets,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The first violation; the run ends with it.
    pub violation: Option<Violation>,
    /// What was counted.
    pub statistics: Statistics,
    /// How services waited.
    pub seen: Seen,
    /// Of every step and every committed row: equal runs have equal ones.
    pub trace: u64,
}
