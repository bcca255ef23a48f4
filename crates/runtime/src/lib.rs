//! Containers on a Linux host: image layers, cgroups, the shim and the container's own init.
//!
//! The feature `host` (default) is the agent's side. Without it only what the static shim binary needs is built.
#![allow(unsafe_code)]

#[cfg(feature = "host")]
pub mod image;
