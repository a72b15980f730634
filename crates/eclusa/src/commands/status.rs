//! `eclusa status`: what runs, which release, health, last backup, last proof, disk.

use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::status::{self, Severity, Status as StackStatus, TenantSafety};
use eclusa_fault::{Message, Result};
use eclusa_model::{Health, ServiceState};
use eclusa_report::bytes_text;
use jiff::Timestamp;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, GREEN, RED, YELLOW, say};

/// The arguments.
#[derive(Debug, Args)]
pub struct Status {}

impl Status {
    /// Shows it; ends with 1 when something is wrong.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let status = status::of(&assembly).await?;
        let wrong = status.troubles.iter().any(|trouble| trouble.severity == Severity::Problem);
        let exit = if wrong { Exit::Failure } else { Exit::Ok };
        if session.json() {
            say(serde_json::to_string(&status).unwrap_or_default());
            return Ok(exit);
        }
        show(session, &status);
        Ok(exit)
    }
}

fn show(session: &Session, status: &StackStatus) {
    let observation = &status.observation;
    let release = observation.release.as_ref().map_or("–", |release| release.name.as_str());
    say(format!(
        "{BOLD}{}{BOLD:#}  {:?} on {:?}, release {BOLD}{release}{BOLD:#}",
        observation.stack, observation.app, observation.runtime
    ));
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["service", "role", "state", "release", "since", "restarts"]);
    for service in &observation.services {
        let state = match (service.state, service.health) {
            (ServiceState::Running, Health::Healthy) => "healthy".to_owned(),
            (ServiceState::Running, Health::None) => "running".to_owned(),
            (ServiceState::Running, health) => format!("{health:?}").to_lowercase(),
            (state, _) => format!("{state:?}").to_lowercase(),
        };
        table.add_row([
            service.name.to_string(),
            format!("{:?}", service.role).to_lowercase(),
            state,
            service.release.clone().unwrap_or_else(|| "–".to_owned()),
            service.started_at.map_or_else(|| "–".to_owned(), ago),
            service.restarts.to_string(),
        ]);
    }
    say(table);
    tenants(status);
    for disk in &observation.disks {
        let percent = disk.free_bytes.saturating_mul(100).checked_div(disk.total_bytes).unwrap_or(0);
        let free = bytes_text(disk.free_bytes);
        let text = Message::new("status-disk")
            .with("purpose", &disk.purpose)
            .with("free", free)
            .with("percent", percent);
        say(text.with("path", &disk.path).render(&session.language));
    }
    if let Some(run) = &status.open_run {
        let text = Message::new("status-run").with("run", &run.run).with("intent", &run.intent);
        say(format!("{YELLOW}{}{YELLOW:#}", text.render(&session.language)));
        for (step, headway) in &run.headway {
            let headway = eclusa_report::headway_text(headway, &session.language);
            let text = Message::new("status-headway").with("step", step).with("headway", headway);
            say(format!("  {}", text.render(&session.language)));
        }
    }
    troubles(session, status);
}

fn tenants(status: &StackStatus) {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["tenant", "gate", "database", "size", "last backup", "last proof", "restore took"]);
    for tenant in &status.observation.tenants {
        let name = &tenant.tenant.name;
        let gate = status.observation.edge.as_ref().and_then(|edge| edge.gates.get(name)).cloned();
        let safety = status.safety.iter().find(|safety| safety.tenant == *name);
        table.add_row([
            name.to_string(),
            gate.unwrap_or_else(|| "no edge".to_owned()),
            tenant.database_version.clone().unwrap_or_else(|| "does not answer".to_owned()),
            tenant.database_bytes.map_or_else(|| "–".to_owned(), bytes_text),
            safety.map_or_else(|| "never".to_owned(), backed_up),
            safety.and_then(|safety| safety.proved_at).map_or_else(|| "never".to_owned(), ago),
            safety
                .and_then(|safety| safety.restore_milliseconds)
                .map_or_else(|| "–".to_owned(), eclusa_report::duration_text),
        ]);
    }
    say(table);
}

/// What is wrong, each with what to type; or that nothing is.
pub fn troubles(session: &Session, status: &StackStatus) {
    if status.troubles.is_empty() {
        say(format!("{GREEN}{}{GREEN:#}", Message::new("status-well").render(&session.language)));
    }
    for trouble in &status.troubles {
        let style = if trouble.severity == Severity::Problem { RED } else { YELLOW };
        say(format!("{style}{}{style:#}", trouble.text.render(&session.language)));
        if let Some(repair) = &trouble.repair {
            say(format!("  Next:  {}", repair.render(&session.language)));
        }
    }
}

/// When the newest restore point was taken, and whether the server's log has what was written since.
fn backed_up(safety: &TenantSafety) -> String {
    let taken = safety.taken_at.map_or_else(|| "never".to_owned(), ago);
    if safety.moments_since.is_some() { format!("{taken}, log since") } else { taken }
}

fn ago(at: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(at).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        7200..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
