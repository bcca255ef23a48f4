//! What a VPC's set of DHCP options tells those in it about names.
//!
//! Rule: VPC user guide, "DHCP option sets": a VPC that has no set, and a set that lacks an option, tell nothing of it.

use crate::cidr;
use crate::records::dhcp::DHCP_OPTIONS;
use crate::records::vpc::VpcRecord;
use std::net::IpAddr;
use store::World;

/// AWS's word for the VPC's own resolver.
pub const AMAZON_PROVIDED: &str = "AmazonProvidedDNS";
/// Rule: EC2 API reference, CreateDhcpOptions: up to four.
pub const NAME_SERVERS_MAX: usize = 4;

/// How names are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// `domain-name-servers`, in their order.
    pub servers: Vec<IpAddr>,
    /// `domain-name`: one, or several with spaces between.
    pub search: Vec<String>,
}

/// What those in a VPC are told. Whether its resolver answers (`enableDnsSupport`) is another matter.
#[must_use]
pub fn naming(world: &World, vpc: &VpcRecord) -> Naming {
    let set = world.get(&DHCP_OPTIONS, &vpc.key.beside(&vpc.dhcp_options));
    let option = |name: &str| {
        let values = set.and_then(|set| set.options.get(name));
        values.into_iter().flatten()
    };
    let own = vpc.cidrs.first().map(|one| cidr::resolver(one.cidr));
    let server = |text: &String| match text.as_str() {
        AMAZON_PROVIDED => own.map(IpAddr::V4),
        other => other.parse().ok(),
    };
    let domains = option("domain-name").flat_map(|text| text.split_whitespace());
    Naming {
        servers: option("domain-name-servers").filter_map(server).collect(),
        search: domains.map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::dhcp::DhcpOptionsRecord;
    use crate::records::{ResourceKey, VPCS, tables};
    use crate::{defaults, vpc};
    use aws_types::{Ctx, Timestamp};
    use std::collections::BTreeMap;
    use store::{Schema, Txn};

    #[test]
    fn a_vpc_tells_what_its_set_says_and_nothing_else() {
        let mut txn = Txn::new(World::empty(&Schema::new(&tables())));
        let mut ctx = Ctx::for_tests(1, Timestamp::from_millis(0));
        defaults::ensure(&mut txn, &mut ctx);
        let wanted = vpc::Wanted {
            cidr: "10.7.0.0/16".parse().unwrap(),
            with_ipv6: false,
            tenancy: "default".into(),
            is_default: false,
        };
        let made = vpc::create(&mut txn, &mut ctx, wanted).unwrap();
        let told = |txn: &mut Txn, options: Option<&[(&str, &[&str])]>| {
            let key = ResourceKey::new(&made.key.scope, "dopt-1");
            let owned = |values: &[&str]| values.iter().map(|one| (*one).to_owned()).collect();
            if let Some(options) = options {
                let options = options.iter();
                let options = options.map(|(name, values)| ((*name).to_owned(), owned(values)));
                txn.put(
                    &DHCP_OPTIONS,
                    DhcpOptionsRecord {
                        key: key.clone(),
                        options: options.collect::<BTreeMap<_, _>>(),
                    },
                );
                txn.update(&VPCS, &made.key, |vpc| vpc.dhcp_options = key.id.clone());
            }
            let vpc = txn.get(&VPCS, &made.key).unwrap().clone();
            let naming = naming(txn, &vpc);
            let servers: Vec<String> = naming.servers.iter().map(ToString::to_string).collect();
            (servers.join(" "), naming.search.join(" "))
        };
        let pair = |servers: &str, search: &str| (servers.to_owned(), search.to_owned());
        // A new VPC has AWS's own set.
        assert_eq!(told(&mut txn, None), pair("10.7.0.2", "ec2.internal"));
        let both: &[(&str, &[&str])] = &[
            ("domain-name", &["corp.example  lab.example"]),
            (
                "domain-name-servers",
                &["192.0.2.53", AMAZON_PROVIDED, "2001:db8::53"],
            ),
        ];
        assert_eq!(
            told(&mut txn, Some(both)),
            pair(
                "192.0.2.53 10.7.0.2 2001:db8::53",
                "corp.example lab.example"
            )
        );
        let domain: &[(&str, &[&str])] = &[("domain-name", &["corp.example"])];
        assert_eq!(told(&mut txn, Some(domain)), pair("", "corp.example"));
        txn.update(&VPCS, &made.key, |vpc| vpc.dhcp_options = "default".into());
        assert_eq!(told(&mut txn, None), pair("", ""));
    }
}
