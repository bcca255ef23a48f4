//! The namespaces of a task with ids of its own, and whether this machine can have such tasks.

use super::error::{InPlace, RuntimeError};
use super::link;
use super::runtime::{Inner, Runtime};
use crate::failure::{At, Failure, Stage};
use crate::overlay::{self, OverlayMethod};
use crate::user_namespace::{IdRange, Mapping};
use crate::wire::Order;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

const PLACE: &str = "the task's namespaces";
/// How often a zygote is asked. One may be killed with the request in its queue or in its hands; and once more, as one
/// that is still going lets go of the request before it lets go of its queue, which then takes another. After that its
/// queue is closed.
pub const TRIES: usize = 3;

/// Has the zygote make them: it alone may, being single threaded. What it forks for that is among the shims and in no
/// record, so no sweep is to see it.
pub async fn make(inner: &Inner, ids: IdRange) -> Result<OwnedFd, RuntimeError> {
    let _making = inner.making.read().await;
    for _ in 1..TRIES {
        match ask(inner, ids).await {
            Err(RuntimeError::ShimLost(_)) => {}
            made => return made,
        }
    }
    ask(inner, ids).await
}

async fn ask(inner: &Inner, ids: IdRange) -> Result<OwnedFd, RuntimeError> {
    let place = Path::new(PLACE);
    let (ours, theirs) = link::pair().place("making a socket for", place)?;
    let order = Order::Namespaces(ids);
    inner
        .zygote
        .send(&inner.cgroups, &order, &[theirs.as_fd()])?;
    drop(theirs);
    let answer = link::receive::<Result<(), Failure>>(&ours).await;
    match answer.place("waiting for", place)? {
        Some((Ok(()), descriptors)) => descriptors
            .into_iter()
            .next()
            .ok_or_else(|| RuntimeError::ShimLost(place.into())),
        Some((Err(failure), _)) => Err(RuntimeError::Failed(failure)),
        None => Err(RuntimeError::ShimLost(place.into())),
    }
}

impl Runtime {
    /// Finds out, by doing it, whether a task can have ids of its own here: a user namespace with these, and layers that
    /// are mapped to them. `data_dir` is the runtime's own; nothing is left in it.
    ///
    /// # Errors
    /// What does not work.
    pub async fn probe_ids(&self, data_dir: &Path, ids: IdRange) -> Result<(), RuntimeError> {
        if !self.capabilities().may_map_layers() {
            let text = "layers whose owners are mapped (Linux 5.19 and newer) are switched off";
            let failure = Failure::text(Stage::RootFilesystem, text);
            return Err(RuntimeError::Failed(failure));
        }
        let network = make(&self.inner, ids).await?;
        let mapping = Mapping::of(ids, network).map_err(RuntimeError::Failed)?;
        let dir = data_dir.join(format!(".probe-ids-{}", std::process::id()));
        let tried = try_layers(&dir, &mapping, self.capabilities().overlay());
        let _ = std::fs::remove_dir_all(&dir);
        tried.map_err(RuntimeError::Failed)
    }
}

/// Mounts nothing in any tree. By name a mapped layer needs a place, which only a container's own tree has: there the
/// mapping alone is tried.
fn try_layers(dir: &Path, mapping: &Mapping, method: OverlayMethod) -> Result<(), Failure> {
    let layers = ["a", "b"].map(|name| dir.join(name));
    for layer in &layers {
        let what = || format!("making {}", layer.display());
        std::fs::create_dir_all(layer).at(Stage::RootFilesystem, what)?;
    }
    match method {
        OverlayMethod::LayerDescriptors => {
            overlay::mount_by_descriptors(&layers, None, Some(mapping)).map(drop)
        }
        OverlayMethod::LayerNames | OverlayMethod::OptionString => layers
            .iter()
            .try_for_each(|layer| overlay::clone_layer(layer, Some(mapping)).map(drop)),
    }
}
