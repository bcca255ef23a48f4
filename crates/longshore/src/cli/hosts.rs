//! Options of the server and of agents that join it.

use crate::duration::Duration;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// TLS of the API. Beyond loopback it is always on, by an authority of this Longshore's own
/// (DATA/keys/ca.pem) where no certificate is named.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsOptions {
    /// Certificate chain (PEM), the server's own first
    #[arg(
        long,
        value_name = "FILE",
        env = "LONGSHORE_TLS_CERT",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(
        long,
        value_name = "FILE",
        env = "LONGSHORE_TLS_KEY",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
    /// Further names and addresses that our own certificate is for
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        env = "LONGSHORE_TLS_NAMES"
    )]
    pub tls_names: Vec<String>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ServerCommand {
    #[command(flatten)]
    pub options: TlsOptions,
    #[command(subcommand)]
    pub command: Option<ServerSubcommand>,
}

#[derive(Debug, Subcommand)]
pub enum ServerSubcommand {
    /// Print a one-time token with which another machine joins this server
    Token(TokenOptions),
}

#[derive(Args, Debug)]
pub struct TokenOptions {
    /// How long it is good; at most 30 days
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub expires: Duration,
}

#[derive(Args, Clone, Debug, Default)]
pub struct AgentOptions {
    /// Server to join, https://ADDR [default: the one that was joined, or this machine's]
    #[arg(long, value_name = "URL", env = "LONGSHORE_SERVER")]
    pub server: Option<String>,
    /// One-time token of `longshore server token`; needed the first time
    #[arg(
        long,
        value_name = "TOKEN",
        env = "LONGSHORE_TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// Cluster to join [default: default]
    #[arg(long, value_name = "NAME", env = "ECS_CLUSTER")]
    pub cluster: Option<String>,
    /// Availability zone of this machine, e.g. us-east-1b [default: the region's first]
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Lend this machine to tasks of launch type FARGATE: alone, or besides being a container instance
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "only"
    )]
    pub fargate: Option<Fargate>,
    /// Attribute of the container instance, besides those of `longshore.toml`
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub attributes: Vec<(String, String)>,
    /// Launch template that this machine counts as launched from, by id or name: its instance type is this machine's
    #[arg(long, value_name = "TEMPLATE[:VERSION]")]
    pub launch_template: Option<String>,
    /// This machine's address in the network between the hosts (attribute longshore.address)
    #[arg(long, value_name = "UNDERLAY")]
    pub address: Option<std::net::IpAddr>,
    /// Encrypt what goes between this host and others, by WireGuard; every host of a VPC must, or none
    #[arg(long)]
    pub encrypt: bool,
}

/// How a machine is lent to tasks of launch type FARGATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fargate {
    /// For nothing else
    Only,
    /// While it is a container instance
    Also,
    /// The same, if this machine can keep such tasks apart
    Able,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is expected".into()),
    }
}
