//! A task's interface of a VPC: its namespace, which all its containers share.

use super::TaskContext;
use crate::endpoints;
use crate::task::machine::Event;
use netdev::NetworkError;
use netdev::vpc::{VpcAttachment, VpcNetwork};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use tracing::warn;

/// What the interface is, kept beside the task's record: the rows that say it come with the session.
const FILE: &str = "interface.json";
/// Between two tries of taking an interface away: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

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
        let netns = self.adopted_interface().map(|interface| interface.netns);
        self.close_proxy(netns.as_deref()).await;
        detached(&*self.host.vpcs, id).await;
        self.close_proxy(netns.as_deref()).await;
        self.host.connect.finish_log(self).await;
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

/// Returns when nothing is left of the interface, and not before: what is said then gives its address to others.
async fn detached(vpcs: &dyn VpcNetwork, id: &str) {
    let mut wait = AGAIN.0;
    while let Err(error) = vpcs.detach(id).await {
        warn!(task = id, %error, "an interface could not be removed; it is tried again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use aws_api::agent::host_sync::ToHost;
    use netdev::vpc::{KeptVpcAttachment, Outcome, VpcAdoption};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A kernel that refuses so many times.
    #[derive(Debug)]
    struct Refusing(AtomicU32);

    #[async_trait]
    impl VpcNetwork for Refusing {
        async fn apply(&self, _: &ToHost) -> Result<Outcome, NetworkError> {
            Err(NetworkError::Thread("apply"))
        }
        async fn attach_in(
            &self,
            _: &str,
            _: &str,
            _: Option<OwnedFd>,
        ) -> Result<VpcAttachment, NetworkError> {
            Err(NetworkError::Thread("attach"))
        }
        fn attached(&self, _: &str) -> Option<VpcAttachment> {
            None
        }
        async fn detach(&self, _: &str) -> Result<(), NetworkError> {
            let left = |left: u32| left.checked_sub(1);
            let refused = self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
            refused.map_or(Ok(()), |_| Err(NetworkError::Thread("detach")))
        }
        async fn adopt(&self, _: &[KeptVpcAttachment]) -> Result<VpcAdoption, NetworkError> {
            Err(NetworkError::Thread("adopt"))
        }
        async fn destroy(&self) -> Result<(), NetworkError> {
            Err(NetworkError::Thread("destroy"))
        }
        fn router(&self, _: &str) -> Option<PathBuf> {
            None
        }
        fn routed(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn an_interface_is_gone_when_the_kernel_has_let_it_go() {
        let vpcs = Refusing(AtomicU32::new(2));
        detached(&vpcs, "task").await;
        assert_eq!(vpcs.0.load(Ordering::Relaxed), 0);
        assert!(vpcs.detach("task").await.is_ok());
    }
}
