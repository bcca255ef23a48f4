//! The three files of `/etc` that name things: `hosts`, `hostname`, `resolv.conf`.
//!
//! Docker's rules: names that were asked for are added in every network mode; resolvers and search domains replace the
//! host's, each kind by itself; a resolver on the host's loopback cannot be reached from a namespace.

use crate::bundle::{Attachment, Place};
use crate::links::Linked;
use crate::task::docker::HostConfig;
use netdev::vpc::VpcAttachment;
use runtime::spec::EtcFiles;
use std::io;
use std::path::PathBuf;

/// Docker's word for the host as a container reaches it.
const HOST_GATEWAY: &str = "host-gateway";

/// Writes the files beside the container's record.
///
/// # Errors
/// They cannot be written.
pub fn files(
    place: &Place<'_>,
    attachment: &Attachment,
    hostname: Option<&str>,
    host: &HostConfig,
) -> io::Result<EtcFiles> {
    let file = |name: &str, content: String| -> io::Result<Option<PathBuf>> {
        let path = place.container_files.join(name);
        std::fs::write(&path, content)?;
        Ok(Some(path))
    };
    let of_host = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let base = match attachment {
        Attachment::Host => of_host("/etc/hosts"),
        Attachment::None | Attachment::Bridge(_) | Attachment::Vpc(_) => String::new(),
    };
    let mut hosts = hosts(base, attachment, hostname, &host.extra_hosts);
    hosts.extend(place.links.iter().map(Linked::hosts_line));
    let names = place.names.iter();
    hosts.extend(names.map(|(address, name)| format!("{address}\t{name}\n")));
    let name = hostname.map_or_else(|| of_host("/etc/hostname"), |name| format!("{name}\n"));
    let mut resolvers = of_host("/etc/resolv.conf");
    match attachment {
        Attachment::Bridge(_) => resolvers = without_loopback(&resolvers),
        Attachment::Vpc(interface) => resolvers = of_vpc(interface),
        Attachment::Host | Attachment::None => {}
    }
    Ok(EtcFiles {
        hosts: file("hosts", hosts)?,
        hostname: file("hostname", name)?,
        resolv_conf: file(
            "resolv.conf",
            resolv_conf(&resolvers, &host.dns, &host.dns_search),
        )?,
    })
}

fn hosts(
    mut text: String,
    attachment: &Attachment,
    hostname: Option<&str>,
    extra: &[String],
) -> String {
    if text.is_empty() {
        text.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    }
    let gateway = match attachment {
        Attachment::Bridge(bridge) => bridge.gateway.to_string(),
        Attachment::Vpc(interface) => interface.gateway.to_string(),
        Attachment::Host | Attachment::None => "127.0.0.1".into(),
    };
    for entry in extra {
        if let Some((name, address)) = entry.split_once(':') {
            let address = if address == HOST_GATEWAY {
                &gateway
            } else {
                address
            };
            text.push_str(&format!("{address}\t{name}\n"));
        }
    }
    let address = match attachment {
        Attachment::Bridge(bridge) => Some(bridge.address),
        Attachment::Vpc(interface) => interface.addresses.first().copied(),
        Attachment::Host | Attachment::None => None,
    };
    if let (Some(address), Some(name)) = (address, hostname) {
        let names = match name.split_once('.') {
            Some((short, _)) => format!("{name} {short}"),
            None => name.to_owned(),
        };
        text.push_str(&format!("{address}\t{names}\n"));
    }
    text
}

/// What the VPC's DHCP options say.
fn of_vpc(interface: &VpcAttachment) -> String {
    let domains = interface.search.join(" ");
    let search = (!domains.is_empty()).then(|| format!("search {domains}\n"));
    let servers = interface.name_servers.iter();
    let servers = servers.map(|address| format!("nameserver {address}\n"));
    search.into_iter().chain(servers).collect()
}

/// The host's file with other resolvers, or other search domains; a single `.` is no domain.
fn resolv_conf(of_host: &str, dns: &[String], search: &[String]) -> String {
    let is = |line: &&str, word: &str| line.split_whitespace().next() == Some(word);
    let mut lines: Vec<String> = of_host
        .lines()
        .filter(|line| dns.is_empty() || !is(line, "nameserver"))
        .filter(|line| search.is_empty() || !(is(line, "search") || is(line, "domain")))
        .map(str::to_owned)
        .collect();
    if !search.is_empty() && search != ["."] {
        lines.push(format!("search {}", search.join(" ")));
    }
    lines.extend(dns.iter().map(|server| format!("nameserver {server}")));
    lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect()
}

/// A resolver on the host's loopback cannot be reached from a namespace.
fn without_loopback(text: &str) -> String {
    let is_loopback = |line: &&str| {
        line.strip_prefix("nameserver").is_some_and(|rest| {
            let address = rest.trim();
            address.starts_with("127.") || address == "::1"
        })
    };
    text.lines()
        .filter(|line| !is_loopback(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_and_domains_replace_the_hosts_each_by_itself() {
        let host = "search corp.example\nnameserver 10.0.0.2\noptions ndots:2\n";
        let list = |items: &[&str]| {
            items
                .iter()
                .map(|item| (*item).to_owned())
                .collect::<Vec<_>>()
        };
        let both = resolv_conf(host, &list(&["1.2.3.4", "5.6.7.8"]), &list(&["a.b", "c"]));
        let expected = "options ndots:2\nsearch a.b c\nnameserver 1.2.3.4\nnameserver 5.6.7.8\n";
        assert_eq!(both, expected);
        assert_eq!(resolv_conf(host, &[], &[]), host);
        let bare = resolv_conf(host, &[], &list(&["."]));
        assert_eq!(bare, "nameserver 10.0.0.2\noptions ndots:2\n");
    }

    #[test]
    fn a_vpcs_options_say_where_names_are_looked_for() {
        let mut interface = VpcAttachment {
            netns: "/x".into(),
            interface: "eni-1".into(),
            vpc: "vpc-1".into(),
            mac: [2, 0, 0, 0, 0, 1],
            addresses: vec![[10, 0, 0, 5].into()],
            ipv6_addresses: Vec::new(),
            prefix_len: 24,
            gateway: [10, 0, 0, 1].into(),
            name_servers: vec![[10, 0, 0, 9].into(), std::net::Ipv6Addr::LOCALHOST.into()],
            search: vec!["corp.example".into(), "lab.example".into()],
            mtu: 1500,
        };
        let expected = "search corp.example lab.example\nnameserver 10.0.0.9\nnameserver ::1\n";
        assert_eq!(of_vpc(&interface), expected);
        (interface.name_servers, interface.search) = (Vec::new(), Vec::new());
        assert_eq!(of_vpc(&interface), "");
    }

    #[test]
    fn names_are_added_in_every_mode() {
        let extra = [
            "db:10.1.1.1".to_owned(),
            "me:host-gateway".to_owned(),
            "six:fd00::1".to_owned(),
        ];
        let text = hosts(
            "127.0.0.1\tlocalhost\n".into(),
            &Attachment::Host,
            None,
            &extra,
        );
        let expected = "127.0.0.1\tlocalhost\n10.1.1.1\tdb\n127.0.0.1\tme\nfd00::1\tsix\n";
        assert_eq!(text, expected);
        let none = hosts(String::new(), &Attachment::None, Some("box"), &[]);
        assert!(none.starts_with("127.0.0.1\tlocalhost\n"));
    }
}
