//! A registry of one image, on loopback: what the pull bench pulls from.

use anyhow::Context;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The name under which the image lies.
pub const NAME: &str = "bench/image";

/// A layer: gzip, and the digest of what it unpacks to.
#[derive(Debug)]
pub struct Layer {
    /// As it is sent.
    pub gzip: Vec<u8>,
    /// SHA-256 of the tar.
    pub diff_id: String,
}

/// Serves until dropped.
#[derive(Debug)]
pub struct Registry {
    /// `127.0.0.1:PORT/bench/image:1`.
    pub reference: String,
    serving: JoinHandle<()>,
}

/// What is served, by path.
type Contents = BTreeMap<String, (&'static str, Vec<u8>)>;

impl Registry {
    /// Starts one that holds an image of these layers.
    pub async fn start(layers: Vec<Layer>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let reference = format!("{}/{NAME}:1", listener.local_addr()?);
        let contents = Arc::new(contents(layers));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let contents = contents.clone();
                tokio::spawn(async move {
                    // A client that goes away ends its connection.
                    let _ = serve(stream, &contents).await;
                });
            }
        });
        Ok(Self { reference, serving })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

fn contents(layers: Vec<Layer>) -> Contents {
    let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let config = serde_json::json!({
        "architecture": architecture, "os": "linux", "config": {"Cmd": ["/none"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
    .to_string()
    .into_bytes();
    let described = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()});
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": described(CONFIG, &config),
        "layers": layers.iter().map(|layer| described(LAYER, &layer.gzip)).collect::<Vec<_>>(),
    })
    .to_string()
    .into_bytes();
    let mut contents = Contents::new();
    for name in ["1".to_owned(), digest(&manifest)] {
        let path = format!("/v2/{NAME}/manifests/{name}");
        contents.insert(path, (MANIFEST, manifest.clone()));
    }
    for blob in layers.into_iter().map(|layer| layer.gzip).chain([config]) {
        let path = format!("/v2/{NAME}/blobs/{}", digest(&blob));
        contents.insert(path, ("application/octet-stream", blob));
    }
    contents.insert("/v2/".into(), ("application/json", b"{}".to_vec()));
    contents
}

async fn serve(stream: TcpStream, contents: &Contents) -> anyhow::Result<()> {
    let mut stream = BufStream::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = (&mut stream).take(64 * 1024).read_line(&mut head).await?;
            if read == 0 {
                return Ok(());
            }
        }
        let mut words = head.split(' ');
        let method = words.next().context("no method")?;
        let path = words.next().context("no path")?;
        let (status, kind, body) = match contents.get(path) {
            Some((kind, body)) => ("200 OK", *kind, body.as_slice()),
            None => ("404 Not Found", "application/json", b"{}".as_slice()),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ndocker-content-digest: {}\r\ndocker-distribution-api-version: registry/2.0\r\n\r\n",
            body.len(),
            path.rsplit('/')
                .next()
                .filter(|name| name.starts_with("sha256:"))
                .map_or_else(|| digest(body), str::to_owned),
        );
        stream.write_all(answer.as_bytes()).await?;
        if method != "HEAD" {
            stream.write_all(body).await?;
        }
        stream.flush().await?;
    }
}
