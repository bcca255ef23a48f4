//! What is there, who uses it, and what goes: by name, by age, or because nothing names it any more.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use super::{Disk, now_ms};
use crate::image::cleanup::{CleanupPolicy, Standing, to_remove};
use crate::image::digest::Digest;
use crate::image::error::ImageError;
use crate::image::index::{NameRecord, Origin};
use crate::image::pins::Pins;
use crate::image::reference::shown;
use crate::image::{Image, ImageSummary};

impl Disk {
    pub(in crate::image) fn summaries(&self) -> Result<Vec<ImageSummary>, ImageError> {
        let index = self.index();
        let pins = self.pins().all()?;
        let summary = |(reference, name): (&String, &NameRecord)| {
            let image = self.image(&name.image, reference, &name.digest, name.origin)?;
            Some(ImageSummary {
                reference: shown(reference),
                id: image.id,
                digest: image.digest,
                origin: name.origin,
                size_bytes: image.size_bytes,
                created: index.images.get(&name.image)?.created.clone(),
                since_ms: name.since_ms,
                pins: pins.values().filter(|id| **id == name.image).count(),
            })
        };
        Ok(index.names.iter().filter_map(summary).collect())
    }

    /// Takes a name away; its image goes with its last name. `Ok(false)`: no such name.
    pub(in crate::image) fn remove(&self, reference: &str) -> Result<bool, ImageError> {
        let pins = self.pins();
        let index = self.index();
        let Some(name) = index.names.get(reference) else {
            return Ok(false);
        };
        if index.names_of(&name.image).count() == 1 {
            let users = pins.all()?.into_iter();
            let owners: Vec<_> = users
                .filter(|(_, id)| *id == name.image)
                .map(|(owner, _)| owner.chars().take(12).collect())
                .collect();
            if !owners.is_empty() {
                let reference = shown(reference);
                return Err(ImageError::InUse { reference, owners });
            }
        }
        self.update(|index| drop(index.names.remove(reference)))?;
        self.sweep(&pins)?;
        Ok(true)
    }

    /// Removes unused images as the policy says; gives the names that went.
    pub(in crate::image) fn clean_up(
        &self,
        policy: CleanupPolicy,
    ) -> Result<Vec<String>, ImageError> {
        let pins = self.pins();
        let Ok(alone) = self.adding.try_write() else {
            return Ok(Vec::new());
        };
        let index = self.index();
        let used: BTreeSet<Digest> = pins.all()?.into_values().collect();
        let standing = |id: &Digest| {
            let names = || index.names_of(id).map(|(_, name)| name);
            let pulled_at_ms = names().map(|name| name.since_ms).max().unwrap_or(0);
            Standing {
                id: id.clone(),
                is_pulled: names().all(|name| name.origin == Origin::Registry),
                is_used: used.contains(id),
                pulled_at_ms,
                last_used_ms: pins.last_used_ms(id).unwrap_or(pulled_at_ms),
            }
        };
        let images: Vec<_> = index.images.keys().map(standing).collect();
        let unused: BTreeSet<_> = to_remove(&images, policy, now_ms()).into_iter().collect();
        let names = index.names.iter();
        let gone = names.filter(|(_, name)| unused.contains(&name.image));
        let gone = gone.map(|(name, _)| shown(name)).collect();
        self.update(|index| {
            index.names.retain(|_, name| !unused.contains(&name.image));
        })?;
        drop(alone);
        self.sweep(&pins)?;
        Ok(gone)
    }

    /// Removes images without name and pin, and layers without image. Does nothing while an image is
    /// being added; the next call does.
    fn sweep(&self, pins: &Pins) -> Result<(), ImageError> {
        let Ok(_alone) = self.adding.try_write() else {
            return Ok(());
        };
        let pinned: BTreeSet<Digest> = pins.all()?.into_values().collect();
        self.update(|index| index.sweep(&pinned))?;
        let index = self.index();
        let known: BTreeSet<&str> = index.images.keys().map(Digest::hex).collect();
        pins.forget_times(|id| known.contains(id));
        self.remove_unnamed()
    }

    /// [`Disk::sweep`] for those who hold no pins.
    pub(in crate::image) fn sweep_now(&self) -> Result<(), ImageError> {
        self.sweep(&self.pins())
    }

    /// Says that `owner` uses the image; it stays until [`Disk::unpin`].
    pub(in crate::image) fn pin(&self, owner: &str, image: &Image) -> Result<(), ImageError> {
        let gone = || ImageError::NoSuchImage {
            reference: shown(&image.reference),
        };
        let id = Digest::parse(&image.id).ok_or_else(gone)?;
        let pins = self.pins();
        if !self.index().images.contains_key(&id) {
            return Err(gone());
        }
        pins.add(owner, &id)
    }

    pub(in crate::image) fn unpin(&self, owner: &str) -> Result<(), ImageError> {
        self.pins().remove(owner)
    }

    /// Owners of pins.
    pub(in crate::image) fn pinned(&self) -> Result<Vec<String>, ImageError> {
        Ok(self.pins().all()?.into_keys().collect())
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
