//! A task's interface of a VPC: its namespace, which all its containers share.

use super::TaskContext;
use crate::endpoints;
use crate::task::machine::Event;
use netdev::NetworkError;
use netdev::vpc::VpcAttachment;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use tracing::warn;

/// What the interface is, kept beside the task's record: the rows that say it come with the session.
const FILE: &str = "interface.json";

impl TaskContext {
    pub(super) async fn attach_interface(&self) {
        let id = self.definition.id().unwrap_or_default();
        let interface = self.definition.elastic_network_interfaces.first();
        let eni = interface.map_or("", |interface| interface.ec2_id.as_str());
        let namespace = match self.own_namespaces().await {
            Ok(namespace) => namespace,
            Err(reason) => return self.send(Event::InterfaceFailed(reason)),
        };
        let attached = match self.host.vpcs.attach_in(id, eni, namespace).await {
            Err(NetworkError::NoInterface { .. }) => {
                Err("Timeout waiting for network interface provisioning to complete.".to_owned())
            }
            Err(error) => Err(format!("ResourceInitializationError: {error}")),
            Ok(attachment) => Ok(attachment),
        };
        self.send(match attached {
            Ok(attachment) => {
                self.keep_interface(&attachment);
                endpoints::ensure_vpc(&self.host, &attachment.vpc).await;
                Event::InterfaceMade
            }
            Err(reason) => {
                // Of what an earlier agent made; of what failed here nothing is left.
                self.forget_interface().await;
                Event::InterfaceFailed(reason)
            }
        });
    }

    /// The network namespace of a task that has ids of its own: it must be made in the user namespace.
    async fn own_namespaces(&self) -> Result<Option<OwnedFd>, String> {
        let Some(ids) = self.given().ids else {
            return Ok(None);
        };
        let made = self.host.runtime.make_namespaces(ids).await;
        made.map(Some)
            .map_err(|error| format!("ResourceInitializationError: {error}"))
    }

    pub(super) async fn detach_interface(&self) {
        self.forget_interface().await;
        self.send(Event::InterfaceGone);
    }

    async fn forget_interface(&self) {
        let id = self.definition.id().unwrap_or_default();
        if let Err(error) = self.host.vpcs.detach(id).await {
            warn!(task = %self.definition.arn, %error, "an interface could not be removed; the next start removes it");
        }
    }

    /// Of the task, once made, by this agent or an earlier one.
    pub fn adopted_interface(&self) -> Option<VpcAttachment> {
        let id = self.definition.id().ok()?;
        self.host.vpcs.attached(id).or_else(|| {
            let kept = std::fs::read(self.interface_file()).ok()?;
            serde_json::from_slice(&kept).ok()
        })
    }

    fn keep_interface(&self, attachment: &VpcAttachment) {
        let kept = serde_json::to_vec(attachment).map_err(std::io::Error::other);
        if let Err(error) = kept.and_then(|text| std::fs::write(self.interface_file(), text)) {
            warn!(dir = %self.dir.display(), %error, "an interface could not be written down");
        }
    }

    fn interface_file(&self) -> PathBuf {
        self.dir.join(FILE)
    }
}
