//! The agent's configuration from ours, and its two ways of running.

use crate::cli::{AgentOptions, Fargate};
use crate::membership::{self, Membership};
use crate::roles::asked_to_stop;
use crate::settings::Settings;
use anyhow::Context;
use aws_wire::sigv4::Credentials;
use std::process::ExitCode;
use std::time::Duration;

/// The attribute that shows a host's address in the network between the hosts.
const ADDRESS: &str = "longshore.address";
/// WireGuard's customary port, UDP.
const WIREGUARD_PORT: u16 = 51820;
/// The public agent's ECS_CONTAINER_STOP_TIMEOUT.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Runs the agent until asked to stop.
pub fn run(settings: &Settings, options: &AgentOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let membership = membership::find(settings, options).await?;
        agent::run(config(settings, membership, options)?, asked_to_stop()?)
            .await
            .context("the agent cannot run")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Stops all containers and removes everything of this data directory's tag.
pub async fn down(settings: &Settings) -> anyhow::Result<()> {
    if settings.data.host_key().is_err() {
        return Ok(());
    }
    let membership = membership::unreached(settings)?;
    agent::down(config(settings, membership, &AgentOptions::default())?)
        .await
        .context("not everything could be removed")?;
    println!(
        "longshore: all tasks stopped, nothing is left running; the data stays in {}",
        settings.data.path().display()
    );
    Ok(())
}

fn config(
    settings: &Settings,
    membership: Membership,
    options: &AgentOptions,
) -> anyhow::Result<agent::AgentConfig> {
    let key = settings.data.host_key()?;
    let mut attributes = settings.agent.attributes.clone();
    attributes.extend(options.attributes.iter().cloned());
    let mut own = settings.agent.clone();
    own.launch_template = options.launch_template.clone().or(own.launch_template);
    attributes.extend(own.interfaces()?);
    if let Some(address) = options.address {
        attributes.insert(ADDRESS.into(), address.to_string());
    }
    let underlay = attributes.get(ADDRESS);
    let underlay = underlay.and_then(|address| address.parse().ok());
    let encrypts = options.encrypt || settings.agent.encrypt;
    Ok(agent::AgentConfig {
        data_dir: settings.data.path().to_owned(),
        tag: settings.data.tag(),
        server: membership.server,
        region: membership.region,
        parts: parts(options.fargate),
        fargate: agent::FargateConfig {
            is_required: options.fargate != Some(Fargate::Able),
            user_namespace: settings.agent.fargate_user_namespace.unwrap_or(true),
        },
        cluster: options
            .cluster
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        zone: options.zone.clone(),
        underlay,
        encrypt_port: encrypts.then(|| settings.agent.encrypt_port.unwrap_or(WIREGUARD_PORT)),
        credentials: Credentials {
            access_key_id: key.access_key_id,
            secret: key.secret_access_key,
            session_token: None,
        },
        attributes,
        reserved_memory_mib: settings.agent.reserved_memory_mib,
        stop_timeout: STOP_TIMEOUT,
        registry_ca_file: settings.agent.registry_ca_file.clone(),
        registry_credentials: registry_credentials(settings)?,
        image_cleanup: settings.agent.image_cleanup(),
        registry_host_ca_files: settings.registry_ca_files(),
        insecure_registries: settings.insecure_registries(),
        image_pull_behavior: settings
            .agent
            .image_pull_behavior
            .unwrap_or_default()
            .into(),
        cdi_dirs: settings.agent.cdi_dirs(),
        resolvers: settings.agent.resolvers()?,
        metadata_limit: settings.agent.metadata_limit()?,
        instance_metadata: settings.agent.instance_metadata,
        instance_metadata_for_tasks: settings.agent.instance_metadata_for_tasks,
        without: settings.agent.without.clone(),
    })
}

fn parts(fargate: Option<Fargate>) -> Vec<agent::Part> {
    match fargate {
        None => vec![agent::Part::Instance],
        Some(Fargate::Only) => vec![agent::Part::Fargate],
        Some(Fargate::Also | Fargate::Able) => vec![agent::Part::Instance, agent::Part::Fargate],
    }
}

/// From the public agent's variables and Docker's `config.json`.
fn registry_credentials(settings: &Settings) -> anyhow::Result<agent::RegistryCredentials> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let given = match (
        variable("ECS_ENGINE_AUTH_TYPE"),
        variable("ECS_ENGINE_AUTH_DATA"),
    ) {
        (Some(auth_type), Some(data)) => {
            agent::RegistryCredentials::from_engine_auth(&auth_type, &data)?
        }
        (None, None) => agent::RegistryCredentials::default(),
        _ => anyhow::bail!("ECS_ENGINE_AUTH_TYPE and ECS_ENGINE_AUTH_DATA go together"),
    };
    Ok(given.with_file(settings.agent.docker_config.clone()))
}
