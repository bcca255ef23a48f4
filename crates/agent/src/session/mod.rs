//! The agent's websockets: ACS (what to run), TCS (how it fares), host sync (what networks to hold).
//!
//! Same frames, acknowledgements and orderings as the public agent, none of its delays: a lost
//! connection is made again at once, then with short growing waits.

mod acs;
mod host_sync;
mod tcs;

pub use acs::acs;
pub use host_sync::host_sync;
pub use tcs::tcs;

use crate::api::now;
use crate::engine::Host;
use crate::server::ServerStream;
use aws_wire::client;
use std::time::Duration;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Waits between connections: from the first, doubled, to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

type Socket = WebSocketStream<ServerStream>;

/// A session shorter than this counts as a failure to connect.
const SHORT: Duration = Duration::from_secs(1);

/// The waits between connections: none after a session that lasted, else growing, with jitter.
struct Reconnect(Duration);

impl Reconnect {
    fn new() -> Self {
        Self(RETRY.0)
    }

    async fn after(&mut self, lasted: Duration) {
        if lasted >= SHORT {
            self.0 = RETRY.0;
            return;
        }
        let mut random = [0; 1];
        // Without the random source the wait has no jitter, which is all that is lost.
        let _ = getrandom::fill(&mut random);
        tokio::time::sleep(self.0.mul_f64(1.0 + 0.2 * f64::from(random[0]) / 256.0)).await;
        self.0 = (self.0 * 2).min(RETRY.1);
    }
}

async fn connect(host: &Host, query: &str) -> Result<Socket, tungstenite::Error> {
    let config = &host.config;
    let signed = client::get(
        config.server.authority(),
        "/ws",
        query,
        &config.credentials,
        &config.region,
        "ecs",
        now(),
    );
    let mut request =
        format!("ws://{}{}", config.server.authority(), signed.target).into_client_request()?;
    for (name, value) in &signed.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            request.headers_mut().insert(name, value);
        }
    }
    let connected = config.server.connect().await;
    let stream = connected.map_err(tungstenite::Error::Io)?;
    Ok(client_async(request, stream).await?.0)
}
