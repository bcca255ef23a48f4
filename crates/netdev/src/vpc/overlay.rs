//! What hosts are to each other: who is who in the overlay, and what the host's own table says of it. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::names::Names;
use crate::netlink::devices::VXLAN_UDP_PORT;

/// Public addresses leave the host in its name. Whoever is no host of ours sends no VXLAN: the kernel takes it at
/// every address of the host, so it is known by its VPC's number, and no other VXLAN of the machine is touched.
/// Loading it again keeps the sets.
pub fn script(names: &Names, underlay: Option<Ipv4Addr>, tunnel: Option<&str>) -> String {
    let (table, uplinks) = (names.vpc_table(), names.uplink_prefix());
    let guard = underlay.map_or_else(String::new, |own| {
        let vxlan = format!("udp dport {VXLAN_UDP_PORT} @th,96,24 @vnis");
        let clear = tunnel.map_or_else(String::new, |tunnel| {
            format!("{vxlan} ip daddr {own} iifname != \"{tunnel}\" drop")
        });
        let elsewhere = format!("{vxlan} fib daddr type local ip daddr != {own} drop");
        let stranger = format!("{vxlan} ip daddr {own} ip saddr != @hosts drop");
        [elsewhere, stranger, clear].join("\n    ")
    });
    format!(
        r#"table inet {table} {{
  set public {{ type ipv4_addr; }}
  set public6 {{ type ipv6_addr; }}
  set hosts {{ type ipv4_addr; }}
  set vnis {{ typeof @th,96,24; }}
  chain overlay {{ type filter hook prerouting priority raw; policy accept; }}
  chain out {{ type nat hook postrouting priority srcnat; policy accept; }}
}}
flush chain inet {table} overlay
flush chain inet {table} out
table inet {table} {{
  chain overlay {{
    {guard}
  }}
  chain out {{
    oifname != "{uplinks}*" ip saddr @public masquerade
    oifname != "{uplinks}*" ip6 saddr @public6 masquerade
  }}
}}
"#
    )
}

/// A host's end of the overlay: its MAC in every VPC.
pub fn overlay_mac(underlay: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = underlay.octets();
    [0x02, 0xfe, a, b, c, d]
}

/// A host's next hop for IPv6.
pub fn overlay_link_local(underlay: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = underlay.octets().map(u16::from);
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xfe, a << 8 | b, c << 8 | d)
}

/// Which host that is.
pub fn underlay_of(next_hop: IpAddr) -> Option<Ipv4Addr> {
    match next_hop {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => {
            let [.., a, b] = address.segments();
            Some(Ipv4Addr::from(u32::from(a) << 16 | u32::from(b)))
        }
    }
}
