//! Waiting until services are healthy, and knowing at once when they will not be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bollard::models::ContainerInspectResponse;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Health, ServiceName, ServiceState};
use jiff::Timestamp;

use crate::observe::{Containers, health_of, restarts, started_at, state_of};
use crate::runtime::ComposeRuntime;

/// How long a service without a health check must run before it counts as started.
const SETTLED: Duration = Duration::from_secs(3);

/// How often the engine is asked.
const POLL: Duration = Duration::from_millis(300);

/// How many lines of a service's output go with its fault.
const LAST_LINES: usize = 15;

/// The containers as they were before something was done: what is unhealthy since then is unhealthy because of it.
struct Before(BTreeMap<String, Option<Timestamp>>);

impl Before {
    fn of(containers: &Containers) -> Self {
        let known = containers.values().flatten();
        Self(known.filter_map(|container| Some((container.id.clone()?, started_at(container)))).collect())
    }

    /// Whether a container was started since then, by us or by the engine.
    fn is_fresh(&self, container: &ContainerInspectResponse) -> bool {
        container.id.as_ref().and_then(|id| self.0.get(id)).is_none_or(|at| *at != started_at(container))
    }
}

/// One wait, of which several groups of services may have a part.
pub(crate) struct Watch {
    before: Before,
    deadline: Instant,
    /// What a fault says that the services had.
    seconds: u64,
    /// Since when each start of a container is known.
    first_seen: BTreeMap<(String, Option<Timestamp>), Instant>,
}

impl Watch {
    /// A wait that begins now.
    pub(crate) fn new(containers_before: &Containers, seconds: u64) -> Self {
        Self {
            before: Before::of(containers_before),
            deadline: Instant::now() + Duration::from_secs(seconds),
            seconds,
            first_seen: BTreeMap::new(),
        }
    }
}

enum Standing {
    Good,
    /// Not yet; what it is now.
    Waiting(String),
    /// It will not become good by itself.
    Bad(String),
}

impl ComposeRuntime {
    /// Waits until services are healthy.
    pub(crate) async fn until_healthy(&self, services: &[ServiceName], watch: &mut Watch) -> Result<()> {
        let Watch { before, deadline, seconds, first_seen } = watch;
        let (deadline, seconds) = (*deadline, *seconds);
        loop {
            let containers = self.containers().await?;
            let mut waiting = None;
            for service in services {
                let found = containers.get(service.as_str()).map_or(&[][..], Vec::as_slice);
                let mut standings: Vec<Standing> = found
                    .iter()
                    .map(|container| {
                        let key = (container.id.clone().unwrap_or_default(), started_at(container));
                        let since = *first_seen.entry(key).or_insert_with(Instant::now);
                        standing(container, before, since.elapsed())
                    })
                    .collect();
                if standings.is_empty() {
                    standings.push(Standing::Waiting("absent".to_owned()));
                }
                for standing in standings {
                    match standing {
                        Standing::Good => {}
                        Standing::Waiting(found) => waiting = Some((service, found)),
                        Standing::Bad(found) => return Err(self.unhealthy(service, seconds, &found).await),
                    }
                }
            }
            match waiting {
                None => return Ok(()),
                Some((service, found)) if Instant::now() >= deadline => {
                    return Err(self.unhealthy(service, seconds, &found).await);
                }
                Some(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn unhealthy(&self, service: &ServiceName, seconds: u64, found: &str) -> Fault {
        let fault = Fault::new(Code::ServiceUnhealthy)
            .with("service", service)
            .with("seconds", seconds)
            .with("found", found);
        let lines = self.read_logs(std::slice::from_ref(service), Timestamp::UNIX_EPOCH, LAST_LINES).await;
        lines.unwrap_or_default().into_iter().fold(fault, |fault, line| fault.because(line.text))
    }
}

fn standing(container: &ContainerInspectResponse, before: &Before, seen_for: Duration) -> Standing {
    let fresh = before.is_fresh(container);
    // A start by hand sets the count to 0; restarts of long ago stand on a container that was not started since.
    if fresh && restarts(container) > 0 {
        return Standing::Bad("restarting over and over".to_owned());
    }
    match (state_of(container), health_of(container)) {
        (ServiceState::Restarting, _) => Standing::Bad("restarting over and over".to_owned()),
        (ServiceState::Exited, _) => {
            let code = container.state.as_ref().and_then(|state| state.exit_code).unwrap_or_default();
            Standing::Bad(format!("exited with code {code}"))
        }
        (ServiceState::Absent, _) => Standing::Waiting("not started".to_owned()),
        (ServiceState::Running, Health::Healthy) => Standing::Good,
        (ServiceState::Running, Health::Starting) => Standing::Waiting("starting".to_owned()),
        (ServiceState::Running, Health::Unhealthy) if fresh => Standing::Bad("unhealthy".to_owned()),
        // It was unhealthy before, perhaps because of what was stopped; it gets its time.
        (ServiceState::Running, Health::Unhealthy) => Standing::Waiting("unhealthy".to_owned()),
        (ServiceState::Running, Health::None) if !fresh || seen_for >= SETTLED => Standing::Good,
        (ServiceState::Running, Health::None) => {
            Standing::Waiting("running for less than three seconds".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{
        ContainerState, ContainerStateStatusEnum, Health as EngineHealth, HealthStatusEnum,
    };

    use super::*;

    fn container(
        status: ContainerStateStatusEnum,
        health: Option<HealthStatusEnum>,
        count: i64,
    ) -> ContainerInspectResponse {
        ContainerInspectResponse {
            id: Some("one".into()),
            restart_count: Some(count),
            state: Some(ContainerState {
                status: Some(status),
                started_at: Some("2026-01-02T03:04:05Z".into()),
                health: health.map(|status| EngineHealth { status: Some(status), ..Default::default() }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn judged(container: &ContainerInspectResponse, before: &Before, seconds: u64) -> &'static str {
        match standing(container, before, Duration::from_secs(seconds)) {
            Standing::Good => "good",
            Standing::Waiting(_) => "waiting",
            Standing::Bad(_) => "bad",
        }
    }

    #[test]
    fn a_service_without_a_check_must_stay_up() {
        let nothing = Before(BTreeMap::new());
        let running = container(ContainerStateStatusEnum::RUNNING, None, 0);
        assert_eq!(judged(&running, &nothing, 1), "waiting");
        assert_eq!(judged(&running, &nothing, 3), "good");
        let known = Before::of(&Containers::from([("web".into(), vec![running.clone()])]));
        assert_eq!(judged(&running, &known, 0), "good");
    }

    #[test]
    fn what_restarts_or_ends_is_bad_at_once() {
        let nothing = Before(BTreeMap::new());
        assert_eq!(judged(&container(ContainerStateStatusEnum::RUNNING, None, 1), &nothing, 9), "bad");
        assert_eq!(judged(&container(ContainerStateStatusEnum::RESTARTING, None, 0), &nothing, 0), "bad");
        assert_eq!(judged(&container(ContainerStateStatusEnum::EXITED, None, 0), &nothing, 0), "bad");
        let old = container(ContainerStateStatusEnum::RUNNING, None, 4);
        let known = Before::of(&Containers::from([("web".into(), vec![old.clone()])]));
        assert_eq!(judged(&old, &known, 0), "good", "restarts of last week are no news");
    }

    #[test]
    fn a_check_decides_where_there_is_one() {
        let nothing = Before(BTreeMap::new());
        let with = |status| container(ContainerStateStatusEnum::RUNNING, Some(status), 0);
        assert_eq!(judged(&with(HealthStatusEnum::STARTING), &nothing, 60), "waiting");
        assert_eq!(judged(&with(HealthStatusEnum::HEALTHY), &nothing, 0), "good");
        assert_eq!(judged(&with(HealthStatusEnum::UNHEALTHY), &nothing, 0), "bad");
        let known = Before::of(&Containers::from([("web".into(), vec![with(HealthStatusEnum::UNHEALTHY)])]));
        assert_eq!(judged(&with(HealthStatusEnum::UNHEALTHY), &known, 0), "waiting");
    }
}
