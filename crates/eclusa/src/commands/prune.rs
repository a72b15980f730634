//! `eclusa prune`: shows which restore points would go and why the others stay, and throws those away.

use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::planning::PlanOptions;
use eclusa_control::retention::{self, TenantDecided};
use eclusa_fault::{Language, Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_planner::Why;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::{BOLD, YELLOW, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Prune {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// At this mirror, by its own rules, instead of in the vault.
    #[arg(long, value_name = "MIRROR")]
    at: Option<String>,
    #[command(flatten)]
    how: Performance,
}

impl Prune {
    /// Shows, plans, asks and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let at = self.at.as_deref();
        let decided = match at {
            Some(mirror) => retention::decide_at(&assembly, &self.tenants, mirror).await?,
            None => retention::decide(&assembly, &self.tenants).await?,
        };
        if !session.json() {
            decided.iter().for_each(|tenant| show(tenant, &session.language));
        }
        // A tenant of whom nothing goes because something is damaged is no success, however much of the others goes.
        let unreadable = decided.iter().any(|tenant| !tenant.unreadable.is_empty());
        let intent = retention::intent(&decided, at);
        if matches!(&intent, Intent::Prune { points, .. } if points.is_empty()) {
            tell(Message::new("prune-nothing").render(&session.language));
            return Ok(if unreadable { Exit::NoGo } else { Exit::Ok });
        }
        let exit = perform(session, &assembly, &intent, PlanOptions::default(), None, &self.how).await?;
        Ok(if exit == Exit::Ok && unreadable { Exit::NoGo } else { exit })
    }
}

fn show(tenant: &TenantDecided, language: &Language) {
    say(format!("{BOLD}{}{BOLD:#}", tenant.tenant));
    let mut table = Table::new();
    table.load_preset(NOTHING);
    for decided in &tenant.points {
        let verdict = if decided.why.is_empty() {
            Message::new("prune-goes").render(language)
        } else {
            let why: Vec<String> = decided.why.iter().map(|why| reason(why).render(language)).collect();
            Message::new("prune-stays").with("why", why.join(", ")).render(language)
        };
        table.add_row([
            decided.point.id.as_ref().map(PointId::short).unwrap_or_default().to_owned(),
            decided.point.taken_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            decided.point.kind.word().to_owned(),
            verdict,
        ]);
    }
    say(table);
    if let Some(problem) = tenant.unreadable.first() {
        let text = Message::new("prune-unreadable").with("tenant", &tenant.tenant).with("problem", problem);
        tell(format!("{YELLOW}{}{YELLOW:#}", text.render(language)));
    }
}

fn reason(why: &Why) -> Message {
    match why {
        Why::Newest => Message::new("prune-why-newest"),
        Why::Proved => Message::new("prune-why-proved"),
        Why::Rollback => Message::new("prune-why-rollback"),
        Why::Run(run) => Message::new("prune-why-run").with("run", run),
        Why::Held(reason) => Message::new("prune-why-held").with("reason", reason),
        Why::Salvage => Message::new("prune-why-salvage"),
        Why::Last => Message::new("prune-why-last"),
        Why::NoRule => Message::new("prune-why-no-rule"),
        Why::Within => Message::new("prune-why-within"),
        Why::Hourly => Message::new("prune-why-hourly"),
        Why::Daily => Message::new("prune-why-daily"),
        Why::Weekly => Message::new("prune-why-weekly"),
        Why::Monthly => Message::new("prune-why-monthly"),
        Why::Yearly => Message::new("prune-why-yearly"),
    }
}
