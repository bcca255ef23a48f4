//! Calls of the running server with the root user's key.

use crate::http::{self, Connection};
use crate::settings::Settings;
use agent::Server;
use aws_api::Operation;
use aws_api::ecs::operations::{DescribeContainerInstances, ListContainerInstances};
use aws_api::ecs::{DescribeContainerInstancesRequest, ListContainerInstancesRequest};
use aws_types::Timestamp;
use aws_wire::client::{self, SignedRequest};
use aws_wire::sigv4::Credentials;
use std::time::{SystemTime, UNIX_EPOCH};

/// The server of a data directory, as root reaches it.
#[derive(Clone, Debug)]
pub struct Root {
    server: Server,
    region: String,
    credentials: Credentials,
}

impl Root {
    /// Reads where the server is and the root user's key.
    pub fn of(settings: &Settings) -> anyhow::Result<Self> {
        let info = settings.data.server_info()?;
        let key = settings.data.root_key()?;
        Ok(Self {
            server: info.server()?,
            region: info.region,
            credentials: Credentials {
                access_key_id: key.access_key_id,
                secret: key.secret_access_key,
                session_token: None,
            },
        })
    }

    /// Calls an operation.
    pub async fn call<O: Operation>(&self, input: &O::Input) -> anyhow::Result<O::Output> {
        let (status, body) = self.send(self.request::<O>(input)).await?;
        Ok(client::answer::<O>(status, &body)?)
    }

    /// An administrative GET; the answer's text.
    pub async fn admin(&self, path: &str, query: &str) -> anyhow::Result<String> {
        let request = client::get(
            self.server.authority(),
            path,
            query,
            &self.credentials,
            &self.region,
            "longshore",
            now(),
        );
        self.text(request).await
    }

    /// An administrative POST; the answer's text.
    pub async fn post(&self, path: &str, body: Vec<u8>) -> anyhow::Result<String> {
        let request = client::post(
            self.server.authority(),
            path,
            body,
            &self.credentials,
            &self.region,
            "longshore",
            now(),
        );
        self.text(request).await
    }

    async fn text(&self, request: SignedRequest) -> anyhow::Result<String> {
        let (status, body) = self.send(request).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        anyhow::ensure!(status == 200, "{}", text.trim());
        Ok(text)
    }

    /// One request on a connection of its own.
    async fn send(&self, request: SignedRequest) -> anyhow::Result<(u16, Vec<u8>)> {
        Connection::open(&self.server)
            .await?
            .exchange(&http::encode(&request))
            .await
    }

    /// A connection that is kept open, for many calls.
    pub async fn connect(&self) -> anyhow::Result<Session> {
        Ok(Session {
            root: self.clone(),
            connection: Connection::open(&self.server).await?,
        })
    }

    /// A signed call as bytes, good for five minutes.
    pub fn signed<O: Operation>(&self, input: &O::Input) -> Vec<u8> {
        http::encode(&self.request::<O>(input))
    }

    /// Where the server listens.
    pub fn server(&self) -> &Server {
        &self.server
    }

    fn request<O: Operation>(&self, input: &O::Input) -> SignedRequest {
        client::request::<O>(
            input,
            self.server.authority(),
            &self.credentials,
            &self.region,
            now(),
        )
    }
}

/// Root's calls over one kept connection.
#[derive(Debug)]
pub struct Session {
    root: Root,
    connection: Connection,
}

impl Session {
    /// Calls an operation.
    pub async fn call<O: Operation>(&mut self, input: &O::Input) -> anyhow::Result<O::Output> {
        let request = self.root.signed::<O>(input);
        let (status, body) = self.connection.exchange(&request).await?;
        Ok(client::answer::<O>(status, &body)?)
    }
}

/// The present moment.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Whether the server answers and a container instance is connected.
pub async fn is_ready(settings: &Settings) -> bool {
    let Ok(root) = Root::of(settings) else {
        return false;
    };
    let Ok(listed) = root
        .call::<ListContainerInstances>(&ListContainerInstancesRequest::default())
        .await
    else {
        return false;
    };
    let container_instances = listed.container_instance_arns.unwrap_or_default();
    if container_instances.is_empty() {
        return false;
    }
    let input = DescribeContainerInstancesRequest {
        container_instances: Some(container_instances),
        ..Default::default()
    };
    let described = root.call::<DescribeContainerInstances>(&input).await;
    described.is_ok_and(|answer| {
        answer
            .container_instances
            .unwrap_or_default()
            .iter()
            .any(|instance| instance.agent_connected == Some(true))
    })
}
