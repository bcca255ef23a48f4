//! `--encrypt`: this host's key, and what the others are told of it.

use crate::config::AgentConfig;
use crate::secret;
use aws_api::agent::host_sync::HostEncryption;
use netdev::vpc::{Between, Encryption};
use std::io;

const PRIVATE_KEY_LEN: usize = 32;

/// How packets go between this host and others, with the key that it keeps.
///
/// # Errors
/// The key cannot be kept.
pub fn between(config: &AgentConfig) -> io::Result<Between> {
    let Some(port) = config.encrypt_port else {
        return Ok(Between::Clear);
    };
    std::fs::create_dir_all(config.agent_dir())?;
    let file = config.agent_dir().join("wireguard.key");
    let known = HostEncryption {
        public_key: secret::kept(&file, PRIVATE_KEY_LEN)?,
        port,
    };
    let private_key = known.key();
    let private_key =
        private_key.ok_or_else(|| io::Error::other(format!("{} holds no key", file.display())))?;
    Ok(Between::Encrypted(Encryption { private_key, port }))
}

/// What other hosts have to know of it, as an attribute.
pub fn reported(config: &AgentConfig, public_key: Option<[u8; 32]>) -> Option<(String, String)> {
    let known = HostEncryption {
        public_key: public_key?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        port: config.encrypt_port?,
    };
    Some((HostEncryption::ATTRIBUTE.into(), known.to_attribute()))
}
