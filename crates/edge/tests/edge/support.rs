//! An edge with an upstream to put behind it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::routing::{any, get};
use eclusa_edge::{EdgeClient, EdgeConfig, EdgeServer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// An application behind the edge.
pub struct Upstream {
    pub address: SocketAddr,
    /// Each permit lets one request to `/slow` finish.
    pub permits: Arc<Semaphore>,
    /// Requests to `/slow` that have begun.
    pub begun: watch::Receiver<u64>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct App {
    name: &'static str,
    permits: Arc<Semaphore>,
    begun: Arc<watch::Sender<u64>>,
}

impl Upstream {
    pub async fn start(name: &'static str) -> Self {
        Self::on(name, TcpListener::bind("127.0.0.1:0").await.unwrap()).await
    }

    pub async fn on(name: &'static str, listener: TcpListener) -> Self {
        let (sender, begun) = watch::channel(0);
        let app = App { name, permits: Arc::new(Semaphore::new(0)), begun: Arc::new(sender) };
        let permits = Arc::clone(&app.permits);
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/slow", any(slow))
            .route("/status/{code}", any(status))
            .route("/count", any(count))
            .route("/bytes/{mebibytes}", get(bytes))
            .fallback(echo)
            .with_state(app);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, permits, begun, task }
    }

    pub async fn slow_begun(&self, count: u64) {
        let mut begun = self.begun.clone();
        begun.wait_for(|begun| *begun >= count).await.unwrap();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn echo(State(app): State<App>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> String {
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    json!({"app": app.name, "method": method.as_str(), "uri": uri.to_string(), "headers": headers, "body": body.len()})
        .to_string()
}

async fn slow(State(app): State<App>) -> &'static str {
    app.begun.send_modify(|begun| *begun += 1);
    app.permits.acquire().await.unwrap().forget();
    app.name
}

async fn status(UrlPath(code): UrlPath<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

async fn count(body: Body) -> String {
    let mut stream = body.into_data_stream();
    let (mut total, mut sum) = (0usize, 0u64);
    while let Some(chunk) = futures_next(&mut stream).await {
        let chunk = chunk.unwrap();
        total += chunk.len();
        sum = chunk.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    }
    format!("{total} {sum}")
}

async fn futures_next(stream: &mut axum::body::BodyDataStream) -> Option<Result<Bytes, axum::Error>> {
    use http_body_util::BodyExt;
    stream.frame().await.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()))
}

async fn bytes(UrlPath(mebibytes): UrlPath<usize>) -> Body {
    Body::new(Chunks { left: mebibytes })
}

/// A body of so many mebibytes, without a known length.
pub struct Chunks {
    pub left: usize,
}

impl Chunks {
    pub fn chunk() -> Bytes {
        (0..1024 * 1024usize).map(|index| (index % 251) as u8).collect()
    }
}

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return std::task::Poll::Ready(None);
        }
        self.left -= 1;
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Self::chunk()))))
    }
}

/// An edge in this process.
pub struct Edge {
    pub public: SocketAddr,
    pub side_door: SocketAddr,
    pub client: EdgeClient,
    pub web: reqwest::Client,
    pub directory: TempDir,
}

pub fn socket(directory: &Path) -> PathBuf {
    directory.join("run").join("edge.sock")
}

/// The configuration with tenants alpha and beta, changed as the test needs.
pub fn config(
    directory: &Path,
    alpha: SocketAddr,
    beta: SocketAddr,
    change: impl FnOnce(&mut Value),
) -> EdgeConfig {
    let mut value = json!({
        "format": 1,
        "public": ["127.0.0.1:0"],
        "side_door": "127.0.0.1:0",
        "control_socket": socket(directory),
        "state_directory": directory.join("state"),
        "tenants": [
            {"name": "alpha", "hosts": ["alpha.localhost", "shop.example"], "upstream": alpha.to_string()},
            {"name": "beta", "hosts": ["Beta.localhost"], "upstream": beta.to_string()},
        ],
        "limits": {"websocket_grace_seconds": 1, "shutdown_seconds": 5},
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

impl Edge {
    pub async fn start(alpha: SocketAddr, beta: SocketAddr, change: impl FnOnce(&mut Value)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = EdgeServer::start(config(directory.path(), alpha, beta, change)).await.unwrap();
        let public = server.public_addresses().await[0];
        let side_door = server.side_door_address().await.unwrap();
        tokio::spawn(server.stopped());
        let client = EdgeClient::connect(socket(directory.path())).await.unwrap();
        Self { public, side_door, client, web: web(), directory }
    }

    pub fn get(&self, host: &str, path: &str) -> reqwest::RequestBuilder {
        self.web.get(format!("http://{}{path}", self.public)).header("host", host)
    }

    pub fn side(&self, host: &str, path: &str) -> reqwest::RequestBuilder {
        self.web.get(format!("http://{}{path}", self.side_door)).header("host", host)
    }

    /// Waits until the status of a tenant is as wanted.
    pub async fn until(&self, tenant: &str, wanted: impl Fn(&eclusa_edge::TenantStatus) -> bool) {
        let waiting = async {
            loop {
                let status = self.client.status().await.unwrap();
                if status.tenants.iter().any(|entry| entry.tenant == tenant && wanted(entry)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .expect("the status never became as wanted");
    }

    pub async fn totals(&self, tenant: &str) -> eclusa_edge::Totals {
        self.client.stats(Some(tenant)).await.unwrap()[0].totals
    }
}

pub fn web() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// An address where nothing listens.
pub async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

pub async fn json_of(response: reqwest::Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

pub fn headers_of(echo: &Value, name: &str) -> Vec<String> {
    let pairs = echo["headers"].as_array().unwrap();
    pairs.iter().filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
}
