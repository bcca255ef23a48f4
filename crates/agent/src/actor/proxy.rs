//! The task's proxy of Service Connect: opened in a namespace once that is there, closed before it goes.

use super::TaskContext;
use crate::connect::Place;
use crate::part::Part;
use crate::task::connect::ServiceConnect;
use std::net::Ipv4Addr;
use std::path::Path;
use tracing::warn;

impl TaskContext {
    /// Opens it, where the task has one. The error is a reason for the task's end.
    pub(super) async fn open_proxy(&self, place: &Place) -> Result<(), String> {
        let connect = &self.host.connect;
        match connect.open(self, place).await {
            Ok(()) => {
                connect.wait_for_targets(self).await;
                Ok(())
            }
            Err(error) => Err(format!(
                "ResourceInitializationError: service connect: {error}"
            )),
        }
    }

    /// Names that its containers find in `/etc/hosts`.
    pub(super) fn proxied_names(&self) -> Vec<(Ipv4Addr, String)> {
        let wanted = self.definition.service_connect();
        wanted.map(ServiceConnect::names).unwrap_or_default()
    }

    /// Takes a container off the bridge.
    pub(super) async fn leave_bridge(&self, runtime_id: &str) {
        let attachment = self.host.network.attached(runtime_id);
        let netns = attachment.map(|attachment| attachment.netns);
        self.close_proxy(netns.as_deref()).await;
        if let Err(error) = self.host.network.detach(runtime_id).await {
            warn!(task = %self.definition.arn, %error, "an attachment could not be removed; the next start removes it");
        }
        self.close_proxy(netns.as_deref()).await;
        self.host.connect.finish_log(self).await;
    }

    /// Closes it in a namespace, if there was one.
    pub(super) async fn close_proxy(&self, netns: Option<&Path>) {
        if let Some(netns) = netns
            && self.definition.service_connect().is_some()
        {
            let part = Part::of(&self.definition);
            self.host.connect.close(netns, part).await;
        }
    }
}
