//! Loopback addresses of a task that lead to sockets at other ports of its loopback.
//!
//! A proxy that listened at the address itself would take its port from the task's own programs, which mostly
//! listen on all addresses: both on 80 is the usual case.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use crate::error::NetworkError;
use crate::namespace;
use crate::rules::run_nft;

const TABLE: &str = "longshore_connect";

/// In the namespace at `path` connections to each of these addresses go to that port of 127.0.0.1, and to no
/// other of an earlier call; of two for one address the first counts. It goes with the namespace.
///
/// # Errors
/// `NftMissing`, `NftRefused`; the namespace cannot be entered.
pub fn redirect(path: &Path, ports: &[(SocketAddrV4, u16)]) -> Result<(), NetworkError> {
    let text = script(ports);
    namespace::run_in(path, || run_nft(TABLE, &text))?
}

fn script(ports: &[(SocketAddrV4, u16)]) -> String {
    let mut first: BTreeMap<SocketAddrV4, u16> = BTreeMap::new();
    for (from, to) in ports {
        first.entry(*from).or_insert(*to);
    }
    let elements = first.iter().map(|(from, to)| {
        let (address, port) = (from.ip(), from.port());
        format!("{address} . {port} : {} . {to}", Ipv4Addr::LOCALHOST)
    });
    let elements: Vec<String> = elements.collect();
    let elements = match elements.is_empty() {
        true => String::new(),
        false => format!(
            "add element ip {TABLE} listeners {{ {} }}\n",
            elements.join(", ")
        ),
    };
    format!(
        "table ip {TABLE} {{
  map listeners {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; }}
  chain host_out {{ type nat hook output priority -100; policy accept; }}
}}
flush chain ip {TABLE} host_out
flush map ip {TABLE} listeners
{elements}add rule ip {TABLE} host_out dnat ip to ip daddr . tcp dport map @listeners
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_one_port_whatever_is_asked_for() {
        let from = |port| SocketAddrV4::new(Ipv4Addr::new(127, 255, 0, 1), port);
        let script = script(&[(from(81), 5), (from(80), 4), (from(80), 6)]);
        let elements = "{ 127.255.0.1 . 80 : 127.0.0.1 . 4, 127.255.0.1 . 81 : 127.0.0.1 . 5 }";
        assert!(script.contains(elements), "{script}");
    }
}
