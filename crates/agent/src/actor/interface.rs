//! A task's interface of a VPC: its namespace, which all its containers share.

use super::TaskContext;
use crate::endpoints;
use crate::task::machine::Event;
use netdev::NetworkError;
use netdev::vpc::VpcAttachment;
use std::path::PathBuf;
use tracing::warn;

/// What the interface is, kept beside the task's record: the rows that say it come with the session.
const FILE: &str = "interface.json";

impl TaskContext {
    pub(super) async fn attach_interface(&self) {
        let id = self.definition.id().unwrap_or_default();
        let interface = self.definition.elastic_network_interfaces.first();
        let eni = interface.map_or("", |interface| interface.ec2_id.as_str());
        let attached = match self.host.vpcs.attach(id, eni).await {
            Err(NetworkError::NoInterface { .. }) => {
                Err("Timeout waiting for network interface provisioning to complete.".to_owned())
            }
            Err(error) => Err(format!("ResourceInitializationError: {error}")),
            Ok(attachment) => Ok(attachment),
        };
        let attached = match attached {
            Ok(attachment) => {
                self.keep_interface(&attachment);
                endpoints::ensure_vpc(&self.host, &attachment.vpc).await;
                self.open_proxy(&attachment.netns.into()).await
            }
            Err(reason) => Err(reason),
        };
        self.send(match attached {
            Ok(()) => Event::InterfaceMade,
            Err(reason) => {
                // Of what an earlier agent made; of what failed here nothing is left.
                self.forget_interface().await;
                Event::InterfaceFailed(reason)
            }
        });
    }

    pub(super) async fn detach_interface(&self) {
        self.forget_interface().await;
        self.send(Event::InterfaceGone);
    }

    async fn forget_interface(&self) {
        let id = self.definition.id().unwrap_or_default();
        if let Some(interface) = self.adopted_interface() {
            self.host.connect.close(&interface.netns).await;
        }
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
