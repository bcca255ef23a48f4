//! What a container sends on the bridge must be its own: device, MAC and address belong together, in what it
//! says of itself by ARP too. Whoever may open raw sockets (Docker's default) could otherwise take a
//! neighbour's address, or have itself taken for the gateway, and read what is the neighbour's alone.
//!
//! A device, its MAC and its address follow from one another for ever (`names`, `veth::mac_of`), so what
//! stands in the set is never wrong and may stay.

use std::net::Ipv4Addr;

use rustix::io::Errno;
use tracing::warn;

use crate::cidr::Ipv4Cidr;
use crate::error::NetworkError;
use crate::names::Names;
use crate::netlink::Socket;
use crate::netlink::elements::RawElement;
use crate::netlink::nft::transaction;
use crate::rules::run_nft;
use crate::veth;

const SET: &str = "own";
const DEVICE_LEN: usize = 16;

/// Loads the table, for the containers that have these addresses. A kernel without tables for bridges has
/// none: its log says so.
pub fn load(names: &Names, range: Ipv4Cidr, addresses: impl Iterator<Item = Ipv4Addr>) {
    let table = names.bridge_table();
    let own: Vec<String> = addresses
        .map(|address| {
            let device = names.veth(range, address);
            let mac = veth::mac_of(address).map(|byte| format!("{byte:02x}"));
            format!("\"{device}\" . {} . {address}", mac.join(":"))
        })
        .collect();
    let mut text = script(&table, &names.veth_prefix());
    if !own.is_empty() {
        let own = own.join(", ");
        text += &format!("add element bridge {table} {SET} {{ {own} }}\n");
    }
    if let Err(error) = run_nft(&table, &text) {
        warn!(%error, "containers on the bridge are not kept from taking each other's addresses");
    }
}

/// The one of this address begins.
pub fn allow(names: &Names, range: Ipv4Cidr, address: Ipv4Addr) -> Result<(), NetworkError> {
    let table = names.bridge_table();
    let mut key = names.veth(range, address).into_bytes();
    key.resize(DEVICE_LEN, 0);
    key.extend_from_slice(&veth::mac_of(address));
    // Parts of a key stand in registers of four bytes.
    key.extend_from_slice(&[0, 0]);
    key.extend_from_slice(&address.octets());
    let element = RawElement {
        key,
        end: None,
        data: None,
    };
    let failed =
        |errno: Errno| NetworkError::kernel(format!("{address} in the table {table}"), errno);
    let mut socket = Socket::netfilter().map_err(|e| NetworkError::kernel("netlink", e))?;
    let batch = transaction(|batch| batch.put_bridge_elements(&table, SET, &[&element]));
    match socket.transact(batch) {
        // There is no such table: `load` has said why.
        Ok(()) | Err((_, Errno::NOENT | Errno::OPNOTSUPP | Errno::AFNOSUPPORT)) => Ok(()),
        Err((_, errno)) => Err(failed(errno)),
    }
}

/// Idempotent.
pub fn remove(names: &Names) -> Result<(), NetworkError> {
    let table = names.bridge_table();
    let mut socket = Socket::netfilter().map_err(|e| NetworkError::kernel("netlink", e))?;
    match socket.transact(transaction(|batch| batch.delete_bridge_table(&table))) {
        Ok(()) | Err((_, Errno::NOENT | Errno::OPNOTSUPP | Errno::AFNOSUPPORT)) => Ok(()),
        Err((_, errno)) => Err(NetworkError::kernel(format!("table {table}"), errno)),
    }
}

/// What is no IPv4 and no ARP is dropped too: the bridge has nothing else.
fn script(table: &str, veths: &str) -> String {
    format!(
        r#"table bridge {table} {{
  set {SET} {{ type ifname . ether_addr . ipv4_addr; }}
  chain antispoof {{ type filter hook prerouting priority -300; policy accept; }}
}}
flush chain bridge {table} antispoof
flush set bridge {table} {SET}
table bridge {table} {{
  chain antispoof {{
    iifname != "{veths}*" accept
    iifname . ether saddr . ip saddr @{SET} accept
    iifname . ether saddr . arp saddr ip @{SET} iifname . arp saddr ether . arp saddr ip @{SET} accept
    counter drop
  }}
}}
"#
    )
}
