//! The nftables table of one data directory: written once as text, loaded by the `nft` program.
//!
//! Loading it again replaces the rules and keeps the maps' elements, in one transaction. One rule set
//! whatever the number of containers: mappings are elements of two maps.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::attachment::Protocol;
use crate::cidr::Ipv4Cidr;
use crate::config::{TASK_API_PORT, TASK_ENDPOINT, TASK_ENDPOINT_PORT};
use crate::error::NetworkError;
use crate::instance_metadata::INSTANCE_METADATA;
use crate::names::Names;

pub fn map_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp_ports",
        Protocol::Udp => "udp_ports",
    }
}

/// Creates the table or brings its rules up to date.
pub fn load(
    names: &Names,
    range: Ipv4Cidr,
    has_instance_metadata: bool,
) -> Result<(), NetworkError> {
    let text = script(
        &names.table(),
        &names.bridge(),
        range,
        has_instance_metadata,
    );
    run_nft(&names.table(), &text)
}

/// Hands commands to `nft`, which does all of them or none, in the calling thread's namespace.
pub(crate) fn run_nft(table: &str, text: &str) -> Result<(), NetworkError> {
    let mut child = match Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(NetworkError::NftMissing),
        Err(e) => return Err(NetworkError::kernel("start nft", e)),
    };
    let mut stdin = child.stdin.take().expect("the command above pipes stdin");
    // A broken pipe means that nft gave up: its own words below say more.
    let written = stdin.write_all(text.as_bytes());
    drop(stdin);
    let output = child
        .wait_with_output()
        .map_err(|e| NetworkError::kernel("wait for nft", e))?;
    if output.status.success() {
        written.map_err(|e| NetworkError::kernel("write to nft", e))
    } else {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(NetworkError::NftRefused {
            table: table.to_owned(),
            stderr,
        })
    }
}

/// Why each chain is there:
/// - `guard`: our bridge has `route_localnet`, so a container could otherwise reach services that
///   listen on the host's 127.0.0.1. It stands before connection tracking, where answers to a mapped
///   call still carry the bridge's address, so that only forged packets match. Nor do containers reach instance
///   metadata, ours or that of the machine below, unless they may have ours.
/// - `endpoint`: calls of containers to their metadata and credentials, and to the AWS APIs. It comes before
///   whoever maps these ports of the host to a container: what is translated here no later chain translates.
/// - `outside_in`, `host_in`: a mapped port on any address of the host, from elsewhere and from the host.
/// - `forward`: from elsewhere a container is reached by its mapped ports only.
/// - `out`: containers leave under the host's address. A call by 127.0.0.1, or from a container
///   to a mapped port, must look as if it came from the bridge, or the answer would not come back here.
fn script(table: &str, bridge: &str, range: Ipv4Cidr, has_instance_metadata: bool) -> String {
    let to_metadata = format!(r#"    iifname "{bridge}" ip daddr {INSTANCE_METADATA}"#);
    let (closed, opened) = match has_instance_metadata {
        false => (format!("{to_metadata} drop\n"), String::new()),
        true => {
            let there = format!("dnat to {TASK_ENDPOINT}:{TASK_ENDPOINT_PORT}");
            (
                String::new(),
                format!("{to_metadata} tcp dport 80 {there}\n"),
            )
        }
    };
    format!(
        r#"table ip {table} {{
  map tcp_ports {{ type inet_service : ipv4_addr . inet_service; }}
  map udp_ports {{ type inet_service : ipv4_addr . inet_service; }}
  chain guard {{ type filter hook prerouting priority raw; policy accept; }}
  chain endpoint {{ type nat hook prerouting priority -101; policy accept; }}
  chain outside_in {{ type nat hook prerouting priority dstnat; policy accept; }}
  chain host_in {{ type nat hook output priority -100; policy accept; }}
  chain forward {{ type filter hook forward priority filter; policy accept; }}
  chain out {{ type nat hook postrouting priority srcnat; policy accept; }}
}}
flush chain ip {table} guard
flush chain ip {table} endpoint
flush chain ip {table} outside_in
flush chain ip {table} host_in
flush chain ip {table} forward
flush chain ip {table} out
table ip {table} {{
  chain guard {{
    iifname "{bridge}" ip saddr 127.0.0.0/8 drop
    iifname "{bridge}" ip daddr 127.0.0.0/8 drop
{closed}  }}
  chain endpoint {{
    iifname "{bridge}" ip daddr {TASK_ENDPOINT} tcp dport {{ 80, {TASK_API_PORT} }} dnat to {TASK_ENDPOINT}:{TASK_ENDPOINT_PORT}
{opened}  }}
  chain outside_in {{
    fib daddr type local dnat ip to tcp dport map @tcp_ports
    fib daddr type local dnat ip to udp dport map @udp_ports
  }}
  chain host_in {{
    fib daddr type local dnat ip to tcp dport map @tcp_ports
    fib daddr type local dnat ip to udp dport map @udp_ports
  }}
  chain forward {{
    iifname != "{bridge}" oifname "{bridge}" ct state new ct status & dnat == 0 drop
{to_metadata} drop
  }}
  chain out {{
    oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade
    oifname "{bridge}" ip saddr {range} ct status & dnat == dnat masquerade
    oifname != "{bridge}" ip saddr {range} masquerade
  }}
}}
"#
    )
}
