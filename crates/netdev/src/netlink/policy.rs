//! rtnetlink: policy rules, which say who asks which routing table. Numbers from `linux/rtnetlink.h`,
//! `fib_rules.h`.

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
const FRA_TABLE: u16 = 15;
const FRA_IP_PROTO: u16 = 22;
const FRA_DPORT_RANGE: u16 = 24;
const UDP: u8 = 17;
const FR_ACT_TO_TBL: u8 = 1;
const RULE_HEAD_LEN: usize = 12;

impl Batch {
    /// Who has such a source asks that table, if the tables before had no answer.
    pub fn put_rule(&mut self, from: IpNet, table: u32, priority: u32) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.rule(RTM_NEWRULE, flags, from, table, priority);
    }

    pub fn delete_rule(&mut self, from: IpNet, table: u32, priority: u32) {
        self.rule(RTM_DELRULE, NLM_F_ACK, from, table, priority);
    }

    /// As [`Self::put_rule`], for VXLAN alone.
    pub fn put_vxlan_rule(&mut self, from: IpNet, table: u32, priority: u32) {
        let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        self.vxlan_rule(RTM_NEWRULE, flags, (from, table), priority);
    }

    pub fn delete_vxlan_rule(&mut self, from: IpNet, table: u32, priority: u32) {
        self.vxlan_rule(RTM_DELRULE, NLM_F_ACK, (from, table), priority);
    }

    fn vxlan_rule(&mut self, kind: u16, flags: u16, (from, table): (IpNet, u32), priority: u32) {
        let port = VXLAN_UDP_PORT.to_ne_bytes();
        self.rule_with(kind, flags, (from, table, priority), |rule| {
            rule.put(FRA_IP_PROTO, &[UDP]);
            rule.put(FRA_DPORT_RANGE, &[port, port].concat());
        });
    }

    fn rule(&mut self, kind: u16, flags: u16, from: IpNet, table: u32, priority: u32) {
        self.rule_with(kind, flags, (from, table, priority), |_| {});
    }

    fn rule_with(
        &mut self,
        kind: u16,
        flags: u16,
        (from, table, priority): (IpNet, u32, u32),
        further: impl FnOnce(&mut Attributes<'_>),
    ) {
        let mut head = [0; RULE_HEAD_LEN];
        head[0] = family_of(from.addr());
        head[2] = from.prefix_len();
        head[7] = FR_ACT_TO_TBL;
        self.message(kind, flags, &head, |rule| {
            put_ip(rule, FRA_SRC, from.network());
            rule.put_u32(FRA_TABLE, table);
            rule.put_u32(FRA_PRIORITY, priority);
            further(rule);
        });
    }
}

impl Socket {
    /// Policy rules of this priority: sources and tables.
    pub fn rules(&mut self, priority: u32) -> io::Result<Vec<(IpNet, u32)>> {
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let mut head = [0; RULE_HEAD_LEN];
            head[0] = family;
            self.list(RTM_GETRULE, RTM_NEWRULE, &head, |payload| {
                found.extend(rule_of(payload, priority));
            })?;
        }
        Ok(found)
    }
}

fn rule_of(payload: &[u8], wanted: u32) -> Option<(IpNet, u32)> {
    let (family, prefix_len) = (*payload.first()?, *payload.get(2)?);
    let (mut from, mut table, mut priority) = (any(family), u32::from(*payload.get(4)?), 0);
    for (kind, value) in parse(payload.get(RULE_HEAD_LEN..)?) {
        match kind {
            FRA_SRC => from = ip_of(value)?,
            FRA_TABLE => table = word(Some(value)),
            FRA_PRIORITY => priority = word(Some(value)),
            _ => {}
        }
    }
    (priority == wanted).then_some((IpNet::new(from, prefix_len).ok()?, table))
}
