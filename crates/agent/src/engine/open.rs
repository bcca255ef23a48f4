//! What an agent has at hand before it knows of any task.

use super::Host;
use crate::api::Api;
use crate::config::AgentConfig;
use crate::connect::{Connect, OwnExecutable};
use crate::credentials::Credentials;
use crate::encryption;
use crate::endpoints::Endpoints;
use crate::health::Boards;
use crate::isolation::Isolation;
use crate::logs::AllLogs;
use crate::records::Records;
use crate::{HELLO, SHIM};
use netdev::vpc::{Between, LinuxVpcs};
use netdev::{LinuxNetwork, NetworkConfig};
use runtime::host::{ContainerRuntime, Runtime, RuntimeConfig};
use runtime::image::{DiskStore, ImageStore, RegistryOptions, StoreOptions};
use std::io;
use std::sync::{Arc, Mutex};

/// Opens the host's means.
///
/// # Errors
/// One of them cannot be had here, and which.
pub async fn open(mut config: AgentConfig, between: Between) -> io::Result<Arc<Host>> {
    let failed =
        |what: &str, error: &dyn std::fmt::Display| io::Error::other(format!("{what}: {error}"));
    std::fs::create_dir_all(config.run_dir())?;
    let runtime = Runtime::new(RuntimeConfig {
        data_dir: config.data_dir.clone(),
        tag: config.tag.clone(),
        shim_image: SHIM,
        without: config.without.clone(),
    })
    .map_err(|error| failed("containers", &error))?;
    let runtime = Arc::new(runtime);
    let networks = NetworkConfig {
        between,
        ..config.networks()
    };
    let network = LinuxNetwork::new(networks.clone()).map_err(|error| failed("network", &error))?;
    let vpcs = LinuxVpcs::new(networks).map_err(|error| failed("VPCs", &error))?;
    let public_key = vpcs.encrypt().await;
    let public_key = public_key.map_err(|error| failed("VPCs", &error))?;
    config
        .attributes
        .extend(encryption::reported(&config, public_key));
    let store = DiskStore::open_with(&config.images_dir(), registries(&config))
        .map_err(|error| failed("images", &error))?;
    store
        .install_builtin("longshore/hello", HELLO)
        .await
        .map_err(|error| failed("longshore/hello", &error))?;
    let api = Api::new(&config);
    let credentials = Arc::new(Credentials::default());
    let proxies = Arc::new(OwnExecutable::new(&config, &runtime));
    Ok(Arc::new(Host {
        records: Records::open(&config.agent_dir())?,
        logs: Arc::new(AllLogs::new(api.clone(), credentials.clone())),
        api,
        runtime: Arc::clone(&runtime) as Arc<dyn ContainerRuntime>,
        driver: runtime,
        images: Arc::new(store),
        network: Arc::new(network),
        vpcs: Arc::new(vpcs),
        health: Boards::default(),
        credentials,
        endpoints: Endpoints::new(config.metadata_limit),
        isolation: Isolation::open(&config),
        connect: Connect::new(&config.agent_dir(), &config.run_dir(), proxies),
        tasks: Mutex::default(),
        config,
    }))
}

fn registries(config: &AgentConfig) -> StoreOptions {
    StoreOptions {
        registry: RegistryOptions {
            insecure_hosts: config.insecure_registries.clone(),
            ca_file: config.registry_ca_file.clone(),
            host_ca_files: config.registry_host_ca_files.clone(),
            credentials: config.registry_credentials.clone(),
            ..RegistryOptions::default()
        },
        ..StoreOptions::default()
    }
}
