//! Linux capabilities: names, Docker's default set, and what adding and dropping gives.
//!
//! Rule: `linuxParameters.capabilities` of the ECS API, applied as Docker applies `--cap-add` and `--cap-drop`.

/// A set of capabilities, bit n for capability n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct CapabilitySet(pub u64);

/// Names by number, without `CAP_`. Rule: `linux/capability.h`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Docker's default: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
/// MKNOD AUDIT_WRITE SETFCAP.
pub const DEFAULT: CapabilitySet = CapabilitySet(0xa804_25fb);

impl CapabilitySet {
    /// Every capability that this build knows.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// What a container gets. A name that is not a capability is the error.
    pub fn resolve(privileged: bool, add: &[String], drop: &[String]) -> Result<Self, String> {
        if privileged {
            return Ok(Self::ALL);
        }
        let (add, drop) = (Change::parse(add)?, Change::parse(drop)?);
        let base = match (&add, &drop) {
            (Change::All, Change::All) => Self(0),
            (Change::All, Change::Some(_)) => Self::ALL,
            (Change::Some(_), Change::All) => Self(0),
            (Change::Some(_), Change::Some(_)) => DEFAULT,
        };
        let added = add.named().0 | base.0;
        Ok(Self(added & !drop.named().0))
    }

    /// Whether the capability with this number is in the set.
    pub fn has(self, number: u32) -> bool {
        self.0 & (1 << number) != 0
    }

    /// Whether the capability with this name, without `CAP_`, is in the set.
    pub fn has_name(self, name: &str) -> bool {
        NAMES
            .iter()
            .position(|known| *known == name)
            .is_some_and(|n| self.0 & (1 << n) != 0)
    }

    /// The kernel's list, for an operating system older or newer than this table.
    pub fn known_to_kernel(self, last: u32) -> Self {
        if last >= 63 {
            self
        } else {
            Self(self.0 & ((1 << (last + 1)) - 1))
        }
    }
}

/// What one list asks for.
enum Change {
    All,
    Some(CapabilitySet),
}

impl Change {
    fn parse(names: &[String]) -> Result<Self, String> {
        let mut set = 0;
        for name in names {
            let upper = name.to_ascii_uppercase();
            let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
            if bare == "ALL" {
                return Ok(Self::All);
            }
            match NAMES.iter().position(|known| *known == bare) {
                Some(number) => set |= 1 << number,
                None => return Err(format!("unknown capability {name:?}")),
            }
        }
        Ok(Self::Some(CapabilitySet(set)))
    }

    fn named(&self) -> CapabilitySet {
        match self {
            Self::All => CapabilitySet(0),
            Self::Some(set) => *set,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_and_dropped_as_docker_does() {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        for (add, drop, expected) in [
            (&[][..], &[][..], DEFAULT.0),
            (
                &["SYS_ADMIN"],
                &["CAP_NET_RAW"],
                (DEFAULT.0 | 1 << 21) & !(1 << 13),
            ),
            (&["ALL"], &["sys_admin"], CapabilitySet::ALL.0 & !(1 << 21)),
            (&["chown"], &["ALL"], 1),
        ] {
            let set = CapabilitySet::resolve(false, &names(add), &names(drop));
            assert_eq!(
                set,
                Ok(CapabilitySet(expected)),
                "add {add:?} drop {drop:?}"
            );
        }
        assert_eq!(
            CapabilitySet::resolve(true, &[], &names(&["ALL"])),
            Ok(CapabilitySet::ALL)
        );
        assert!(CapabilitySet::resolve(false, &names(&["FLY"]), &[]).is_err());
    }

    #[test]
    fn the_default_has_fourteen() {
        assert_eq!(DEFAULT.0.count_ones(), 14);
        for name in [
            "CHOWN",
            "MKNOD",
            "AUDIT_WRITE",
            "SETFCAP",
            "NET_RAW",
            "SYS_CHROOT",
        ] {
            assert!(DEFAULT.has_name(name), "{name}");
        }
        assert!(!DEFAULT.has_name("SYS_ADMIN"));
    }
}
