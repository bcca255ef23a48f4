//! Where a task's containers find their endpoints, and where the endpoints find them.

use super::TaskContext;
use crate::bundle::Attachment;
use crate::endpoints::caller::Home;
use crate::endpoints::{RoleUris, Uris, ids};
use crate::kept::NETWORK_FILE;
use crate::task::definition::{NetworkMode, TaskDefinition};
use crate::task::state::ContainerIndex;
use netdev::{TASK_API_PORT, TASK_ENDPOINT};
use std::net::Ipv4Addr;
use std::path::Path;
use tracing::warn;

/// Of a task that starts here or is taken over.
pub(super) fn ids(definition: &TaskDefinition, dir: &Path) -> Vec<String> {
    if definition.mode() == Ok(NetworkMode::None) {
        return Vec::new();
    }
    match ids::of_task(dir, definition.containers.len()) {
        Ok(ids) => ids,
        Err(error) => {
            warn!(dir = %dir.display(), %error, "a task's endpoints could not be written down: it has none");
            Vec::new()
        }
    }
}

impl TaskContext {
    /// What a container is told of its endpoints.
    pub(super) fn endpoint_uris(
        &self,
        attachment: &Attachment,
        index: ContainerIndex,
    ) -> Option<Uris> {
        let id = self.endpoint_ids.get(index)?;
        let region = &self.host.config.region;
        match attachment {
            Attachment::Bridge(_) | Attachment::Vpc(_) => Some(Uris {
                role: self.role_uris(&format!("http://{TASK_ENDPOINT}:{TASK_API_PORT}")),
                ..Uris::link_local(id, region)
            }),
            Attachment::Host => {
                let port = self.host.records.endpoint_port()?;
                Some(Uris {
                    role: self.role_uris(self.host.config.server.url()),
                    ..Uris::loopback(port, id, region)
                })
            }
            Attachment::None => None,
        }
    }

    fn role_uris(&self, api: &str) -> Option<RoleUris> {
        let role = self.definition.role_credentials.as_ref()?;
        Some(RoleUris {
            credentials_id: role.credentials_id.clone(),
            api: api.to_owned(),
        })
    }

    /// Where a container's calls come from.
    pub fn home(&self, index: ContainerIndex) -> Home {
        match self.definition.mode() {
            Ok(NetworkMode::Host) => Home::Host,
            Ok(NetworkMode::Bridge) => self
                .bridge_address(index)
                .map_or(Home::Nowhere, Home::Bridge),
            Ok(NetworkMode::Awsvpc) => match self.adopted_interface() {
                Some(interface) => Home::Vpc {
                    addresses: interface.addresses,
                    vpc: interface.vpc,
                },
                None => Home::Nowhere,
            },
            Ok(NetworkMode::None) | Err(_) => Home::Nowhere,
        }
    }

    /// Of a container, as it was attached.
    pub fn bridge_address(&self, index: ContainerIndex) -> Option<Ipv4Addr> {
        let text = std::fs::read_to_string(self.container_dir(index).join(NETWORK_FILE));
        text.ok()?.trim().parse().ok()
    }
}
