//! The table of system calls, read from `syscalls.txt`, which is part of the build.

/// A calling convention that a filter tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    I386,
    /// 64-bit x86 with 32-bit pointers; the numbers carry [`X32_BIT`].
    X32,
    /// 64-bit ARM.
    #[cfg_attr(
        not(target_arch = "aarch64"),
        expect(dead_code, reason = "built for that architecture only")
    )]
    Aarch64,
}

/// Set in every x32 number.
pub const X32_BIT: u32 = 0x4000_0000;

impl Architecture {
    /// What the present host's kernel may run.
    #[cfg(target_arch = "x86_64")]
    pub const OF_HOST: &'static [Self] = &[Self::X86_64, Self::I386, Self::X32];
    /// What the present host's kernel may run.
    #[cfg(target_arch = "aarch64")]
    pub const OF_HOST: &'static [Self] = &[Self::Aarch64];

    /// `AUDIT_ARCH_…` of linux/audit.h; x32 has that of x86-64.
    pub fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    fn column(self) -> usize {
        match self {
            Self::X86_64 => 2,
            Self::I386 => 3,
            Self::X32 => 4,
            Self::Aarch64 => 5,
        }
    }
}

/// The second column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Open to every container.
    Allow,
    /// Closed to every container that is not privileged.
    Deny,
    /// Open with one of these capabilities.
    AnyOf(Vec<&'static str>),
    /// Open without flags that make namespaces; with CAP_SYS_ADMIN always.
    Clone,
    /// Open with CAP_SYS_ADMIN.
    Clone3,
    /// Open but for AF_ALG and AF_VSOCK.
    Socket,
    /// Open for the five values that do no harm.
    Personality,
}

/// Number and rule of each call that the architecture has.
pub fn entries(architecture: Architecture) -> impl Iterator<Item = (u32, Rule)> {
    lines().filter_map(move |(_, fields)| {
        let number: u32 = fields.get(architecture.column())?.parse().ok()?;
        let bit = if architecture == Architecture::X32 {
            X32_BIT
        } else {
            0
        };
        Some((number | bit, rule(fields.get(1)?)))
    })
}

fn lines() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    include_str!("syscalls.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&'static str> = line.split(' ').collect();
            (fields[0], fields)
        })
}

fn rule(word: &'static str) -> Rule {
    match word {
        "allow" => Rule::Allow,
        "deny" => Rule::Deny,
        "clone" => Rule::Clone,
        "clone3" => Rule::Clone3,
        "socket" => Rule::Socket,
        "personality" => Rule::Personality,
        capabilities => Rule::AnyOf(capabilities.split('|').collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::CapabilitySet;

    #[test]
    fn every_line_has_a_known_rule_and_four_numbers() {
        for (name, fields) in lines() {
            assert_eq!(fields.len(), 6, "{name}");
            assert!(
                fields[2..]
                    .iter()
                    .all(|field| *field == "-" || field.parse::<u32>().is_ok()),
                "{name}"
            );
            if let Rule::AnyOf(names) = rule(fields[1]) {
                assert!(
                    names
                        .iter()
                        .all(|capability| CapabilitySet::ALL.has_name(capability)),
                    "{name}"
                );
            }
        }
    }
}
