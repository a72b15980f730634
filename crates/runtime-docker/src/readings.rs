//! What services say and use: log lines and resource samples.

use bollard::container::LogOutput;
use bollard::models::{ContainerCpuStats, ContainerInspectResponse, ContainerStatsResponse};
use bollard::query_parameters::{LogsOptionsBuilder, StatsOptionsBuilder};
use eclusa_fault::Result;
use eclusa_model::{ServiceName, ServiceState};
use eclusa_ports::{LineSplitter, LogLine, ServiceStats};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::engine::is_missing;
use crate::observe::state_of;
use crate::runtime::ComposeRuntime;

impl ComposeRuntime {
    pub(crate) async fn read_logs(
        &self,
        services: &[ServiceName],
        since: Timestamp,
        most: usize,
    ) -> Result<Vec<LogLine>> {
        let containers = self.containers().await?;
        let wanted = services.iter().flat_map(|service| {
            containers.get(service.as_str()).into_iter().flatten().map(move |container| (service, container))
        });
        let read = try_join_all(
            wanted.map(|(service, container)| self.container_logs(service, container, since, most)),
        );
        let mut lines: Vec<LogLine> = read.await?.into_iter().flatten().collect();
        lines.sort_by_key(|line| line.at);
        let surplus = lines.len().saturating_sub(most);
        lines.drain(..surplus);
        Ok(lines)
    }

    async fn container_logs(
        &self,
        service: &ServiceName,
        container: &ContainerInspectResponse,
        since: Timestamp,
        most: usize,
    ) -> Result<Vec<LogLine>> {
        let id = container.id.clone().unwrap_or_default();
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .since(i32::try_from(since.as_second().max(0)).unwrap_or(i32::MAX))
            .tail(&most.to_string())
            .build();
        let mut output = self.engine.docker().await?.logs(&id, Some(options));
        let mut lines = Vec::new();
        // The two outputs come in frames; a line never spans both.
        let mut splitters = [LineSplitter::new(), LineSplitter::new()];
        while let Some(chunk) = output.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) if is_missing(&error) => break,
                Err(error) => return Err(self.engine.fault("reading logs", &error)),
            };
            let [out, err] = &mut splitters;
            let splitter = if matches!(chunk, LogOutput::StdErr { .. }) { err } else { out };
            splitter.push(&chunk.into_bytes(), &mut |text| lines.extend(stamped(service, text)));
        }
        for splitter in &mut splitters {
            splitter.finish(&mut |text| lines.extend(stamped(service, text)));
        }
        // The engine takes whole seconds.
        lines.retain(|line| line.at >= since);
        Ok(lines)
    }

    pub(crate) async fn read_stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        let containers = self.containers().await?;
        let read = services.iter().map(|service| async {
            let running = containers
                .get(service.as_str())
                .into_iter()
                .flatten()
                .filter(|container| state_of(container) == ServiceState::Running);
            let samples = try_join_all(running.map(|container| self.container_stats(container))).await?;
            let mut samples = samples.into_iter().flatten().peekable();
            if samples.peek().is_none() {
                return Ok(None);
            }
            let (cpu, memory_bytes) =
                samples.fold((0.0, 0), |(cpu, bytes), sample| (cpu + sample.0, bytes + sample.1));
            Ok(Some(ServiceStats { service: service.clone(), cpu, memory_bytes }))
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    /// Share of a core and bytes of memory. The engine takes two readings a second apart.
    async fn container_stats(&self, container: &ContainerInspectResponse) -> Result<Option<(f64, u64)>> {
        let id = container.id.clone().unwrap_or_default();
        let options = StatsOptionsBuilder::new().stream(false).one_shot(false).build();
        let mut output = self.engine.docker().await?.stats(&id, Some(options));
        match output.next().await {
            Some(Ok(sample)) => Ok(Some((cpu_share(&sample), memory(&sample)))),
            Some(Err(error)) if !is_missing(&error) => Err(self.engine.fault("reading stats", &error)),
            _ => Ok(None),
        }
    }
}

/// A line that begins with its time.
fn stamped(service: &ServiceName, line: &str) -> Option<LogLine> {
    let (at, text) = line.split_once(' ').unwrap_or((line, ""));
    Some(LogLine { at: at.parse().ok()?, service: service.clone(), text: text.to_owned() })
}

#[allow(clippy::cast_precision_loss)]
fn cpu_share(sample: &ContainerStatsResponse) -> f64 {
    let total = |stats: &Option<ContainerCpuStats>| {
        stats
            .as_ref()
            .and_then(|stats| stats.cpu_usage.as_ref())
            .and_then(|usage| usage.total_usage)
            .unwrap_or(0)
    };
    let system = |stats: &Option<ContainerCpuStats>| {
        stats.as_ref().and_then(|stats| stats.system_cpu_usage).unwrap_or(0)
    };
    let used = total(&sample.cpu_stats).saturating_sub(total(&sample.precpu_stats)) as f64;
    let passed = system(&sample.cpu_stats).saturating_sub(system(&sample.precpu_stats)) as f64;
    let cores = sample.cpu_stats.as_ref().and_then(|stats| stats.online_cpus).unwrap_or(1).max(1);
    if passed > 0.0 { used / passed * f64::from(cores) } else { 0.0 }
}

/// Memory without what the kernel can drop at once, as `docker stats` counts it.
fn memory(sample: &ContainerStatsResponse) -> u64 {
    let Some(memory) = &sample.memory_stats else { return 0 };
    let cache = memory.stats.as_ref().and_then(|stats| {
        // The first name is that of control groups version 1, the second that of version 2.
        stats.get("total_inactive_file").or_else(|| stats.get("inactive_file"))
    });
    memory.usage.unwrap_or(0).saturating_sub(cache.copied().unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bollard::models::{ContainerCpuUsage, ContainerMemoryStats};

    use super::*;

    fn cpu(total: u64, system: u64) -> Option<ContainerCpuStats> {
        Some(ContainerCpuStats {
            cpu_usage: Some(ContainerCpuUsage { total_usage: Some(total), ..Default::default() }),
            system_cpu_usage: Some(system),
            online_cpus: Some(2),
            ..Default::default()
        })
    }

    #[test]
    fn the_share_is_of_one_core() {
        let sample = ContainerStatsResponse {
            cpu_stats: cpu(1_500_000_000, 12_000_000_000),
            precpu_stats: cpu(500_000_000, 10_000_000_000),
            memory_stats: Some(ContainerMemoryStats {
                usage: Some(1000),
                stats: Some([("inactive_file".to_owned(), 300)].into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert!((cpu_share(&sample) - 1.0).abs() < 1e-9);
        assert_eq!(memory(&sample), 700);
        assert!(cpu_share(&ContainerStatsResponse::default()).abs() < 1e-9);
    }

    #[test]
    fn a_line_gives_its_time() {
        let service = ServiceName::new("web").unwrap();
        let line = stamped(&service, "2026-01-02T03:04:05.123456789Z GET / 200").unwrap();
        assert_eq!(line.text, "GET / 200");
        assert_eq!(line.at.to_string(), "2026-01-02T03:04:05.123456789Z");
        assert!(stamped(&service, "no time here").is_none());
    }
}
