//! The variables by which a container finds its endpoints.
//!
//! Rule: agent-protocol 6: set whatever the definition says; the region's only where neither
//! definition nor image names one. A container without a network has none.

use netdev::TASK_ENDPOINT;

/// Where a container finds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uris {
    /// `http://ADDRESS`, with a port where it is not 80.
    pub base: String,
    /// The unguessable part.
    pub id: String,
    /// The host's.
    pub region: String,
    /// Where the task has a role.
    pub role: Option<RoleUris>,
}

/// What a container of a task with a role is told besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleUris {
    /// The unguessable part of the path where its keys are fetched.
    pub credentials_id: String,
    /// Where the AWS APIs are.
    pub api: String,
}

impl Uris {
    /// Of a container on the bridge or in a VPC.
    #[must_use]
    pub fn link_local(id: &str, region: &str) -> Self {
        Self {
            base: link_local(),
            id: id.to_owned(),
            region: region.to_owned(),
            role: None,
        }
    }

    /// Of a container that shares the host's network.
    #[must_use]
    pub fn loopback(port: u16, id: &str, region: &str) -> Self {
        Self {
            base: format!("http://127.0.0.1:{port}"),
            ..Self::link_local(id, region)
        }
    }

    /// Sets the variables.
    pub fn add_to(&self, environment: &mut Vec<(String, String)>) {
        let Self {
            base, id, region, ..
        } = self;
        if let Some(role) = &self.role {
            self.add_role(role, environment);
        }
        set(
            environment,
            "ECS_CONTAINER_METADATA_URI",
            format!("{base}/v3/{id}"),
        );
        set(
            environment,
            "ECS_CONTAINER_METADATA_URI_V4",
            format!("{base}/v4/{id}"),
        );
        set(environment, "ECS_AGENT_URI", format!("{base}/api/{id}"));
        let regions = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        if !environment
            .iter()
            .any(|(name, _)| regions.contains(&name.as_str()))
        {
            for name in regions {
                set(environment, name, region.clone());
            }
        }
    }

    /// Only by its whole address are keys fetched that are not at 169.254.170.2. The endpoint only where
    /// neither definition nor image names one.
    fn add_role(&self, role: &RoleUris, environment: &mut Vec<(String, String)>) {
        let path = format!("/v2/credentials/{}", role.credentials_id);
        match self.base == link_local() {
            true => set(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", path),
            false => set(
                environment,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("{}{path}", self.base),
            ),
        }
        if !environment.iter().any(|(name, _)| name == API) {
            set(environment, API, role.api.clone());
        }
    }
}

const API: &str = "AWS_ENDPOINT_URL";

fn link_local() -> String {
    format!("http://{TASK_ENDPOINT}")
}

fn set(environment: &mut Vec<(String, String)>, name: &str, value: String) {
    match environment.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => environment.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(mut environment: Vec<(String, String)>, uris: &Uris) -> Vec<String> {
        uris.add_to(&mut environment);
        let pairs = environment.into_iter();
        pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn a_container_is_told_where_to_ask_and_its_region_unless_it_has_one() {
        let uris = Uris::link_local("i", "us-east-1");
        let own = [
            "ECS_CONTAINER_METADATA_URI=http://169.254.170.2/v3/i",
            "ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/i",
            "ECS_AGENT_URI=http://169.254.170.2/api/i",
        ];
        let regions = ["AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1"];
        assert_eq!(with(Vec::new(), &uris), [&own[..], &regions].concat());
        let given = vec![
            ("AWS_DEFAULT_REGION".into(), "eu-west-1".into()),
            ("ECS_AGENT_URI".into(), "mine".into()),
        ];
        let expected = ["AWS_DEFAULT_REGION=eu-west-1", own[2], own[0], own[1]];
        assert_eq!(with(given, &uris), expected);
        let role = |api: &str| {
            Some(RoleUris {
                credentials_id: "c".into(),
                api: api.into(),
            })
        };
        let uris = Uris {
            role: role("http://169.254.170.2:4566"),
            ..uris
        };
        let told = with(Vec::new(), &uris);
        let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/c";
        assert!(told.contains(&relative.to_owned()));
        assert!(told.contains(&"AWS_ENDPOINT_URL=http://169.254.170.2:4566".to_owned()));
        let own = vec![(API.to_owned(), "http://mine".to_owned())];
        assert!(with(own, &uris).contains(&"AWS_ENDPOINT_URL=http://mine".to_owned()));
        let uris = Uris {
            role: role("http://127.0.0.1:4566"),
            ..Uris::loopback(51679, "i", "us-east-1")
        };
        let told = with(Vec::new(), &uris);
        let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:51679/v2/credentials/c";
        assert!(told.contains(&full.to_owned()) && !told.contains(&relative.to_owned()));
        let on_host = with(Vec::new(), &Uris::loopback(51679, "i", "us-east-1"));
        assert!(on_host.contains(&"ECS_AGENT_URI=http://127.0.0.1:51679/api/i".to_owned()));
    }
}
