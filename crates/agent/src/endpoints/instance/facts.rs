//! What is known of this instance.

use super::tree::Tree;
use crate::engine::Host;
use crate::part::Part;
use netdev::device::WayOut;
use serde_json::json;
use std::net::Ipv4Addr;

/// Of an instance. What is not known, AWS's paths do not have.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `i-…`, once it is registered.
    pub instance_id: Option<String>,
    /// Twelve digits, then likewise.
    pub account: Option<String>,
    /// Where its settings or its launch template say so.
    pub instance_type: Option<String>,
    /// `us-east-1`.
    pub region: String,
    /// `us-east-1a`.
    pub zone: String,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// The address by which it goes out.
    pub address: Option<Ipv4Addr>,
    /// Of that interface.
    pub mac: Option<String>,
}

/// Of this host, which goes out this way.
pub fn of(host: &Host, way_out: Option<WayOut>) -> Facts {
    let config = &host.config;
    let record = config.parts.first().map(|part| host.records.agent(*part));
    let record = record.unwrap_or_else(|| host.records.agent(Part::Instance));
    let arn = record.container_instance_arn.unwrap_or_default();
    let account = arn.split(':').nth(4).map(str::to_owned);
    let mac = way_out.and_then(|way| way.mac);
    let digits = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
    Facts {
        instance_id: record.ec2_instance_id,
        account: account.filter(|account| !account.is_empty()),
        instance_type: record.ec2_instance_type,
        region: config.region.clone(),
        zone: config.zone(),
        architecture: if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "x86_64"
        },
        address: config.underlay.or(way_out.map(|way| way.address)),
        mac: mac.map(digits),
    }
}

/// The same at AWS's paths.
pub fn tree(facts: &Facts) -> Tree {
    let mut tree = Tree::new();
    let mut set = |path: &str, text: &str| drop(tree.insert(path.to_owned(), text.to_owned()));
    set("meta-data/instance-life-cycle", "on-demand");
    set("meta-data/placement/region", &facts.region);
    set("meta-data/placement/availability-zone", &facts.zone);
    set("meta-data/services/domain", "amazonaws.com");
    set("meta-data/services/partition", "aws");
    if let Some(id) = &facts.instance_id {
        set("meta-data/instance-id", id);
        let document = serde_json::to_string_pretty(&document(facts)).unwrap_or_default();
        set("dynamic/instance-identity/document", &document);
    }
    if let Some(kind) = &facts.instance_type {
        set("meta-data/instance-type", kind);
    }
    let name = facts.address.map(|address| name(address, &facts.region));
    if let (Some(address), Some(name)) = (facts.address, &name) {
        set("meta-data/local-ipv4", &address.to_string());
        set("meta-data/local-hostname", name);
        set("meta-data/hostname", name);
    }
    if let Some(mac) = &facts.mac {
        set("meta-data/mac", mac);
        let mut of = |path: &str, text: &str| {
            set(
                &format!("meta-data/network/interfaces/macs/{mac}/{path}"),
                text,
            );
        };
        of("mac", mac);
        of("device-number", "0");
        if let (Some(address), Some(name)) = (facts.address, &name) {
            of("local-ipv4s", &address.to_string());
            of("local-hostname", name);
        }
        if let Some(account) = &facts.account {
            of("owner-id", account);
        }
    }
    tree
}

fn document(facts: &Facts) -> serde_json::Value {
    json!({
        "accountId": facts.account,
        "architecture": facts.architecture,
        "availabilityZone": facts.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "imageId": null,
        "instanceId": facts.instance_id,
        "instanceType": facts.instance_type,
        "kernelId": null,
        "marketplaceProductCodes": null,
        "privateIp": facts.address.map(|address| address.to_string()),
        "ramdiskId": null,
        "region": facts.region,
        "version": "2017-09-30",
    })
}

/// Rule: EC2 user guide, "EC2 instance hostnames".
fn name(address: Ipv4Addr, region: &str) -> String {
    let digits = address.to_string().replace('.', "-");
    match region {
        "us-east-1" => format!("ip-{digits}.ec2.internal"),
        region => format!("ip-{digits}.{region}.compute.internal"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::read;
    use super::*;

    fn facts() -> Facts {
        Facts {
            instance_id: Some("i-0a".into()),
            account: Some("000000000000".into()),
            instance_type: Some("c5.large".into()),
            region: "eu-west-1".into(),
            zone: "eu-west-1b".into(),
            architecture: "x86_64",
            address: Some(Ipv4Addr::new(10, 0, 1, 5)),
            mac: Some("02:00:00:00:00:01".into()),
        }
    }

    #[test]
    fn an_instance_tells_of_itself_at_awss_paths() {
        let tree = tree(&facts());
        let at = |path: &str| read(&tree, &format!("/latest/{path}"));
        for (path, expected) in [
            ("meta-data/instance-id", "i-0a"),
            ("meta-data/instance-type", "c5.large"),
            ("meta-data/mac", "02:00:00:00:00:01"),
            ("meta-data/local-ipv4", "10.0.1.5"),
            (
                "meta-data/hostname",
                "ip-10-0-1-5.eu-west-1.compute.internal",
            ),
            ("meta-data/network/interfaces/macs/", "02:00:00:00:00:01/"),
            ("meta-data/placement/availability-zone", "eu-west-1b"),
        ] {
            assert_eq!(at(path).as_deref(), Some(expected), "{path}");
        }
        let document = at("dynamic/instance-identity/document").expect("there is one");
        let document: serde_json::Value = serde_json::from_str(&document).expect("it is JSON");
        assert_eq!(document["instanceId"], "i-0a");
        assert_eq!(document["privateIp"], "10.0.1.5");
        // No path of these: there is no instance profile, nothing signs documents.
        for path in ["meta-data/iam/", "dynamic/instance-identity/signature"] {
            assert_eq!(at(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_there() {
        let bare = tree(&Facts {
            region: "us-east-1".into(),
            zone: "us-east-1a".into(),
            ..Facts::default()
        });
        for path in [
            "meta-data/instance-id",
            "meta-data/mac",
            "meta-data/local-ipv4",
            "dynamic/",
        ] {
            assert_eq!(read(&bare, &format!("/latest/{path}")), None, "{path}");
        }
    }
}
