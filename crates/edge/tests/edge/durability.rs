//! What survives the death of the edge process, shown on a process of its own.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use eclusa_edge::{CloseRequest, EdgeClient, EdgeConfig, EdgeServer, Gate, OpenRequest, Upstream as Target};
use tempfile::TempDir;

use crate::support::{Upstream, config, json_of, socket, web};

const CONFIG_VARIABLE: &str = "EDGE_UNDER_TEST";

/// Not a test: the edge process that the tests below start, as this binary once more.
#[test]
#[ignore = "run by the other tests as a process of its own"]
fn edge_process() {
    let path = std::env::var_os(CONFIG_VARIABLE).unwrap();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let config = EdgeConfig::load(Path::new(&path)).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(eclusa_edge::serve(config)).unwrap();
}

struct Process {
    child: Child,
    client: EdgeClient,
}

impl Process {
    async fn start(directory: &TempDir) -> Self {
        let child = spawn(directory);
        let client =
            EdgeClient::connect_within(socket(directory.path()), Duration::from_secs(20)).await.unwrap();
        Self { child, client }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn public(&self) -> String {
        format!("http://{}", self.client.status().await.unwrap().public[0])
    }

    async fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        wait(&mut self.child).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(directory: &TempDir) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::edge_process", "--ignored", "--nocapture"])
        .env(CONFIG_VARIABLE, directory.path().join("edge.json"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn wait(child: &mut Child) -> ExitStatus {
    let waiting = async {
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the edge did not end")
}

fn configured(upstream: &Upstream) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), upstream.address, upstream.address, |_| ());
    std::fs::write(directory.path().join("edge.json"), serde_json::to_vec_pretty(&config).unwrap()).unwrap();
    directory
}

async fn get(address: &str, path: &str) -> reqwest::Response {
    web().get(format!("{address}{path}")).header("host", "alpha.localhost").send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_closed_it_comes_back_closed_and_switched() {
    let (old, new) = (Upstream::start("old").await, Upstream::start("new").await);
    let directory = configured(&old);
    let edge = Process::start(&directory).await;
    let target = Target::parse(&new.address.to_string()).unwrap();
    edge.client.set_upstream("alpha", target.clone()).await.unwrap();
    let request =
        CloseRequest { tenant: "alpha".into(), run: Some("run-1".into()), ..CloseRequest::default() };
    edge.client.close(request).await.unwrap();
    let since = edge.client.status().await.unwrap().tenants[0].gate.clone();
    edge.kill();
    assert!(socket(directory.path()).exists(), "a killed edge leaves its socket behind");

    let edge = Process::start(&directory).await;
    let status = edge.client.status().await.unwrap();
    assert_eq!(status.distrust, None);
    assert_eq!(status.tenants[0].gate, since, "since when, by whom and with which words");
    assert_eq!(status.tenants[0].upstream, target);
    assert_eq!(status.tenants[1].gate, Gate::Open);
    let address = edge.public().await;
    assert_eq!(get(&address, "/").await.status(), 503);
    let request = OpenRequest { tenant: "alpha".into(), run: Some("run-1".into()), force: false };
    let closed = edge.client.open(request).await.unwrap().closed_milliseconds;
    assert!(closed > 0);
    assert_eq!(json_of(get(&address, "/").await).await["app"], "new");
    edge.kill();

    let edge = Process::start(&directory).await;
    let status = edge.client.status().await.unwrap();
    assert_eq!((status.tenants[0].gate.clone(), status.tenants[0].closed_milliseconds), (Gate::Open, closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_lost_state_closes_every_gate() {
    let upstream = Upstream::start("app").await;
    let directory = configured(&upstream);
    let state = directory.path().join("state").join("state.json");
    for lost in [false, true] {
        let edge = Process::start(&directory).await;
        edge.kill();
        if lost {
            std::fs::remove_file(&state).unwrap();
        } else {
            let text = std::fs::read_to_string(&state).unwrap();
            assert!(text.contains("\"open\""));
            std::fs::write(&state, text.replace("\"closed_milliseconds\":0", "\"closed_milliseconds\":9"))
                .unwrap();
        }
        let edge = Process::start(&directory).await;
        let status = edge.client.status().await.unwrap();
        assert!(status.distrust.is_some(), "lost: {lost}");
        assert!(status.tenants.iter().all(|tenant| matches!(tenant.gate, Gate::Closed(_))), "lost: {lost}");
        let address = edge.public().await;
        assert_eq!(get(&address, "/").await.status(), 503);
        for tenant in ["alpha", "beta"] {
            edge.client.open(OpenRequest { tenant: tenant.into(), ..OpenRequest::default() }).await.unwrap();
        }
        assert_eq!(get(&address, "/").await.status(), 200);
        edge.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_requests_finish_and_exits_with_0() {
    let upstream = Upstream::start("app").await;
    let directory = configured(&upstream);
    let mut edge = Process::start(&directory).await;
    let address = edge.public().await;
    let slow = {
        let address = address.clone();
        tokio::spawn(async move { get(&address, "/slow").await })
    };
    upstream.slow_begun(1).await;
    let finish = async {
        // Once new connections are refused, the edge is stopping.
        while web().get(&address).send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        upstream.permits.add_permits(1);
    };
    let (status, ()) = tokio::join!(edge.terminate(), finish);
    assert!(status.success(), "{status}");
    assert_eq!(slow.await.unwrap().text().await.unwrap(), "app");
    assert!(!socket(directory.path()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_edge_is_refused_and_leaves_the_first_alone() {
    let upstream = Upstream::start("app").await;
    let directory = configured(&upstream);
    let edge = Process::start(&directory).await;
    let same = config(directory.path(), upstream.address, upstream.address, |_| ());
    assert_eq!(EdgeServer::start(same).await.err().unwrap().code(), "already-running");
    let same_socket = config(directory.path(), upstream.address, upstream.address, |config| {
        config["state_directory"] = directory.path().join("other").to_str().into();
    });
    assert_eq!(EdgeServer::start(same_socket).await.err().unwrap().code(), "already-running");
    let address = edge.public().await;
    assert_eq!(get(&address, "/").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_socket_is_not_replaced() {
    let upstream = Upstream::start("app").await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    std::fs::write(&path, "precious").unwrap();
    let config = config(directory.path(), upstream.address, upstream.address, |config| {
        config["control_socket"] = path.to_str().into();
    });
    assert_eq!(EdgeServer::start(config).await.err().unwrap().code(), "control-socket");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
