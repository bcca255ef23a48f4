//! Tags of a resource: at most one value per key, shown in order of key.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tags of one resource. Checked by `rules::tags` before they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(pub BTreeMap<String, String>);
