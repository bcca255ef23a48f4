//! Docker's default system call filter, compiled for one capability set.
//!
//! Pure. The rules of each call are in `syscalls.txt`; a capability of the container opens the calls that need it. The
//! program is a binary tree over the numbers, so that a call costs about eight comparisons. Docker's default action is
//! EPERM; a number newer than the table answers ENOSYS, so that programs fall back to what they did before it.
//! Rule: Docker's default profile, <https://docs.docker.com/engine/security/seccomp/>.

mod program;
mod table;

use crate::capability::CapabilitySet;
use program::Action;
pub use program::Instruction;
use table::{Architecture, Rule};

/// The program as the kernel loads it: an array of `struct sock_filter`.
pub fn compile(capabilities: CapabilitySet) -> Vec<u8> {
    let mut bytes = Vec::new();
    for instruction in instructions(capabilities) {
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.if_true, instruction.if_false]);
        bytes.extend(instruction.value.to_ne_bytes());
    }
    bytes
}

/// The same, an instruction at a time.
pub fn instructions(capabilities: CapabilitySet) -> Vec<Instruction> {
    let trees = Architecture::OF_HOST.iter().map(|&architecture| {
        let mut actions: Vec<(u32, Action)> = table::entries(architecture)
            .map(|(number, rule)| (number, action(&rule, capabilities)))
            .collect();
        actions.sort_by_key(|(number, _)| *number);
        (architecture, actions)
    });
    program::assemble(trees.collect())
}

/// What a rule means for a container with these capabilities.
fn action(rule: &Rule, capabilities: CapabilitySet) -> Action {
    let is_admin = capabilities.has_name("SYS_ADMIN");
    match rule {
        Rule::Allow => Action::Allow,
        Rule::Deny => Action::Error(libc::EPERM as u16),
        Rule::AnyOf(names) if names.iter().any(|name| capabilities.has_name(name)) => Action::Allow,
        Rule::AnyOf(_) => Action::Error(libc::EPERM as u16),
        Rule::Clone | Rule::Clone3 if is_admin => Action::Allow,
        Rule::Clone => Action::WithoutNamespaces,
        // Its flags are in memory, where a filter cannot look; ENOSYS makes libraries use `clone`.
        Rule::Clone3 => Action::Error(libc::ENOSYS as u16),
        Rule::Socket => Action::SafeSocket,
        Rule::Personality => Action::HarmlessPersonality,
    }
}
