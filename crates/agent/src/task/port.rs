//! The ports of a container as a payload has them: one, or several in a row.

use super::definition::{InvalidTask, null_as_default};
use serde::Deserialize;

/// A port of a container, or a range of ports.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortMapping {
    /// Port in the container; absent or 0 where there is a range.
    #[serde(default, deserialize_with = "null_as_default")]
    pub container_port: u16,
    /// Port on the host; 0 is any free one.
    #[serde(default, deserialize_with = "null_as_default")]
    pub host_port: u16,
    /// `FIRST-LAST`: as many ports of the host, in a row, which the host chooses.
    #[serde(default, deserialize_with = "null_as_default")]
    pub container_port_range: String,
    /// `tcp` (also when absent) or `udp`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub protocol: String,
}

impl PortMapping {
    /// The first port in the container and how many there are.
    ///
    /// # Errors
    /// It states neither a port nor a range, or both.
    pub fn row(&self) -> Result<(u16, u16), InvalidTask> {
        if self.container_port_range.is_empty() {
            return match self.container_port {
                0 => Err(InvalidTask("a port mapping without a port".into())),
                port => Ok((port, 1)),
            };
        }
        let text = &self.container_port_range;
        let invalid = || InvalidTask(format!("{text:?} is no range of ports"));
        let port = |text: &str| text.parse().ok().filter(|port: &u16| *port > 0);
        let (first, last) = text.split_once('-').ok_or_else(invalid)?;
        let (first, last) = port(first).zip(port(last)).ok_or_else(invalid)?;
        if first >= last || self.container_port != 0 || self.host_port != 0 {
            return Err(invalid());
        }
        Ok((first, last - first + 1))
    }

    pub(super) fn check(&self) -> Result<(), InvalidTask> {
        if !matches!(self.protocol.as_str(), "" | "tcp" | "udp") {
            return Err(InvalidTask(format!(
                "unsupported protocol {}",
                self.protocol
            )));
        }
        self.row().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mapping_is_one_port_or_a_range() {
        for (given, expected) in [
            (json!({"containerPort": 80, "hostPort": 0}), Some((80, 1))),
            (
                json!({"containerPortRange": "8000-8004", "containerPort": null}),
                Some((8000, 5)),
            ),
            (json!({"containerPortRange": "1-65535"}), Some((1, 65535))),
            (json!({}), None),
            (json!({"containerPortRange": "8000-8000"}), None),
            (json!({"containerPortRange": "0-7"}), None),
            (json!({"containerPortRange": "8000"}), None),
            (json!({"containerPortRange": "80-81", "hostPort": 80}), None),
        ] {
            let mapping: PortMapping = serde_json::from_value(given.clone()).unwrap();
            assert_eq!(mapping.row().ok(), expected, "{given}");
        }
        let unknown = json!({"containerPort": 80, "protocol": "sctp"});
        let mapping: PortMapping = serde_json::from_value(unknown).unwrap();
        assert!(mapping.check().is_err());
    }
}
