//! What the host lacks for `bridge` mode, each with its mend. Looks only; changes nothing.

use std::process::Command;

use serde_json::Value;

use crate::config::NetworkConfig;
use crate::host::route_socket;
use crate::names::Names;
use crate::netlink::Socket;
use crate::subnet;
use crate::sysctl;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good to know; works.
    Note,
    /// Works in part, or may not.
    Warning,
    /// `bridge` mode cannot work.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub what: String,
    pub mend: String,
}

/// To be called on a blocking thread: it runs `nft`, which reads the whole rule set.
pub fn diagnose(config: &NetworkConfig) -> Vec<Finding> {
    let names = match Names::new(&config.tag, &config.run_dir) {
        Ok(names) => names,
        Err(why) => {
            return vec![finding(
                Severity::Error,
                why.to_string(),
                "mend the configuration",
            )];
        }
    };
    let mut found = Vec::new();
    found.extend(privileges());
    found.extend(ip_forward());
    found.extend(range_overlap(config, &names));
    match list_chains() {
        Ok(chains) => found.extend(dropping_forward_chains(&chains, &names)),
        Err(finding) => found.push(finding),
    }
    found
}

fn finding(severity: Severity, what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding {
        severity,
        what: what.into(),
        mend: mend.into(),
    }
}

fn privileges() -> Option<Finding> {
    let is_root = rustix::process::geteuid().is_root();
    let has_netfilter = Socket::netfilter().is_ok();
    match (is_root, has_netfilter) {
        (false, _) => Some(finding(
            Severity::Error,
            "not root: no namespaces, links or nftables",
            "run as root",
        )),
        (true, false) => Some(finding(
            Severity::Error,
            "the kernel has no nfnetlink",
            "load it: modprobe nf_tables nf_nat",
        )),
        (true, true) => None,
    }
}

fn ip_forward() -> Option<Finding> {
    (sysctl::read("ipv4/ip_forward").as_deref() != Some("1")).then(|| {
        finding(
            Severity::Note,
            "net.ipv4.ip_forward is 0: the first container in bridge mode turns it on, `down` turns it off",
            "none needed; where the host must not forward between its own networks, set a firewall",
        )
    })
}

fn range_overlap(config: &NetworkConfig, names: &Names) -> Option<Finding> {
    let range = config.bridge_cidr.or_else(|| subnet::remembered(names))?;
    let routes = subnet::routes_of_others(names, &mut route_socket().ok()?).ok()?;
    let other = routes.into_iter().find(|other| other.overlaps(range))?;
    Some(finding(
        Severity::Warning,
        format!("the bridge's range {range} overlaps this host's route to {other}"),
        "set another range for the bridge, or stop its containers so that a free one is chosen",
    ))
}

fn list_chains() -> Result<Value, Finding> {
    let missing = || {
        finding(
            Severity::Error,
            "the program `nft` is missing",
            "apt-get install nftables",
        )
    };
    let output = Command::new("nft")
        .args(["-j", "list", "chains"])
        .output()
        .map_err(|_| missing())?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        finding(
            Severity::Error,
            format!("nft cannot list chains: {stderr}"),
            "run as root; modprobe nf_tables",
        )
    })
}

/// An accept in our table does not overrule a drop in another's: Docker, ufw and firewalld drop what
/// they do not know in their own forward chain.
fn dropping_forward_chains(listing: &Value, names: &Names) -> Vec<Finding> {
    let bridge = names.bridge();
    let bridged = sysctl::read("bridge/bridge-nf-call-iptables").as_deref() == Some("1");
    let chains = listing["nftables"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    chains
        .iter()
        .map(|entry| &entry["chain"])
        .filter(|chain| chain["hook"] == "forward" && chain["policy"] == "drop")
        .map(|chain| {
            let text = |key: &str| chain[key].as_str().unwrap_or_default().to_owned();
            let also = if bridged {
                "; by bridge-nf-call-iptables it may drop packets between containers too"
            } else {
                ""
            };
            let (family, table, name) = (text("family"), text("table"), text("name"));
            finding(
                Severity::Warning,
                format!("chain {name} of nftables table {family} {table} drops forwarded packets by default{also}"),
                mend_for(&table, &name, &bridge),
            )
        })
        .collect()
}

fn mend_for(table: &str, chain: &str, bridge: &str) -> String {
    if table == "filter" && chain == "FORWARD" {
        format!(
            "iptables -I FORWARD -i {bridge} -j ACCEPT; iptables -I FORWARD -o {bridge} -j ACCEPT"
        )
    } else {
        format!("accept the interface {bridge}, in and out, in that chain")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_forward_chain_that_drops_is_named_with_its_mend() {
        let names = Names::new("0123abcd", Path::new("/run")).unwrap();
        let listing = serde_json::json!({"nftables": [
            {"metainfo": {}},
            {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "drop"}},
            {"chain": {"family": "ip", "table": "x", "name": "forward", "hook": "forward", "policy": "accept"}},
        ]});
        let found = dropping_forward_chains(&listing, &names);
        assert_eq!(found.len(), 1);
        assert!(found[0].mend.contains("iptables -I FORWARD -i ls0123abcd"));
    }
}
