//! `eclusa rehearse`: a release tried on restored copies of tenants, while everybody is served.

use clap::Args;
use eclusa_control::planning::{self, PlanOptions};
use eclusa_control::{Assembly, rehearsal};
use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use eclusa_report::{bytes_text, duration_text};
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::{GREEN, RED, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Rehearse {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: Performance,
}

/// What is tried.
#[derive(Debug, Args)]
pub struct What {
    /// The release: a tag, branch or commit, or an image tag.
    release: String,
    /// The tenants on whose copies it is tried; all when none is named.
    tenants: Vec<TenantName>,
}

impl What {
    /// As an intent: of each tenant its newest backup.
    pub async fn intent(self, assembly: &Assembly) -> Result<Intent> {
        rehearsal::intent(assembly, self.release, &self.tenants).await
    }
}

impl Rehearse {
    /// Plans and carries it out. Nothing live is touched, so nobody is asked.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let intent = self.what.intent(&assembly).await?;
        let how = Performance { yes: true, ..self.how };
        let detached = how.detach;
        let exit = perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await?;
        if !detached && !session.json() {
            tell_what_was_found(session, &assembly, &intent).await?;
        }
        Ok(exit)
    }
}

/// What the rehearsal says of the release, tenant by tenant.
async fn tell_what_was_found(session: &Session, assembly: &Assembly, intent: &Intent) -> Result<()> {
    let Some(found) = rehearsal::newest(assembly, intent)? else { return Ok(()) };
    // A plan knows how long each tenant will be closed, where every step of it was done before.
    let release = Intent::Release { to: found.release.name.clone() };
    let planned = planning::make(assembly, &release, PlanOptions::default()).await;
    let closed = |tenant: &TenantName| match &planned {
        Ok(plan) => plan.expected_downtime.get(tenant).copied().flatten(),
        Err(_) => None,
    };
    for tried in &found.tried {
        let id = match (tried.good, tried.way_back) {
            (false, _) => "rehearsed-bad",
            (true, Some(true)) => "rehearsed-back-code",
            (true, Some(false)) => "rehearsed-back-data",
            (true, None) => "rehearsed-good",
        };
        let time = |time: Option<u64>| time.map_or_else(|| "–".to_owned(), duration_text);
        let text = Message::new(id)
            .with("tenant", &tried.tenant)
            .with("release", &found.release.name)
            .with("migrated", time(tried.migrated))
            .with("closed", time(closed(&tried.tenant)))
            .with("bytes", tried.bytes.map_or_else(|| "–".to_owned(), bytes_text));
        let color = if tried.good { GREEN } else { RED };
        say(format!("{color}{}{color:#}", text.render(&session.language)));
    }
    let unknown = found.tried.iter().any(|tried| tried.good && closed(&tried.tenant).is_none());
    if unknown {
        tell(Message::new("rehearsed-closed-unknown").render(&session.language));
    }
    if found.tried.iter().all(|tried| tried.good) {
        tell(Message::new("rehearsed-next").with("release", &found.release.name).render(&session.language));
    }
    Ok(())
}
