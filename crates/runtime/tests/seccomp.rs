//! Our filter against libseccomp: its numbers, its semantics, every call of every architecture. Needs libseccomp-dev.

#![allow(clippy::unwrap_used, dead_code)]
#![allow(unsafe_code)]

use runtime::capability::{CapabilitySet, DEFAULT};
use runtime::seccomp::{Instruction, instructions};
use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const X32: u32 = 0x4000_003e;
const X32_BIT: u32 = 0x4000_0000;
const NAMESPACES: u64 = 0x7e02_0000;

#[repr(C)]
#[derive(Clone, Copy)]
struct Compare {
    argument: u32,
    operator: c_int,
    a: u64,
    b: u64,
}

const LESS: c_int = 2;
const EQUAL: c_int = 4;
const GREATER: c_int = 6;
const MASKED_EQUAL: c_int = 7;

#[link(name = "seccomp")]
unsafe extern "C" {
    fn seccomp_init(default: u32) -> *mut c_void;
    fn seccomp_arch_add(context: *mut c_void, architecture: u32) -> c_int;
    fn seccomp_rule_add_array(
        context: *mut c_void,
        action: u32,
        call: c_int,
        count: u32,
        list: *const Compare,
    ) -> c_int;
    fn seccomp_syscall_resolve_name_arch(architecture: u32, name: *const c_char) -> c_int;
    fn seccomp_export_bpf(context: *mut c_void, fd: c_int) -> c_int;
    fn seccomp_release(context: *mut c_void);
}

fn table() -> impl Iterator<Item = Vec<&'static str>> {
    include_str!("../src/seccomp/syscalls.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| l.split(' ').collect())
}

fn number(architecture: u32, name: &str) -> Option<u32> {
    let name = CString::new(name).unwrap();
    // SAFETY: a C string that outlives the call.
    let number = unsafe { seccomp_syscall_resolve_name_arch(architecture, name.as_ptr()) };
    u32::try_from(number).ok()
}

/// Docker's rules given to libseccomp by name.
fn oracle(set: CapabilitySet) -> Vec<Instruction> {
    // SAFETY: the calls as libseccomp documents them; the context is released once.
    unsafe {
        let context = seccomp_init(EPERM);
        assert_eq!(
            (
                seccomp_arch_add(context, I386),
                seccomp_arch_add(context, X32)
            ),
            (0, 0)
        );
        let add = |action: u32, name: &str, list: &[Compare]| {
            let name = CString::new(name).unwrap();
            let call = seccomp_syscall_resolve_name_arch(X86_64, name.as_ptr());
            if call != -1 {
                assert_eq!(
                    seccomp_rule_add_array(context, action, call, list.len() as u32, list.as_ptr()),
                    0,
                    "{name:?}"
                );
            }
        };
        let one = |operator, a, b| {
            [Compare {
                argument: 0,
                operator,
                a,
                b,
            }]
        };
        for fields in table() {
            match fields[1] {
                "allow" => add(ALLOW, fields[0], &[]),
                "deny" => {}
                "clone" | "clone3" if set.has_name("SYS_ADMIN") => add(ALLOW, fields[0], &[]),
                "clone" => add(ALLOW, "clone", &one(MASKED_EQUAL, NAMESPACES, 0)),
                "clone3" => add(ENOSYS, "clone3", &[]),
                "socket" => {
                    add(ALLOW, "socket", &one(LESS, 38, 0));
                    add(ALLOW, "socket", &one(EQUAL, 39, 0));
                    add(ALLOW, "socket", &one(GREATER, 40, 0));
                }
                "personality" => {
                    for value in [0, 8, 0x20000, 0x20008, 0xffff_ffff] {
                        add(ALLOW, "personality", &one(EQUAL, value, 0));
                    }
                }
                names => {
                    if names.split('|').any(|name| set.has_name(name)) {
                        add(ALLOW, fields[0], &[]);
                    }
                }
            }
        }
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(seccomp_export_bpf(context, file.as_raw_fd()), 0);
        seccomp_release(context);
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
            .chunks_exact(8)
            .map(|c| Instruction {
                code: u16::from_ne_bytes([c[0], c[1]]),
                if_true: c[2],
                if_false: c[3],
                value: u32::from_ne_bytes([c[4], c[5], c[6], c[7]]),
            })
            .collect()
    }
}

/// Runs a filter as the kernel would.
fn answer(program: &[Instruction], architecture: u32, number: u32, argument: u64) -> u32 {
    let data = [
        number,
        architecture,
        0,
        0,
        argument as u32,
        (argument >> 32) as u32,
    ];
    let (mut at, mut accumulator) = (0, 0u32);
    loop {
        let i = program[at];
        at += 1;
        let mut branch =
            |holds: bool| at += usize::from(if holds { i.if_true } else { i.if_false });
        match i.code {
            0x20 => accumulator = data.get(i.value as usize / 4).copied().unwrap_or(0),
            0x05 => at += i.value as usize,
            0x15 => branch(accumulator == i.value),
            0x25 => branch(accumulator > i.value),
            0x35 => branch(accumulator >= i.value),
            0x45 => branch(accumulator & i.value != 0),
            0x54 => accumulator &= i.value,
            0x06 => return i.value,
            code => panic!("unknown instruction {code:#x}"),
        }
    }
}

#[test]
fn numbers_are_those_of_libseccomp() {
    let mut compared = 0;
    for fields in table() {
        for (column, architecture) in [(2, X86_64), (3, I386), (4, X32)] {
            let ours = fields[column].parse::<u32>().ok();
            let theirs = number(architecture, fields[0])
                .map(|n| if architecture == X32 { n & !X32_BIT } else { n });
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                assert_eq!(ours, theirs, "{} in column {column}", fields[0]);
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "only {compared} numbers compared");
}

#[test]
fn every_call_is_answered_as_libseccomp_answers_it() {
    let admin =
        CapabilitySet::resolve(false, &["SYS_ADMIN".into(), "SYS_TIME".into()], &[]).unwrap();
    for set in [DEFAULT, CapabilitySet(0), admin, CapabilitySet::ALL] {
        let (ours, theirs) = (instructions(set), oracle(set));
        for (column, architecture, audit, bit) in [
            (2, X86_64, X86_64, 0),
            (3, I386, I386, 0),
            (4, X32, X86_64, X32_BIT),
        ] {
            // A call too new for the installed libseccomp has no rule there.
            let known: Vec<u32> = table()
                .filter(|f| number(architecture, f[0]).is_none())
                .filter_map(|f| f[column].parse().ok())
                .collect();
            let last = table()
                .filter_map(|f| f[column].parse::<u32>().ok())
                .max()
                .unwrap();
            for call in (0..=last).filter(|call| !known.contains(call)) {
                for argument in [
                    0,
                    1,
                    8,
                    17,
                    37,
                    38,
                    39,
                    40,
                    41,
                    0x20000,
                    0x20008,
                    0x0200_0000,
                    0x1000_0000,
                    0xffff_ffff,
                ] {
                    let (ours, theirs) = (
                        answer(&ours, audit, call | bit, argument),
                        answer(&theirs, audit, call | bit, argument),
                    );
                    assert_eq!(
                        ours, theirs,
                        "call {call} of {architecture:#x} with {argument:#x} under {set:x?}"
                    );
                }
            }
            assert_eq!(
                answer(&ours, audit, (last + 1) | bit, 0),
                ENOSYS,
                "beyond the table of {architecture:#x}"
            );
        }
        assert_eq!(
            answer(&ours, 0xc000_00b7, 0, 0),
            0,
            "a foreign architecture is killed"
        );
    }
}

#[test]
fn a_high_half_does_not_smuggle_a_family_past_the_filter() {
    let ours = instructions(DEFAULT);
    assert_eq!(answer(&ours, X86_64, 41, 0x1_0000_0028), EPERM);
    assert_eq!(answer(&ours, X86_64, 41, 2), ALLOW);
}
