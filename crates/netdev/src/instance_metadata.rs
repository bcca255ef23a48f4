//! The address of instance metadata on the host itself: 169.254.169.254 on loopback, for the host's own
//! processes, whose calls are translated to a port of 127.0.0.1: port 80 of the host stays free.
//!
//! A table says whose the address is: it comes first and goes last, so that whatever a crash leaves is found
//! again by name. Containers of the bridge and of VPCs do not come here: their packets are not of this host.

use std::net::{IpAddr, Ipv4Addr};

use crate::bridge;
use crate::config::NetworkConfig;
use crate::error::NetworkError;
use crate::names::Names;
use crate::netlink::Socket;
use crate::netlink::message::Batch;
use crate::netlink::route::LOOPBACK_INDEX;
use crate::rules::run_nft;

/// Where processes find what there is to know of their instance, on port 80. Rule: EC2 user guide.
pub const INSTANCE_METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Makes the address, whose port 80 is then `port` of 127.0.0.1. Idempotent; blocks.
///
/// # Errors
/// The address is another's; the kernel or `nft` refuses.
pub fn open(config: &NetworkConfig, port: u16) -> Result<(), NetworkError> {
    let names = Names::new(&config.tag, &config.run_dir)?;
    let _lock = bridge::lock()?;
    let mut socket = Socket::route().map_err(|e| NetworkError::kernel("netlink", e))?;
    let is_there = is_there(&mut socket)?;
    let table = names.instance_metadata_table();
    if is_there && !is_ours(&table) {
        return Err(NetworkError::Config(format!(
            "{INSTANCE_METADATA} is an address of this host already, of another Longshore or the operator's"
        )));
    }
    let text = format!(
        r#"table ip {table} {{
  chain out {{ type nat hook output priority -100; policy accept; }}
}}
flush chain ip {table} out
table ip {table} {{
  chain out {{
    ip daddr {INSTANCE_METADATA} tcp dport 80 dnat to 127.0.0.1:{port}
  }}
}}
"#
    );
    run_nft(&table, &text)?;
    if is_there {
        return Ok(());
    }
    let mut batch = Batch::new();
    batch.put_address(LOOPBACK_INDEX, IpAddr::from(INSTANCE_METADATA).into());
    transact(&mut socket, batch)
}

/// Removes it, where it is this data directory's. Idempotent; blocks.
///
/// # Errors
/// The kernel or `nft` refuses.
pub fn close(config: &NetworkConfig) -> Result<(), NetworkError> {
    remove(&Names::new(&config.tag, &config.run_dir)?)
}

pub(crate) fn remove(names: &Names) -> Result<(), NetworkError> {
    let table = names.instance_metadata_table();
    if !is_ours(&table) {
        return Ok(());
    }
    let mut socket = Socket::route().map_err(|e| NetworkError::kernel("netlink", e))?;
    if is_there(&mut socket)? {
        let mut batch = Batch::new();
        batch.delete_address(LOOPBACK_INDEX, IpAddr::from(INSTANCE_METADATA).into());
        transact(&mut socket, batch)?;
    }
    run_nft(&table, &format!("delete table ip {table}\n"))
}

fn is_there(socket: &mut Socket) -> Result<bool, NetworkError> {
    let found = socket.addresses(LOOPBACK_INDEX);
    let found = found.map_err(|e| NetworkError::kernel("addresses of loopback", e))?;
    Ok(found.contains(&IpAddr::V4(INSTANCE_METADATA)))
}

fn is_ours(table: &str) -> bool {
    run_nft(table, &format!("list table ip {table}\n")).is_ok()
}

fn transact(socket: &mut Socket, batch: Batch) -> Result<(), NetworkError> {
    let done = socket.transact(batch);
    done.map_err(|(_, errno)| NetworkError::kernel(format!("{INSTANCE_METADATA} on lo"), errno))
}
