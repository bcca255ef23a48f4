//! Links between containers on the bridge: names in `/etc/hosts`, and variables. Pure.
//!
//! Rule: Docker's legacy links: `ALIAS_PORT`, one group of four variables for each port, `ALIAS_NAME`, and the other's own
//! environment as `ALIAS_ENV_NAME`.

use std::net::Ipv4Addr;

/// A container that another knows by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Its name.
    pub name: String,
    /// What the other calls it.
    pub alias: String,
    /// Its host name.
    pub hostname: String,
    /// Where it is on the bridge.
    pub address: Ipv4Addr,
    /// Its ports with their protocols.
    pub ports: Vec<(u16, String)>,
    /// Its own variables.
    pub environment: Vec<(String, String)>,
}

impl Linked {
    /// The line of `/etc/hosts`.
    pub fn hosts_line(&self) -> String {
        let mut names = vec![self.alias.as_str(), &self.hostname];
        if self.alias != self.name {
            names.push(&self.name);
        }
        format!("{}\t{}\n", self.address, names.join(" "))
    }

    /// The variables that `container` gets.
    pub fn variables(&self, container: &str) -> Vec<(String, String)> {
        let prefix = self.alias.to_uppercase().replace('-', "_");
        let mut ports = self.ports.clone();
        ports.sort_by_key(|(port, protocol)| (protocol != "tcp", *port));
        ports.dedup();
        let url =
            |(port, protocol): &(u16, String)| format!("{protocol}://{}:{port}", self.address);
        let mut found: Vec<(String, String)> = Vec::new();
        found.extend(
            ports
                .first()
                .map(|first| (format!("{prefix}_PORT"), url(first))),
        );
        for port in &ports {
            let (number, protocol) = port;
            let own = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
            found.push((own.clone(), url(port)));
            found.push((format!("{own}_ADDR"), self.address.to_string()));
            found.push((format!("{own}_PORT"), number.to_string()));
            found.push((format!("{own}_PROTO"), protocol.clone()));
        }
        found.push((
            format!("{prefix}_NAME"),
            format!("/{container}/{}", self.alias),
        ));
        let environment = self.environment.iter();
        let said = environment.filter(|(name, _)| !matches!(name.as_str(), "HOME" | "PATH"));
        found.extend(said.map(|(name, value)| (format!("{prefix}_ENV_{name}"), value.clone())));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_as_docker_tells_it() {
        let linked = Linked {
            name: "db".into(),
            alias: "my-store".into(),
            hostname: "0123456789ab".into(),
            address: Ipv4Addr::new(172, 17, 0, 5),
            ports: vec![(53, "udp".into()), (5432, "tcp".into())],
            environment: vec![("PATH".into(), "/bin".into()), ("USER".into(), "me".into())],
        };
        assert_eq!(
            linked.hosts_line(),
            "172.17.0.5\tmy-store 0123456789ab db\n"
        );
        let text: Vec<String> = linked
            .variables("web")
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let expected = [
            "MY_STORE_PORT=tcp://172.17.0.5:5432",
            "MY_STORE_PORT_5432_TCP=tcp://172.17.0.5:5432",
            "MY_STORE_PORT_5432_TCP_ADDR=172.17.0.5",
            "MY_STORE_PORT_5432_TCP_PORT=5432",
            "MY_STORE_PORT_5432_TCP_PROTO=tcp",
            "MY_STORE_PORT_53_UDP=udp://172.17.0.5:53",
            "MY_STORE_PORT_53_UDP_ADDR=172.17.0.5",
            "MY_STORE_PORT_53_UDP_PORT=53",
            "MY_STORE_PORT_53_UDP_PROTO=udp",
            "MY_STORE_NAME=/web/my-store",
            "MY_STORE_ENV_USER=me",
        ];
        assert_eq!(text, expected);
    }
}
