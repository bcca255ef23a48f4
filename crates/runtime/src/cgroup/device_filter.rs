//! Which devices a container may use: Docker's list, as v1 lines and as a v2 program.
//!
//! The v2 program answers 1 (allow) or 0. Rule: kernel documentation, cgroup-v2 "Device controller", and
//! `struct bpf_cgroup_dev_ctx`: access type, major, minor, 32 bits each; the access type holds the kind of device in its
//! lower half and the access in its upper half.

use std::io::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Block or character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Block device.
    Block,
    /// Character device.
    Character,
}

/// Access to be allowed, bits as in `linux/bpf.h`.
pub const MKNOD: u32 = 1;
/// Reading.
pub const READ: u32 = 2;
/// Writing.
pub const WRITE: u32 = 4;
const ALL: u32 = MKNOD | READ | WRITE;

/// One allowed kind of access to one or many devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRule {
    /// Block or character.
    pub kind: Kind,
    /// `None`: any.
    pub major: Option<u32>,
    /// `None`: any.
    pub minor: Option<u32>,
    /// Bits of [`MKNOD`], [`READ`], [`WRITE`].
    pub access: u32,
}

const fn character(major: u32, minor: Option<u32>) -> DeviceRule {
    DeviceRule {
        kind: Kind::Character,
        major: Some(major),
        minor,
        access: ALL,
    }
}

/// Docker's default: any node may be made; null, zero, full, random, urandom, tty, console, ptmx and pts may be used.
pub const DEFAULT_DEVICES: &[DeviceRule] = &[
    DeviceRule {
        kind: Kind::Character,
        major: None,
        minor: None,
        access: MKNOD,
    },
    DeviceRule {
        kind: Kind::Block,
        major: None,
        minor: None,
        access: MKNOD,
    },
    character(1, Some(3)),
    character(1, Some(5)),
    character(1, Some(7)),
    character(1, Some(8)),
    character(1, Some(9)),
    character(5, Some(0)),
    character(5, Some(1)),
    character(5, Some(2)),
    character(136, None),
];

impl DeviceRule {
    /// As `devices.allow` of v1 reads it.
    pub fn line(&self) -> String {
        let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let kind = match self.kind {
            Kind::Block => 'b',
            Kind::Character => 'c',
        };
        let access: String = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')]
            .iter()
            .filter(|(bit, _)| self.access & bit != 0)
            .map(|(_, c)| c)
            .collect();
        format!(
            "{kind} {}:{} {access}",
            number(self.major),
            number(self.minor)
        )
    }
}

// Instruction codes of linux/bpf.h and linux/bpf_common.h.
const LOAD_WORD: u8 = 0x61;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const MOVE: u8 = 0xbc;
const MOVE_VALUE: u8 = 0xb7;
const JUMP_NOT_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

fn instruction(code: u8, target: u8, source: u8, offset: i16, value: i32) -> u64 {
    u64::from(code)
        | u64::from(target) << 8
        | u64::from(source) << 12
        | u64::from(offset as u16) << 16
        | u64::from(value as u32) << 32
}

/// The program for a list of rules, one 64-bit word an instruction.
pub fn compile(rules: &[DeviceRule]) -> Vec<u64> {
    // r2 = access, r3 = kind, r4 = major, r5 = minor; r1 = context, then scratch.
    let mut program = vec![
        instruction(LOAD_WORD, 2, 1, 0, 0),
        instruction(LOAD_WORD, 4, 1, 4, 0),
        instruction(LOAD_WORD, 5, 1, 8, 0),
        instruction(MOVE, 3, 2, 0, 0),
        instruction(AND, 3, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, 2, 0, 0, 16),
    ];
    for rule in rules {
        program.extend(rule_instructions(rule));
    }
    program.extend([
        instruction(MOVE_VALUE, 0, 0, 0, 0),
        instruction(EXIT, 0, 0, 0, 0),
    ]);
    program
}

/// Jumps past its own end at the first difference; else allows.
fn rule_instructions(rule: &DeviceRule) -> Vec<u64> {
    let kind = match rule.kind {
        Kind::Block => 1,
        Kind::Character => 2,
    };
    let mut tests: Vec<(Vec<u64>, u8, i32)> = vec![(vec![], 3, kind)];
    if rule.access != ALL {
        let refused = vec![
            instruction(MOVE, 1, 2, 0, 0),
            instruction(AND, 1, 0, 0, !(rule.access as i32)),
        ];
        tests.push((refused, 1, 0));
    }
    tests.extend(rule.major.map(|major| (vec![], 4, major as i32)));
    tests.extend(rule.minor.map(|minor| (vec![], 5, minor as i32)));
    let length: usize = tests
        .iter()
        .map(|(before, ..)| before.len() + 1)
        .sum::<usize>()
        + 2;
    let mut program = Vec::with_capacity(length);
    for (before, register, value) in tests {
        program.extend(before);
        let offset = (length - program.len() - 1) as i16;
        program.push(instruction(JUMP_NOT_EQUAL, register, 0, offset, value));
    }
    program.extend([
        instruction(MOVE_VALUE, 0, 0, 0, 1),
        instruction(EXIT, 0, 0, 0, 0),
    ]);
    program
}

/// Loads the program and attaches it to a v2 group, beside programs of its ancestors.
pub fn attach(group: BorrowedFd<'_>, rules: &[DeviceRule]) -> Result<()> {
    const BPF_PROG_LOAD: i32 = 5;
    const BPF_PROG_ATTACH: i32 = 8;
    const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    const BPF_CGROUP_DEVICE: u32 = 6;
    const BPF_F_ALLOW_MULTI: u32 = 2;
    let program = compile(rules);
    let license = c"Apache-2.0";
    // union bpf_attr for loading: type, count, instructions, license; the rest zero.
    let mut load = [0u64; 16];
    load[0] = u64::from(BPF_PROG_TYPE_CGROUP_DEVICE) | (program.len() as u64) << 32;
    load[1] = program.as_ptr() as u64;
    load[2] = license.as_ptr() as u64;
    // SAFETY: the attribute has the kernel's layout, its size is given, and what it points to outlives the call.
    let loaded = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            load.as_ptr(),
            size_of_val(&load),
        )
    };
    if loaded < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let loaded = unsafe { OwnedFd::from_raw_fd(loaded as i32) };
    let attach = [
        group.as_raw_fd() as u32,
        loaded.as_raw_fd() as u32,
        BPF_CGROUP_DEVICE,
        BPF_F_ALLOW_MULTI,
    ];
    // SAFETY: as above.
    let attached = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_ATTACH,
            attach.as_ptr(),
            size_of_val(&attach),
        )
    };
    if attached < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(())
    }
}
