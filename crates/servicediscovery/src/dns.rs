//! What the records of a service may be.
//!
//! Rule: API reference, DnsConfig, DnsRecord, DnsConfigChange: A, AAAA, A and AAAA, CNAME, SRV, SRV with A
//! or AAAA or both; CNAME only with WEIGHTED.

use crate::errors::invalid;
use aws_api::servicediscovery as api;
use aws_types::AwsError;
use serde::{Deserialize, Serialize};

/// `Type` of a record, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Another name.
    Cname,
    /// A host and a port.
    Srv,
}

impl RecordType {
    /// AWS's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Srv => "SRV",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::A, Self::Aaaa, Self::Cname, Self::Srv]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// `RoutingPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Routing {
    /// Up to eight healthy instances in an answer.
    Multivalue,
    /// One of them.
    Weighted,
}

impl Routing {
    /// AWS's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Multivalue => "MULTIVALUE",
            Self::Weighted => "WEIGHTED",
        }
    }
}

/// The records of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// `RoutingPolicy`.
    pub routing: Routing,
    /// Types, each once, with their seconds to live.
    pub records: Vec<(RecordType, u32)>,
}

impl Dns {
    /// The seconds to live of a type, where the service has it.
    #[must_use]
    pub fn ttl(&self, of: RecordType) -> Option<u32> {
        let mut found = self.records.iter().filter(|(one, _)| *one == of);
        found.next().map(|(_, ttl)| *ttl)
    }

    /// As the API shows it.
    #[must_use]
    pub fn shape(&self, namespace: &str) -> api::DnsConfig {
        let record = |(kind, ttl): &(RecordType, u32)| api::DnsRecord {
            r#type: Some(kind.name().into()),
            ttl: Some(i64::from(*ttl)),
        };
        api::DnsConfig {
            namespace_id: Some(namespace.into()),
            routing_policy: Some(self.routing.name().into()),
            dns_records: Some(self.records.iter().map(record).collect()),
        }
    }
}

/// Reads a configuration; `MULTIVALUE` where no policy is named.
///
/// # Errors
/// `InvalidInput`.
pub fn read(policy: Option<&str>, given: Option<&[api::DnsRecord]>) -> Result<Dns, AwsError> {
    let routing = match policy {
        Some("WEIGHTED") => Routing::Weighted,
        _ => Routing::Multivalue,
    };
    let mut records: Vec<(RecordType, u32)> = Vec::new();
    for record in given.unwrap_or_default() {
        let kind = record.r#type.as_deref().and_then(RecordType::parse);
        let kind =
            kind.ok_or_else(|| invalid("The record type is not one of A, AAAA, CNAME, SRV."))?;
        if records.iter().any(|(known, _)| *known == kind) {
            return Err(invalid(format!(
                "More than one DNS record of type {} is specified.",
                kind.name()
            )));
        }
        let ttl = u32::try_from(record.ttl.unwrap_or_default()).unwrap_or(u32::MAX);
        records.push((kind, ttl));
    }
    let has_alias = records.iter().any(|(kind, _)| *kind == RecordType::Cname);
    if records.is_empty() {
        return Err(invalid("DnsConfig must have at least one DNS record."));
    }
    if has_alias && records.len() > 1 {
        return Err(invalid(
            "A service with a CNAME record can have no record of another type.",
        ));
    }
    if has_alias && routing != Routing::Weighted {
        return Err(invalid(
            "For a CNAME record the routing policy must be WEIGHTED.",
        ));
    }
    Ok(Dns { routing, records })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_types_go_together() {
        for (policy, types, is_taken) in [
            (None, &["A"][..], true),
            (None, &["A", "AAAA"], true),
            (Some("MULTIVALUE"), &["SRV", "A", "AAAA"], true),
            (Some("WEIGHTED"), &["CNAME"], true),
            (Some("MULTIVALUE"), &["CNAME"], false),
            (None, &["CNAME"], false),
            (Some("WEIGHTED"), &["CNAME", "A"], false),
            (None, &["A", "A"], false),
            (None, &["MX"], false),
            (None, &[], false),
        ] {
            let record = |kind: &&str| api::DnsRecord {
                r#type: Some((*kind).into()),
                ttl: Some(60),
            };
            let records: Vec<_> = types.iter().map(record).collect();
            let read = read(policy, Some(&records));
            assert_eq!(read.is_ok(), is_taken, "{policy:?} {types:?}");
            if let Ok(dns) = read {
                let shown = dns.shape("ns-1").dns_records.unwrap();
                assert_eq!(shown, records);
            }
        }
    }
}
