//! Assembles the filter: one binary tree of comparisons for each architecture, with the actions as its leaves.
//!
//! Classic BPF jumps only forward and, when conditional, at most 255 instructions; a longer one goes by way of an
//! unconditional jump. Rule: kernel documentation, userspace-api/seccomp_filter.

use super::table::{Architecture, X32_BIT};

/// One `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// Instructions to skip when a comparison holds.
    pub if_true: u8,
    /// Instructions to skip when it does not.
    pub if_false: u8,
    /// The operand.
    pub value: u32,
}

/// The answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The kernel goes on.
    Allow,
    /// The call answers this error.
    Error(u16),
    /// Allowed unless the first argument asks for a new namespace.
    WithoutNamespaces,
    /// Allowed for socket families that do not reach the kernel's cryptography or the hypervisor.
    SafeSocket,
    /// Allowed for personalities that weaken nothing.
    HarmlessPersonality,
}

// Codes of linux/bpf_common.h.
const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

// Offsets in `struct seccomp_data`, and answers of linux/seccomp.h.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The low word of the first argument: all our hosts are little endian, and the calls that are looked at take 32 bits.
const FIRST_ARGUMENT: u32 = 16;
const ALLOW: u32 = 0x7fff_0000;
const ERROR: u32 = 0x0005_0000;
const KILL_THREAD: u32 = 0;

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const NAMESPACE_FLAGS: u32 = 0x7e02_0000;
const AF_ALG: u32 = 38;
const AF_VSOCK: u32 = 40;
/// PER_LINUX, PER_LINUX32, each also with UNAME26, and the question for the present one.
const HARMLESS_PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// `trees` has each architecture's calls sorted by number.
pub fn assemble(trees: Vec<(Architecture, Vec<(u32, Action)>)>) -> Vec<Instruction> {
    let mut program = vec![load(ARCHITECTURE)];
    let mut audits: Vec<u32> = trees
        .iter()
        .map(|(architecture, _)| architecture.audit())
        .collect();
    audits.sort_unstable();
    audits.dedup();
    for audit in audits {
        let of_audit: Vec<_> = trees
            .iter()
            .filter(|(architecture, _)| architecture.audit() == audit)
            .collect();
        let mut ranges = Vec::new();
        for (architecture, actions) in of_audit {
            let first = if *architecture == Architecture::X32 {
                X32_BIT
            } else {
                0
            };
            ranges.extend(ranges_of(first, actions));
        }
        ranges.sort_by_key(|(start, _)| *start);
        ranges.dedup_by(|next, kept| next.1 == kept.1);
        let mut body = vec![load(NUMBER)];
        body.extend(tree(&ranges));
        program.push(compare(JUMP_EQUAL, audit, 1, 0));
        program.push(jump(body.len()));
        program.extend(body);
    }
    // A calling convention that the table does not have: libseccomp's default.
    program.push(give(KILL_THREAD));
    program
}

/// The same answer from each start up to the next: EPERM between the known numbers, ENOSYS above the last.
fn ranges_of(first: u32, actions: &[(u32, Action)]) -> Vec<(u32, Action)> {
    let gap = Action::Error(libc::EPERM as u16);
    let mut ranges = vec![(first, gap)];
    let mut next = first;
    for &(number, action) in actions {
        if number > next {
            ranges.push((next, gap));
        }
        ranges.push((number, action));
        next = number + 1;
    }
    ranges.push((next, Action::Error(libc::ENOSYS as u16)));
    // Where two begin at the same number the later is meant.
    ranges.reverse();
    ranges.sort_by_key(|(start, _)| *start);
    ranges.dedup_by_key(|(start, _)| *start);
    ranges
}

/// Expects the number in the accumulator. Every path ends with an answer.
fn tree(ranges: &[(u32, Action)]) -> Vec<Instruction> {
    if let [(_, action)] = ranges {
        return leaf(*action);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let (left, right) = (tree(low), tree(high));
    let middle = high.first().map_or(0, |(start, _)| *start);
    let mut program = match u8::try_from(left.len()) {
        Ok(skip) => vec![compare(JUMP_AT_LEAST, middle, skip, 0)],
        Err(_) => vec![compare(JUMP_AT_LEAST, middle, 0, 1), jump(left.len())],
    };
    program.extend(left);
    program.extend(right);
    program
}

fn leaf(action: Action) -> Vec<Instruction> {
    let refuse = give(ERROR | libc::EPERM as u32);
    let allow = give(ALLOW);
    match action {
        Action::Allow => vec![allow],
        Action::Error(errno) => vec![give(ERROR | u32::from(errno))],
        Action::WithoutNamespaces => {
            vec![
                load(FIRST_ARGUMENT),
                compare(JUMP_ANY_BIT, NAMESPACE_FLAGS, 0, 1),
                refuse,
                allow,
            ]
        }
        Action::SafeSocket => vec![
            load(FIRST_ARGUMENT),
            compare(JUMP_EQUAL, AF_ALG, 1, 0),
            compare(JUMP_EQUAL, AF_VSOCK, 0, 1),
            refuse,
            allow,
        ],
        Action::HarmlessPersonality => {
            let mut program = vec![load(FIRST_ARGUMENT)];
            let mut to_allow = HARMLESS_PERSONALITIES.len() as u8;
            for value in HARMLESS_PERSONALITIES {
                program.push(compare(JUMP_EQUAL, value, to_allow, 0));
                to_allow -= 1;
            }
            program.extend([refuse, allow]);
            program
        }
    }
}

fn load(offset: u32) -> Instruction {
    Instruction {
        code: LOAD,
        if_true: 0,
        if_false: 0,
        value: offset,
    }
}

fn compare(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction {
        code,
        if_true,
        if_false,
        value,
    }
}

fn jump(distance: usize) -> Instruction {
    Instruction {
        code: JUMP,
        if_true: 0,
        if_false: 0,
        value: distance as u32,
    }
}

fn give(answer: u32) -> Instruction {
    Instruction {
        code: RETURN,
        if_true: 0,
        if_false: 0,
        value: answer,
    }
}
