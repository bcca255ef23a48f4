//! rtnetlink: policy rules of both families, which say who asks what table. Numbers from
//! `linux/rtnetlink.h`, `fib_rules.h`.
//!
//! A rule that is there is refused, which does no harm; what is not there may be deleted.

use std::io;

use ipnet::IpNet;

use super::Socket;
use super::devices::VXLAN_UDP_PORT;
use super::message::{Attributes, Batch, NLM_F_ACK, parse};
use super::paths::{AF_INET, AF_INET6, any, family_of, ip_of, put_ip};
use super::route::{NLM_F_CREATE, NLM_F_EXCL, word};

const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
const FRA_SRC: u16 = 2;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_IP_PROTO: u16 = 22;
const FRA_DPORT_RANGE: u16 = 24;
const UDP: u8 = 17;
const FR_ACT_TO_TBL: u8 = 1;
const HEAD_LEN: usize = 12;

/// Whose packets ask a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Those from there.
    From(IpNet),
    /// VXLAN from there, and nothing else.
    Vxlan(IpNet),
    /// Packets with this mark, of one family.
    Mark { mark: u32, is_ipv6: bool },
}

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub asker: Asker,
    pub table: u32,
    /// Lower ones are asked before.
    pub priority: u32,
}

impl Batch {
    /// They ask that table, if the tables before had no answer.
    pub fn put_rule(&mut self, rule: Rule) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.rule(RTM_NEWRULE, flags, rule);
    }

    pub fn delete_rule(&mut self, rule: Rule) {
        self.rule(RTM_DELRULE, NLM_F_ACK, rule);
    }

    fn rule(&mut self, kind: u16, flags: u16, rule: Rule) {
        let mut head = [0; HEAD_LEN];
        head[0] = match rule.asker {
            Asker::From(from) | Asker::Vxlan(from) => family_of(from.addr()),
            Asker::Mark { is_ipv6: false, .. } => AF_INET,
            Asker::Mark { is_ipv6: true, .. } => AF_INET6,
        };
        head[2] = match rule.asker {
            Asker::From(from) | Asker::Vxlan(from) => from.prefix_len(),
            Asker::Mark { .. } => 0,
        };
        head[7] = FR_ACT_TO_TBL;
        let put = |attributes: &mut Attributes<'_>| {
            match rule.asker {
                Asker::From(from) => put_ip(attributes, FRA_SRC, from.network()),
                Asker::Vxlan(from) => {
                    let port = VXLAN_UDP_PORT.to_ne_bytes();
                    put_ip(attributes, FRA_SRC, from.network());
                    attributes.put(FRA_IP_PROTO, &[UDP]);
                    attributes.put(FRA_DPORT_RANGE, &[port, port].concat());
                }
                Asker::Mark { mark, .. } => attributes.put_u32(FRA_FWMARK, mark),
            }
            attributes.put_u32(FRA_TABLE, rule.table);
            attributes.put_u32(FRA_PRIORITY, rule.priority);
        };
        self.message(kind, flags, &head, put);
    }
}

impl Socket {
    /// All rules of these priorities.
    pub fn rules(&mut self, priorities: &[u32]) -> io::Result<Vec<Rule>> {
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let mut head = [0; HEAD_LEN];
            head[0] = family;
            self.list(RTM_GETRULE, RTM_NEWRULE, &head, |payload| {
                found.extend(rule_of(payload));
            })?;
        }
        found.retain(|rule| priorities.contains(&rule.priority));
        Ok(found)
    }
}

fn rule_of(payload: &[u8]) -> Option<Rule> {
    let (family, prefix_len) = (*payload.first()?, *payload.get(2)?);
    let (mut from, mut mark, mut is_vxlan) = (any(family), None, false);
    let (mut table, mut priority) = (u32::from(*payload.get(4)?), 0);
    for (kind, value) in parse(payload.get(HEAD_LEN..)?) {
        match kind {
            FRA_SRC => from = ip_of(value)?,
            FRA_FWMARK => mark = Some(word(Some(value))),
            FRA_IP_PROTO => is_vxlan = value == [UDP],
            FRA_TABLE => table = word(Some(value)),
            FRA_PRIORITY => priority = word(Some(value)),
            _ => {}
        }
    }
    let asker = match mark {
        Some(mark) => Asker::Mark {
            mark,
            is_ipv6: family == AF_INET6,
        },
        None if is_vxlan => Asker::Vxlan(IpNet::new(from, prefix_len).ok()?),
        None => Asker::From(IpNet::new(from, prefix_len).ok()?),
    };
    Some(Rule {
        asker,
        table,
        priority,
    })
}
