//! Containers on a Linux host: image layers, cgroups, the shim and the container's own init.
//!
//! The feature `host` (default) is the agent's side. Without it only what the static shim binary needs is built:
//!
//! ```sh
//! RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static" \
//!     cargo build -p runtime --profile embedded --no-default-features \
//!     --target x86_64-unknown-linux-gnu --bin longshore-shim --bin longshore-hello
//! ```
//!
//! `embed.rs` beside this crate's `Cargo.toml` does that from a build script. Process model: the agent starts one
//! `zygote` from a sealed memory file; it forks a `shim` per container; the shim's child becomes the container (`init`).
#![allow(unsafe_code)]

pub mod capability;
pub mod cgroup;
pub mod failure;
pub mod init;
pub mod linux;
pub mod mount_attributes;
pub mod overflow;
pub mod overlay;
pub mod reaper;
pub mod record;
pub mod shim;
pub mod spec;
pub mod sys;
pub mod user_namespace;
pub mod wire;
pub mod zygote;

#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "host")]
pub mod image;
#[cfg(feature = "host")]
pub mod seccomp;
#[cfg(feature = "host")]
pub mod task_disk;
