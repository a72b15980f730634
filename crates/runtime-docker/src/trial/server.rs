//! A database server that is started for a copy alone: like the one of the stack, with the same accounts, and empty. Its
//! image makes its database and its account from its environment, as the official ones do.

use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::TrialServer;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::mounts::read_only;
use super::{Wanted, failed, model_of};
use crate::observe::Containers;
use crate::runtime::ComposeRuntime;
use crate::wait::Watch;

/// How often it is tried whether the server can be reached.
const POLL: Duration = Duration::from_millis(300);

impl ComposeRuntime {
    pub(crate) async fn start_trial_server(&self, server: &TrialServer) -> Result<()> {
        let TrialServer { name, tenant, service, port, healthy_within } = server;
        self.end_trial(name).await?;
        let live = self.containers().await?;
        let container = model_of(tenant, &live, service)?;
        let mut body = self.as_it_runs(container, name).await?;
        if let Some(host) = &mut body.host_config {
            // Its data lies in a volume that the engine makes with it and removes with it.
            host.mounts = Some(read_only(container));
        }
        self.make_network(name).await?;
        eclusa_crash::point("trial.network-made");
        let since = Instant::now();
        let mut watch = Watch::new(&Containers::new(), healthy_within.as_secs().max(1));
        self.create(name, tenant, Wanted { service: service.clone(), body, networks: Vec::new() }).await?;
        let healthy = self.inside(name).until_healthy(std::slice::from_ref(service), &mut watch).await;
        healthy.map_err(|fault| failed(tenant, fault))?;
        // While it makes its files, a server answers inside its container and not yet at its port; then it starts again.
        let address = self.address_in_trial(name, service).await.map_err(|fault| failed(tenant, fault))?;
        while TcpStream::connect((address.as_str(), *port)).await.is_err() {
            if since.elapsed() > *healthy_within {
                return Err(Fault::new(Code::TrialFailed).with("tenant", tenant).with(
                    "problem",
                    format!(
                        "its own {service} did not answer at port {port} within {} s",
                        healthy_within.as_secs()
                    ),
                ));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
