//! The containers that a container knows by name: where they are on the bridge, and what they say of themselves.

use super::TaskContext;
use crate::bundle::{self, Attachment};
use crate::kept::NETWORK_FILE;
use crate::links::Linked;
use crate::task::definition::NetworkMode;
use crate::task::relations;
use crate::task::state::{ContainerIndex, Made, TaskState};
use std::net::Ipv4Addr;

impl TaskContext {
    /// All that a container is linked to.
    pub(super) async fn linked(
        &self,
        state: &TaskState,
        index: ContainerIndex,
    ) -> Result<Vec<Linked>, String> {
        let container = &self.definition.containers[index];
        if !matches!(self.definition.mode(), Ok(NetworkMode::Bridge)) {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        for link in container.links.iter().map(|text| relations::link(text)) {
            let Some(other) = relations::index(&self.definition, link.container) else {
                continue;
            };
            let address = self.address_of(state, other).await.ok_or_else(|| {
                format!(
                    "Cannot link to a non running container: /{}",
                    link.container
                )
            })?;
            all.push(self.describe(state, other, link.alias, address));
        }
        Ok(all)
    }

    fn describe(
        &self,
        state: &TaskState,
        other: ContainerIndex,
        alias: &str,
        address: Ipv4Addr,
    ) -> Linked {
        let definition = &self.definition.containers[other];
        let asked_for = definition.docker().map(|docker| docker.hostname);
        let image = self.parts(other).image;
        let of_image = image.iter().flat_map(|image| &image.config.env);
        let of_image = of_image.filter_map(|pair| pair.split_once('='));
        let of_image = of_image.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = definition.environment.clone();
        let inherited = of_image.filter(|(name, _)| !own.contains_key(name));
        let protocol = |given: &str| if given == "udp" { "udp" } else { "tcp" }.to_owned();
        let ports = definition.port_mappings.iter();
        Linked {
            name: definition.name.clone(),
            alias: alias.to_owned(),
            hostname: bundle::hostname(
                &asked_for.unwrap_or_default(),
                &state.containers[other].runtime_id,
            ),
            address,
            ports: ports
                .filter_map(|port| Some((port.row().ok()?, protocol(&port.protocol))))
                .flat_map(|((first, count), protocol)| {
                    (0..count).map(move |offset| (first + offset, protocol.clone()))
                })
                .collect(),
            environment: inherited
                .collect::<Vec<_>>()
                .into_iter()
                .chain(own.clone())
                .collect(),
        }
    }

    /// Waits until the other is attached: both were asked for before either starts. `None` where that failed.
    async fn address_of(&self, state: &TaskState, other: ContainerIndex) -> Option<Ipv4Addr> {
        if state.containers[other].network == Made::Yes
            && let Ok(text) = std::fs::read_to_string(self.container_dir(other).join(NETWORK_FILE))
        {
            return text.trim().parse().ok();
        }
        if !state.containers[other].has_network {
            return None;
        }
        let mut parts = self.parts.subscribe();
        let attached =
            parts.wait_for(|all| all[other].attachment.is_some() || all[other].is_cut_off);
        match &attached.await.ok()?[other].attachment {
            Some(Attachment::Bridge(bridge)) => Some(bridge.address),
            Some(Attachment::Host | Attachment::None | Attachment::Vpc(_)) | None => None,
        }
    }
}
