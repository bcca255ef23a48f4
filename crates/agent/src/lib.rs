//! The agent: one process per host, client of the control plane by ACS and TCS.
//!
//! A payload becomes a task with a pure machine ([`task::machine`]); an actor per task
//! (`actor`) carries out what it asks for over three traits: containers, images, network. Each
//! outcome comes back as an event. The records of a task are one directory.
//!
//! What always holds: a task's state is on disk before its next deed; a restarted agent continues
//! from there; nothing that it asks for depends on being asked once.

mod actor;
mod anonymous;
mod api;
mod bundle;
mod cdi;
mod config;
mod connect;
mod control_socket;
mod credentials;
mod descriptors;
mod down;
mod encryption;
mod endpoints;
mod engine;
mod etc;
mod fargate;
mod health;
mod images;
mod isolation;
mod join;
mod kept;
mod labels;
mod links;
mod logs;
mod metrics;
mod options;
mod part;
mod records;
mod registration;
mod secret;
mod server;
mod session;
pub mod submit;
pub mod task;
mod volume_labels;
mod volumes;

pub use config::{AgentConfig, FargateConfig};
pub use connect::EndpointCounts;
pub use connect::proxy::run as run_proxy;
pub use control_socket::{HostRequest, ask};
pub use down::down;
pub use endpoints::rate::Limit as MetadataLimit;
pub use engine::run;
pub use images::ImageCleanup;
pub use join::{Membership, join};
pub use labels::ContainerLabels;
pub use part::Part;
pub use runtime::host::KernelFeature;
pub use runtime::image::{
    CleanupPolicy, Credentials as RegistryCredentials, ImageSummary, Origin, PullBehavior,
};
pub use runtime::task_disk::lacking as disks_lack;
pub use server::{Server, ServerStream, Trust};

/// The static executable of shims.
pub(crate) static SHIM: &[u8] =
    include_bytes!(concat!(env!("LONGSHORE_EMBEDDED"), "/longshore-shim"));
/// The static executable of the image `longshore/hello`.
pub(crate) static HELLO: &[u8] =
    include_bytes!(concat!(env!("LONGSHORE_EMBEDDED"), "/longshore-hello"));

/// The static executable of the image `longshore/hello`.
#[must_use]
pub fn hello_program() -> &'static [u8] {
    HELLO
}
