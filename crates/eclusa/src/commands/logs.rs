//! `eclusa logs`: what the services said lately, all of them in one order, without secrets.

use clap::Args;
use eclusa_config::Period;
use eclusa_control::tenant_log::{self, Entry};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{ServiceName, ServiceRole, TenantName};
use eclusa_planner::log_rule;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{DIM, RED, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Logs {
    /// The services; all that run the application, and the frontend, when none is named.
    services: Vec<ServiceName>,
    /// How far back.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = Period::parse)]
    since: Period,
    /// The most lines; the newest are shown.
    #[arg(long, value_name = "N", default_value_t = 500)]
    lines: usize,
    /// Only lines that count as errors, by the patterns of the stack's `logs`.
    #[arg(long)]
    errors: bool,
    /// Only what is about this tenant: lines that name it or a domain of its, and its own log files.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantName>,
}

/// The most lines that are looked through for few.
const LOOKED_THROUGH: usize = 20_000;

impl Logs {
    /// Prints them, oldest first.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let observed = assembly.ports.runtime.observe().await?;
        let known: Vec<&ServiceName> = observed.services.iter().map(|service| &service.name).collect();
        if let Some(unknown) = self.services.iter().find(|name| !known.contains(name)) {
            let known: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            return Err(Fault::new(Code::ServiceMissing)
                .with("service", unknown)
                .with("known", known.join(", ")));
        }
        let runs_code = |role| {
            matches!(
                role,
                ServiceRole::Web | ServiceRole::Worker | ServiceRole::Scheduler | ServiceRole::Frontend
            )
        };
        let chosen: Vec<ServiceName> = match self.services.is_empty() {
            true => observed
                .services
                .iter()
                .filter(|service| runs_code(service.role))
                .map(|service| service.name.clone())
                .collect(),
            false => self.services.clone(),
        };
        let back = SignedDuration::try_from(self.since.as_duration()).unwrap_or(SignedDuration::MAX);
        let since = assembly.ports.clock.now().checked_sub(back).unwrap_or(jiff::Timestamp::MIN);
        // What is wanted may be little among much.
        let sifted = self.errors || self.tenant.is_some();
        let most = if sifted { self.lines.max(LOOKED_THROUGH) } else { self.lines };
        let tenant = self.tenant.as_ref().map(|name| assembly.tenant(name)).transpose()?;
        let mut entries = tenant_log::entries(&assembly, &chosen, since, most, tenant).await?;
        let rule = log_rule(&assembly.stack);
        let counts = |entry: &Entry| entry.text.lines().any(|line| rule.counts(line));
        if self.errors {
            entries.retain(counts);
        }
        let from = entries.len().saturating_sub(self.lines);
        let secrets = &assembly.ports.secrets;
        for entry in entries.iter().skip(from) {
            let text = secrets.redact(&entry.text);
            if session.json() {
                let of = if entry.is_file { "file" } else { "service" };
                say(json!({"at": entry.at, of: entry.from, "text": text, "error": counts(entry)}));
                continue;
            }
            let at = entry.at.to_zoned(TimeZone::system()).strftime("%m-%d %H:%M:%S");
            let shown = if counts(entry) { format!("{RED}{text}{RED:#}") } else { text };
            say(format!("{DIM}{at} {}{DIM:#} {shown}", entry.from));
        }
        if entries.is_empty() && !session.json() {
            let text = match &self.tenant {
                Some(tenant) => Message::new("logs-none-about").with("tenant", tenant),
                None => Message::new("logs-none"),
            };
            tell(text.with("since", self.since.to_string()).render(&session.language));
        }
        Ok(Exit::Ok)
    }
}
