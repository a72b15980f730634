//! `eclusa keys wrap`, `rewrap` and `unwrap`: the stack key, and what it wraps.

use eclusa_control::keys::{Keeper, Rewriting};
use eclusa_fault::{Fault, Message, Result};
use eclusa_model::TenantName;
use serde_json::json;

use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{YELLOW, say, tell};

/// Does it, and says of each tenant what was done.
pub(super) async fn run(
    session: &Session,
    keeper: &Keeper,
    tenants: &[TenantName],
    wanted: Rewriting<'_>,
) -> Result<Exit> {
    let language = &session.language;
    let (changed, already) = match wanted {
        Rewriting::Wrap => ("keys-wrapped", "keys-wrapped-already"),
        Rewriting::Rewrap(_) => ("keys-rewrapped", "keys-wrapped-already"),
        Rewriting::Unwrap(_) => ("keys-unwrapped", "keys-unwrapped-already"),
    };
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let result = keeper
        .rewrite(tenants, wanted, |tenant, found| match found {
            Ok(found) => {
                if !session.json() {
                    let id = if found.changed.is_empty() { already } else { changed };
                    let text = Message::new(id).with("tenant", tenant);
                    say(text.with("files", found.changed.join(", ")).render(language));
                }
                done.push(found.clone());
            }
            Err(fault) => {
                if !session.json() {
                    let text = Message::new("keys-rewriting-failed").with("tenant", tenant);
                    let text = text.with("problem", problem(fault, session)).render(language);
                    tell(format!("{YELLOW}{text}{YELLOW:#}"));
                }
                failed.push(json!({ "tenant": tenant, "fault": fault }));
            }
        })
        .await;
    if session.json() && (result.is_ok() || !failed.is_empty()) {
        say(json!({ "format": 1, "tenants": done, "failed": failed }));
    }
    if !session.json() && done.iter().any(|found| !found.changed.is_empty()) {
        let id = match wanted {
            Rewriting::Wrap => Some("keys-wrapped-honest"),
            Rewriting::Rewrap(_) => Some("keys-rewrapped-honest"),
            Rewriting::Unwrap(_) => keeper.has_stack_key().then_some("keys-unwrapped-next"),
        };
        id.into_iter().for_each(|id| tell(Message::new(id).render(language)));
    }
    result.map(|()| Exit::Ok)
}

fn problem(fault: &Fault, session: &Session) -> String {
    format!("{} {}", fault.code, fault.headline(&session.language))
}
