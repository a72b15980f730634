//! `eclusa logs`: what the services said lately, all of them in one order, without secrets.

use clap::Args;
use eclusa_config::Period;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{ServiceName, ServiceRole};
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
}

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
        // Errors may be few among many.
        let most = if self.errors { self.lines.max(20_000) } else { self.lines };
        let mut lines = assembly.ports.runtime.logs(&chosen, since, most).await?;
        let rule = log_rule(&assembly.stack);
        if self.errors {
            lines.retain(|line| rule.counts(&line.text));
        }
        let from = lines.len().saturating_sub(self.lines);
        let secrets = &assembly.ports.secrets;
        for line in lines.iter().skip(from) {
            let text = secrets.redact(&line.text);
            if session.json() {
                say(
                    json!({"at": line.at, "service": line.service, "text": text, "error": rule.counts(&line.text)}),
                );
                continue;
            }
            let at = line.at.to_zoned(TimeZone::system()).strftime("%m-%d %H:%M:%S");
            let shown = if rule.counts(&line.text) { format!("{RED}{text}{RED:#}") } else { text };
            say(format!("{DIM}{at} {}{DIM:#} {shown}", line.service));
        }
        if lines.is_empty() && !session.json() {
            let text = Message::new("logs-none").with("since", self.since.to_string());
            tell(text.render(&session.language));
        }
        Ok(Exit::Ok)
    }
}
