//! `eclusa erase`: destroys every copy of a tenant that Eclusa made, and certifies it.

use clap::Args;
use eclusa_control::erasure::{self, Erasure, Fate};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_report::bytes_text;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{self, BOLD, RED, YELLOW, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Erase {
    /// The tenant.
    tenant: TenantName,
    /// Why, for the certificate.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Also while the configuration names the tenant.
    #[arg(long)]
    still_configured: bool,
    /// Show what would go where, and do nothing.
    #[arg(long)]
    plan: bool,
    /// Do not ask whether to go on; together with `--confirm` only.
    #[arg(long, short = 'y', requires = "confirm")]
    yes: bool,
    /// The tenant's name once more, instead of typing it when asked.
    #[arg(long, value_name = "TENANT", requires = "yes")]
    confirm: Option<TenantName>,
}

impl Erase {
    /// Shows, asks twice, destroys, certifies.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let wanted = erasure::Wanted {
            by: session.person()?.to_string(),
            reason: self.reason.clone(),
            although_configured: self.still_configured,
        };
        let plan = erasure::look(&assembly, &self.tenant, &wanted).await?;
        if self.plan {
            if session.json() {
                say(serde_json::to_string(&plan).unwrap_or_default());
            } else {
                show(session, &plan);
            }
            return Ok(Exit::Ok);
        }
        if !session.json() {
            show(session, &plan);
        }
        if !self.agreed(session)? {
            tell(Message::new("erase-declined").render(&session.language));
            return Ok(Exit::NoGo);
        }
        let (done, certificate) = erasure::carry_out(&assembly, plan).await?;
        if session.json() {
            say(serde_json::to_string(&done).unwrap_or_default());
        } else {
            self.tell_done(session, &done, &certificate);
        }
        Ok(if done.complete { Exit::Ok } else { Exit::Hold })
    }

    fn agreed(&self, session: &Session) -> Result<bool> {
        if let Some(name) = &self.confirm {
            return Ok(*name == self.tenant);
        }
        if !terminal::is_interactive() {
            let hint = Message::new("hint-erase-yes").with("tenant", &self.tenant);
            return Err(Fault::new(Code::EraseRefused)
                .with("tenant", &self.tenant)
                .with("problem", "nobody is here to agree")
                .hint(hint));
        }
        let text = |id: &str| Message::new(id).with("tenant", &self.tenant).render(&session.language);
        if !terminal::confirm(&text("erase-confirm")) {
            return Ok(false);
        }
        Ok(terminal::ask(&text("erase-type")).is_some_and(|typed| typed == self.tenant.as_str()))
    }

    fn tell_done(&self, session: &Session, done: &Erasure, certificate: &std::path::Path) {
        let text = |id: &str| {
            let left: Vec<String> = done.left().map(|place| erasure::place_name(&place.place)).collect();
            Message::new(id)
                .with("tenant", &self.tenant)
                .with("places", left.join(", "))
                .with("path", certificate.display())
                .render(&session.language)
        };
        let id = if done.complete { "erase-done" } else { "erase-left" };
        tell(format!("{BOLD}{}{BOLD:#}", text(id)));
        if done.has_readers() {
            tell(format!("{YELLOW}{}{YELLOW:#}", text("erase-readers")));
        }
        tell(text("erase-certificate"));
    }
}

fn show(session: &Session, plan: &Erasure) {
    let text = |id: &str| Message::new(id).with("tenant", &plan.tenant).render(&session.language);
    say(format!("{BOLD}{}{BOLD:#}", text("erase-title")));
    say(text("erase-keys"));
    for place in &plan.places {
        let location = place.location.as_deref().unwrap_or("?");
        let what = match &place.fate {
            Fate::Waiting => {
                let id = Message::new("erase-place-goes").with("files", place.files);
                id.with("bytes", bytes_text(place.bytes)).render(&session.language)
            }
            Fate::Nothing => text("erase-place-nothing"),
            Fate::Destroyed => text("erase-place-gone"),
            Fate::Left { problem } => {
                let stays = Message::new("erase-place-stays").with("problem", problem);
                format!("{RED}{}{RED:#}", stays.render(&session.language))
            }
        };
        say(format!("  {} ({location}): {what}", erasure::place_name(&place.place)));
    }
    for one in &plan.asides {
        let goes = Message::new("erase-aside-goes").with("database", &one.database);
        say(format!("  {}", goes.render(&session.language)));
    }
    say(text("erase-customizations"));
    say(format!("{BOLD}{}{BOLD:#}", text("erase-title-readers")));
    erasure::readers(plan).iter().for_each(|line| say(format!("  {line}")));
    say(format!("{BOLD}{}{BOLD:#}", text("erase-title-stays")));
    erasure::not_touched(plan).iter().for_each(|line| say(format!("  {line}")));
}
