//! The proxy between real sockets: a client, the proxy in this process's own network, and servers.

use super::*;
use crate::connect::protocol;
use crate::connect::proxy::counters::Counts;
use crate::connect::proxy::route::Place;
use crate::connect::proxy::scope::Scope;
use crate::connect::proxy::targets::Targets;
use crate::task::connect::Listener;
use aws_api::agent::host_sync::{EndpointRow, EndpointTarget};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn as client;
use hyper::header::{CONNECTION, HeaderMap, UPGRADE};
use hyper_util::rt::TokioExecutor;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

struct Setting {
    port: u16,
    http: Arc<Http>,
}

/// A proxy in front of targets at these ports of the host's loopback, in a namespace that reaches that.
async fn proxy(protocol: AppProtocol, ports: &[u16], request_seconds: u64) -> Setting {
    let targets = Targets::default();
    let target = |port: &u16| EndpointTarget {
        id: format!("t{port}"),
        address: Ipv4Addr::LOCALHOST,
        port: *port,
    };
    targets.change(protocol::Targets {
        put: vec![EndpointRow {
            id: "api".into(),
            discovery_name: "api".into(),
            targets: ports.iter().map(target).collect(),
        }],
        ..protocol::Targets::default()
    });
    let listener = Listener {
        name: "api".into(),
        address: Ipv4Addr::LOCALHOST,
        port: 80,
        discovery_name: "api".into(),
        endpoint: "api".into(),
        protocol,
        idle_seconds: 0,
        request_seconds,
    };
    let place = Place {
        netns: Arc::new(std::fs::File::open("/proc/self/ns/net").unwrap().into()),
        gateway: Some(Ipv4Addr::LOCALHOST),
    };
    let parts = (Arc::new(targets), Arc::default(), Scope::new());
    let http = Http::new(Route::new(listener, place, parts, None));
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let serving = http.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = socket.accept().await {
            tokio::spawn(serving.clone().serve(client));
        }
    });
    Setting { port, http }
}

/// A server that answers every request with `answer`; its port.
async fn server<F>(
    is_http2: bool,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) -> u16
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            tokio::spawn(async move {
                let stream = TokioIo::new(stream);
                match is_http2 {
                    true => {
                        let builder = http2::Builder::new(TokioExecutor::new());
                        let _ = builder.serve_connection(stream, service).await;
                    }
                    false => {
                        let connection = http1::Builder::new().serve_connection(stream, service);
                        let _ = connection.with_upgrades().await;
                    }
                }
            });
        }
    });
    port
}

/// A port at which nobody answers.
async fn nobody() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.local_addr().unwrap().port()
}

/// One that reads a request and closes, counting the requests.
async fn hangs_up(count: Arc<AtomicUsize>) -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            count.fetch_add(1, Relaxed);
        }
    });
    port
}

fn text(status: u16, text: &'static str) -> Response<Body> {
    let mut response = Response::new(message::whole(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

async fn connect(port: u16) -> client::http1::SendRequest<Body> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let (sender, connection) = client::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}

fn request(method: &str, body: Body) -> Request<Body> {
    let request = Request::builder().method(method).uri("/a?b=c");
    request.header("host", "api").body(body).unwrap()
}

/// Status and body of one request on a connection of its own.
async fn ask(port: u16, request: Request<Body>) -> (u16, String) {
    let mut sender = connect(port).await;
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn empty() -> Body {
    message::whole(Bytes::new())
}

/// A body of unknown length.
fn streamed(text: &'static str) -> Body {
    let frames = text
        .as_bytes()
        .chunks(3)
        .map(|part| Ok(Frame::data(Bytes::from_static(part))));
    StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
}

async fn echo(request: Request<Incoming>) -> Response<Body> {
    let head = format!("{} {} ", request.method(), request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let text = [head.as_bytes(), &body].concat();
    Response::new(message::whole(text.into()))
}

#[tokio::test]
async fn requests_go_to_another_target_where_one_cannot_be_reached() {
    let (dead, live) = (nobody().await, server(false, echo).await);
    let setting = proxy(AppProtocol::Http, &[dead, live], 0).await;
    for body in [empty(), streamed("some text")] {
        let (status, text) = ask(setting.port, request("POST", body)).await;
        assert_eq!(status, 200);
        assert!(text.starts_with("POST /a?b=c "), "{text}");
    }
    let (_, targets) = setting.http.route.counters.now();
    let of_live = &targets[&format!("t{live}")];
    assert_eq!((of_live.requests, of_live.answers), (2, [2, 0, 0, 0]));
    assert_eq!(of_live.new_connections, 1, "the second used the first's");
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_again_but_by_idempotent_methods() {
    for (method, expected) in [("POST", 1), ("GET", 3), ("PUT", 3)] {
        let count = Arc::new(AtomicUsize::new(0));
        let port = hangs_up(count.clone()).await;
        let setting = proxy(AppProtocol::Http, &[port], 0).await;
        let (status, text) = ask(setting.port, request(method, empty())).await;
        assert_eq!(status, 503);
        assert!(text.starts_with("upstream connect error"), "{text}");
        assert_eq!(count.load(Relaxed), expected, "{method}");
    }
}

#[tokio::test]
async fn an_answer_503_is_asked_of_another_and_the_last_one_is_passed_on() {
    let busy = server(false, |_| async { text(503, "busy") }).await;
    let live = server(false, |_| async { text(201, "done") }).await;
    let setting = proxy(AppProtocol::Http, &[busy, live], 0).await;
    for _ in 0..3 {
        let asked = ask(
            setting.port,
            request(
                "POST",
                Full::from("x").map_err(|e| match e {}).boxed_unsync(),
            ),
        );
        assert_eq!(asked.await, (201, "done".into()));
    }
    let alone = proxy(AppProtocol::Http, &[busy], 0).await;
    assert_eq!(
        ask(alone.port, request("GET", empty())).await,
        (503, "busy".into())
    );
    let none = proxy(AppProtocol::Http, &[], 0).await;
    let expected = (503, "no healthy upstream".into());
    assert_eq!(ask(none.port, request("GET", empty())).await, expected);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_one_of_the_proxys_own() {
    let slow = server(false, |_| std::future::pending::<Response<Body>>()).await;
    let setting = proxy(AppProtocol::Http, &[slow], 1).await;
    let expected = (504, "upstream request timeout".into());
    assert_eq!(ask(setting.port, request("GET", empty())).await, expected);
}

#[tokio::test]
async fn both_sides_may_agree_on_another_protocol() {
    let port = server(false, |mut request| async move {
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
            let mut stream = TokioIo::new(upgraded);
            let mut said = [0; 4096];
            stream.read_exact(&mut said).await.unwrap();
            stream.write_all(&said).await.unwrap();
        });
        let mut response = text(101, "");
        let headers = response.headers_mut();
        headers.insert(CONNECTION, "upgrade".parse().unwrap());
        headers.insert(UPGRADE, "echo".parse().unwrap());
        response
    })
    .await;
    let setting = proxy(AppProtocol::Http, &[port], 0).await;
    let mut sender = connect(setting.port).await;
    let mut asked = request("GET", empty());
    asked
        .headers_mut()
        .insert(CONNECTION, "upgrade".parse().unwrap());
    asked.headers_mut().insert(UPGRADE, "echo".parse().unwrap());
    let mut response = sender.send_request(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    stream.write_all(&[7; 4096]).await.unwrap();
    let mut said = [0; 4096];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, [7; 4096]);
    let counters = &setting.http.route.counters;
    let heads = |counts: &Counts| (counts.new_connections, counts.active_connections);
    assert_eq!(heads(&counters.now().0), (1, 1), "it is one as before");
    drop(stream);
    while counters.now().0.active_connections > 0 {
        tokio::task::yield_now().await;
    }
    let bytes = counters.now().0.bytes;
    assert!(bytes > 8192, "heads, and what came both ways: {bytes}");
}

#[tokio::test]
async fn a_body_is_passed_on_whatever_protocol_its_client_would_rather_speak() {
    let port = server(false, |request| async move {
        let headers = request.headers();
        let is_asked = headers.contains_key(UPGRADE) || headers.contains_key("http2-settings");
        assert!(!is_asked, "the target is asked for what it may not do");
        echo(request).await
    })
    .await;
    let setting = proxy(AppProtocol::Http, &[port], 0).await;
    for protocol in ["h2c", "echo"] {
        let body = message::whole(Bytes::from_static(b"some text"));
        let mut asked = request("POST", body);
        for (name, value) in [
            ("connection", "Upgrade, HTTP2-Settings"),
            ("upgrade", protocol),
            ("http2-settings", "AAMAAABkAAQAAP__"),
        ] {
            asked.headers_mut().insert(name, value.parse().unwrap());
        }
        let expected = (200, "POST /a?b=c some text".into());
        assert_eq!(ask(setting.port, asked).await, expected, "{protocol}");
    }
}

/// A gRPC server's answer: its status comes after the body.
async fn call(request: Request<Incoming>) -> Response<Body> {
    let asked = request.into_body().collect().await.unwrap().to_bytes();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Ok(Frame::data(asked)), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    Response::new(body.boxed_unsync())
}

async fn connect_http2(port: u16) -> client::http2::SendRequest<Body> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let stream = TokioIo::new(stream);
    let (sender, connection) = client::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn call_request(body: Body) -> Request<Body> {
    let request = Request::builder()
        .method("POST")
        .uri("http://api/package.Service/Method");
    request.header("te", "trailers").body(body).unwrap()
}

#[tokio::test]
async fn calls_of_one_connection_go_to_targets_in_turn_with_their_trailers() {
    let ports = [server(true, call).await, server(true, call).await];
    let setting = proxy(AppProtocol::Grpc, &ports, 0).await;
    let mut sender = connect_http2(setting.port).await;
    for body in [empty(), streamed("streamed"), empty(), streamed("streamed")] {
        let response = sender.send_request(call_request(body)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let answered = response.into_body().collect().await.unwrap();
        assert_eq!(answered.trailers().unwrap()["grpc-status"], "0");
    }
    let (all, targets) = setting.http.route.counters.now();
    assert_eq!((all.requests, all.new_connections), (4, 1));
    for of in targets.values() {
        assert_eq!((of.requests, of.new_connections), (2, 1));
    }
    let none = proxy(AppProtocol::Grpc, &[nobody().await], 0).await;
    let mut sender = connect_http2(none.port).await;
    let body = Empty::<Bytes>::new()
        .map_err(|never| match never {})
        .boxed_unsync();
    let response = sender.send_request(call_request(body)).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["grpc-status"]),
        (StatusCode::OK, &"14".parse().unwrap())
    );
}
