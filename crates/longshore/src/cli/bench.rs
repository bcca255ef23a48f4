//! The options of `longshore bench`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Args, Debug)]
pub struct BenchOptions {
    #[command(subcommand)]
    pub what: BenchCommand,
    /// Print one JSON object in place of a table
    #[arg(long, global = true)]
    pub json: bool,
}

/// Each starts a Longshore of its own in a temporary directory, unless --data names a running one.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// RunTask to RUNNING, tasks a second, stops, memory; beside runc where it is installed
    Launch(LaunchBench),
    /// Signed reads and durable writes a second
    Api(ApiBench),
    /// Start to first answer, and restart with many task records
    State(StateBench),
    /// Placement decisions a second, alone and committed; starts no task
    Placement(PlacementBench),
    /// The service scheduler: quiet ticks, one change, hosts lost; starts no task
    Services(ServicesBench),
    /// Pulls from a registry on loopback, beside skopeo where it is installed
    Pull(PullBench),
    /// Log lines a second from a container to GetLogEvents
    Logs(LogsBench),
    /// Processor time of health checks, beside the same containers without any
    Health(HealthBench),
    /// A service's container killed until its replacement is RUNNING
    Replace(ReplaceBench),
    /// A rolling update on one host; beside a shell loop over runc where it is installed
    Deploy(DeployBench),
    /// Interfaces of a VPC: traffic beside ways without rules, changes, many at once; starts no task
    Network(NetworkBench),
    /// Many tasks with interfaces on one host: started, called in pairs, stopped, and what is left of them
    Interfaces(InterfacesBench),
    /// Requests, connections and bytes through Service Connect, beside the same straight to the target
    Connect(ConnectBench),
}

#[derive(Args, Debug)]
pub struct LaunchBench {
    /// Launches of each network mode, one after the other
    #[arg(long, default_value_t = 100)]
    pub samples: usize,
    /// Tasks at once of each network mode
    #[arg(long, default_value_t = 200)]
    pub count: usize,
}

#[derive(Args, Debug)]
pub struct ApiBench {
    /// Connections at once
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Seconds of each load
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
}

#[derive(Args, Debug)]
pub struct StateBench {
    /// Task records
    #[arg(long, default_value_t = 100_000)]
    pub tasks: usize,
    /// Starts of each kind
    #[arg(long, default_value_t = 5)]
    pub samples: usize,
}

#[derive(Args, Debug)]
pub struct PlacementBench {
    /// Container instances
    #[arg(long, default_value_t = 5000)]
    pub instances: usize,
    /// Decisions
    #[arg(long, default_value_t = 1_000_000)]
    pub tasks: usize,
    /// How instances are preferred
    #[arg(long, value_enum, default_value_t = PlacementStrategy::Binpack)]
    pub strategy: PlacementStrategy,
    /// Tasks placed by RunTask and committed, as a figure of its own; 0 leaves it out
    #[arg(long, default_value_t = 20_000)]
    pub committed: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PlacementStrategy {
    /// The least memory left
    Binpack,
    /// Over zones, then over instances
    Spread,
}

impl PlacementStrategy {
    /// As it is asked for.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binpack => "binpack",
            Self::Spread => "spread",
        }
    }
}

#[derive(Args, Debug)]
pub struct ServicesBench {
    /// Services of the quiet tick; one change is measured with 10, 100 and this many
    #[arg(long, default_value_t = 1000)]
    pub services: usize,
    /// Tasks of each service
    #[arg(long, default_value_t = 10)]
    pub tasks: usize,
    /// Times that a tick or a change is measured
    #[arg(long, default_value_t = 100)]
    pub samples: usize,
    /// Services of which one host in ten is lost at once; 0 leaves it out
    #[arg(long, default_value_t = 10_000)]
    pub converge: usize,
}

#[derive(Args, Debug)]
pub struct PullBench {
    /// Layers of the image
    #[arg(long, default_value_t = 5)]
    pub layers: usize,
    /// MiB of each layer, compressed
    #[arg(long, default_value_t = 32)]
    pub mib: usize,
}

#[derive(Args, Debug)]
pub struct LogsBench {
    /// Lines, written as fast as they are taken
    #[arg(long, default_value_t = 500_000)]
    pub lines: u64,
    /// Bytes of each line, its end included
    #[arg(long, default_value_t = 100)]
    pub bytes: u64,
}

#[derive(Args, Debug)]
pub struct HealthBench {
    /// Containers, each a task
    #[arg(long, default_value_t = 300)]
    pub containers: usize,
    /// Seconds between two checks of a container
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(5..=300))]
    pub interval: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
}

#[derive(Args, Debug)]
pub struct ReplaceBench {
    /// Tasks of the service
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub tasks: u8,
    /// Kills of each network mode, one after the other
    #[arg(long, default_value_t = 50)]
    pub count: usize,
}

#[derive(Args, Debug)]
pub struct DeployBench {
    /// Tasks of the service
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..))]
    pub tasks: u8,
}

#[derive(Args, Debug)]
pub struct NetworkBench {
    /// Times that each way is measured, in turn; two seconds each
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Members of a group beside a few rules, then as many rules beside a few members, of which one more comes and goes
    #[arg(long, value_delimiter = ',', default_value = "10,1000,10000")]
    pub members: Vec<u32>,
    /// Interfaces on one host, once one after another and once more at once
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub interfaces: u32,
}

#[derive(Args, Debug)]
pub struct InterfacesBench {
    /// Tasks, each with an interface, all on this machine
    #[arg(long, default_value_t = 1000)]
    pub tasks: usize,
    /// Calls from one task to another, drawn by chance
    #[arg(long, default_value_t = 100)]
    pub calls: usize,
}

#[derive(Args, Debug)]
pub struct ConnectBench {
    /// Kept connections at once
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Seconds of each load, of which there are nine a round: requests on kept connections, connections, one stream
    #[arg(long, default_value_t = 1)]
    pub seconds: u64,
    /// Times that each way is measured, in turn
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
}
