//! The nftables table of a router: written once as text; afterwards only elements and the chains of
//! network ACLs change, so that no packet ever meets an unfinished table.
//!
//! Why the gates stand where they do: [`super`].

use super::acl;

/// The table, of family `inet`, in the router's namespace.
pub const TABLE: &str = "vpc";

/// Every set and map whose elements follow from rows.
pub const SETS: [&str; 37] = [
    "anti",
    "anti6",
    "free",
    "magic",
    "gs",
    "gs6",
    "own",
    "peers",
    "pub2priv",
    "priv2pub",
    "natgw",
    "entry6",
    "closed6",
    "inside",
    "inside6",
    "acl_out",
    "acl_in",
    "in_all",
    "out_all",
    "in_ref_one",
    "in_cidr_one",
    "out_ref_one",
    "out_cidr_one",
    "in_ref",
    "in_ref_icmp",
    "in_ref_icmp6",
    "in_cidr",
    "in_cidr6",
    "in_icmp",
    "in_icmp6",
    "out_ref",
    "out_ref_icmp",
    "out_ref_icmp6",
    "out_cidr",
    "out_cidr6",
    "out_icmp",
    "out_icmp6",
];

/// What stands once whatever the groups; in the places named in it their sets and questions belong.
const SCRIPT: &str = include_str!("router.nft");

/// Where interfaces carry more than leaves the VPC: neither side of a connection to outside is to send more than that, 1500
/// bytes without the headers. Elsewhere the tasks' own devices see to it.
const SEGMENT_SIZE: &str =
    "    iifname \"up0\" tcp flags syn jump fit\n    oifname \"up0\" tcp flags syn jump fit\n";
const FIT: &str = "  chain fit {
    meta nfproto ipv4 tcp option maxseg size set 1460
    meta nfproto ipv6 tcp option maxseg size set 1440
  }\n";

/// The whole table, for interfaces that carry more than leaves the VPC or not.
pub fn script(is_jumbo: bool) -> String {
    let text = text(is_jumbo);
    format!("{text}add chain inet {TABLE} {}\n", name_of(&text))
}

/// A chain without rules, by whose name a table is known to be of this text; one of another build is replaced.
pub fn version(is_jumbo: bool) -> String {
    name_of(&text(is_jumbo))
}

/// FNV-1a: the same in every build.
fn name_of(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("text_{hash:016x}")
}

fn text(is_jumbo: bool) -> String {
    SCRIPT
        .replace("  # FIT\n", if is_jumbo { FIT } else { "" })
        .replace(
            "    # SEGMENT SIZE\n",
            if is_jumbo { SEGMENT_SIZE } else { "" },
        )
        .replace(
            "  # SETS OF GROUPS\n",
            &["in", "out"].map(group_sets).concat(),
        )
        .replace("    # QUESTIONS OUT\n", &gate("out", "daddr"))
        .replace("    # QUESTIONS IN\n", &gate("in", "saddr"))
}

/// The sets of one direction: who lets all of a family pass, and (own groups, other side, protocol, port) or (…, type, code) of ICMP.
fn group_sets(direction: &str) -> String {
    let sets = [
        ("ref", "mark", "inet_proto . inet_service"),
        ("ref_icmp", "mark", "icmp_type . icmp_code"),
        ("ref_icmp6", "mark", "icmpv6_type . icmpv6_code"),
        ("cidr", "ipv4_addr", "inet_proto . inet_service"),
        ("cidr6", "ipv6_addr", "inet_proto . inet_service"),
        ("icmp", "ipv4_addr", "icmp_type . icmp_code"),
        ("icmp6", "ipv6_addr", "icmpv6_type . icmpv6_code"),
    ];
    sets.map(|(name, other, what)| {
        format!("  set {direction}_{name} {{ type classid . {other} . {what}; flags interval; }}\n")
    })
    .concat()
        + &format!(
            "  set {direction}_all {{ type classid . nf_proto; }}
  set {direction}_ref_one {{ type classid . mark . inet_proto . inet_service; }}
  set {direction}_cidr_one {{ type classid . ipv4_addr . inet_proto . inet_service; }}\n"
        )
}

/// The questions of one direction, once the packet's priority carries the number of the interface's own
/// groups and its mark that of the other side's.
fn gate(direction: &str, side: &str) -> String {
    let questions = [
        ("ref_one", "meta mark", "meta l4proto . th dport"),
        ("cidr_one", "ip", "meta l4proto . th dport"),
        ("ref", "meta mark", "meta l4proto . th dport"),
        ("cidr", "ip", "meta l4proto . th dport"),
        ("cidr6", "ip6", "meta l4proto . th dport"),
        ("ref_icmp", "meta mark", "icmp type . icmp code"),
        ("ref_icmp6", "meta mark", "icmpv6 type . icmpv6 code"),
        ("icmp", "ip", "icmp type . icmp code"),
        ("icmp6", "ip6", "icmpv6 type . icmpv6 code"),
    ];
    let all = format!("    meta priority . meta nfproto @{direction}_all accept\n");
    let others = questions.map(|(set, other, what)| {
        let other = if other.starts_with("ip") {
            format!("{other} {side}")
        } else {
            other.to_owned()
        };
        format!("    meta priority . {other} . {what} @{direction}_{set} accept\n")
    });
    all + &others.concat()
}

/// Puts a chain of a network ACL, or what is in it, in one transaction.
pub fn chain(name: &str, rules: &[String]) -> String {
    let rules: String = rules.iter().map(|rule| format!("    {rule}\n")).collect();
    format!(
        "add chain inet {TABLE} {name}\nflush chain inet {TABLE} {name}\ntable inet {TABLE} {{\n  chain {name} {{\n{rules}  }}\n}}\n"
    )
}

/// Removes one; the chain that asks the others stays, empty.
pub fn no_chain(name: &str) -> String {
    let how = if name == acl::ASKING {
        "flush"
    } else {
        "delete"
    };
    format!("{how} chain inet {TABLE} {name}\n")
}

/// Takes the whole table away, to be followed by [`script`] in the same transaction.
pub fn no_table() -> String {
    format!("delete table inet {TABLE}\n")
}
