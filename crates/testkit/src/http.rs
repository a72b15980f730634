//! Requests to a world: answered well when what serves runs, fits the data, and is not a broken release.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eclusa_ports::{Clock, GateState, HttpAnswer, HttpClient, HttpRequest};
use eclusa_runbook::{HttpProbe, Sample};

use crate::World;

/// The clients of a world.
pub struct FakeHttp {
    /// The world.
    pub world: World,
    /// When requests are made.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl HttpClient for FakeHttp {
    async fn ask(&self, probe: &HttpProbe, base: &str) -> Sample {
        let at = self.clock.now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let problem = self.world.with(|state| {
            let gate = state.gates.get(&probe.tenant).map_or(GateState::Open, |gate| gate.state);
            if base.contains("public") && state.edge && gate != GateState::Open {
                return Some("the gate is closed");
            }
            match state.serving() {
                None => Some("nothing serves"),
                Some(release) if state.broken.contains(&release) => Some("an error page"),
                Some(release) if !state.fits(&release, &probe.tenant) => Some("no such column"),
                Some(_) => None,
            }
        });
        Sample {
            at,
            tenant: probe.tenant.clone(),
            source: probe.name.clone(),
            good: problem.is_none(),
            status: if problem.is_none() { probe.status } else { 503 },
            microseconds: 5000,
            problem: problem.map(str::to_owned),
        }
    }

    async fn exchange(&self, _: &HttpRequest, _: &str) -> Result<HttpAnswer, String> {
        Err("nobody signs in to this world".to_owned())
    }

    async fn fetch(&self, probe: &HttpProbe, base: &str) -> (Sample, Vec<u8>) {
        (self.ask(probe, base).await, Vec::new())
    }
}
