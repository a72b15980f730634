//! From a plan to a followed run: shown, agreed to, begun, handed to its own process, followed.

use std::path::PathBuf;

use clap::Args;
use eclusa_control::Assembly;
use eclusa_control::auditing;
use eclusa_control::planning::{self, PlanOptions};
use eclusa_control::running::{self, Begin};
use eclusa_control::saved_plan::SavedPlan;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_report::{Line, LineKind, NarrationOptions, narrate_plan};
use eclusa_runbook::{Intent, Plan};

use crate::commands::Session;
use crate::exit::Exit;
use crate::follow::follow;
use crate::terminal::{self, BOLD, CYAN, DIM, YELLOW, say, tell};

/// The arguments of every command that begins a run.
#[derive(Debug, Clone, Default, Args)]
pub struct Performance {
    /// Do not ask whether to go on.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Do not follow the run; print its id and end.
    #[arg(long)]
    pub detach: bool,
    /// Why it cannot wait for the maintenance window.
    #[arg(long, value_name = "REASON")]
    pub outside_window: Option<String>,
}

/// Plans an intent, or takes a saved plan, and carries it out.
pub async fn perform(
    session: &Session,
    assembly: &Assembly,
    intent: &Intent,
    options: PlanOptions,
    saved: Option<PathBuf>,
    how: &Performance,
) -> Result<Exit> {
    // Said before anything is planned or asked: what is under way moves the stack.
    running::check_alone(assembly).await?;
    auditing::gate(&assembly.stack, intent).await?;
    let plan = match saved {
        Some(path) => read_saved(&path, intent)?,
        None => planning::make(assembly, intent, options).await?,
    };
    if !session.json() {
        show(session, &plan, true);
        if let Some(trouble) = auditing::of_stack(&assembly.stack).await {
            let text = |message: &Message| message.render(&session.language);
            tell(format!("{YELLOW}{}{YELLOW:#}", text(&trouble.text)));
            trouble.repair.iter().for_each(|repair| tell(format!("  Next:  {}", text(repair))));
        }
    }
    if !how.yes {
        if !terminal::is_interactive() {
            return Err(Fault::new(Code::RunState)
                .with("run", "of this plan")
                .with("problem", "was not begun: nobody is here to agree")
                .hint(Message::new("hint-yes")));
        }
        if !terminal::confirm(&Message::new("perform-confirm").render(&session.language)) {
            tell(Message::new("perform-declined").render(&session.language));
            return Ok(Exit::NoGo);
        }
    }
    let begin = Begin { by: session.person()?, outside_window: how.outside_window.clone() };
    let run = running::begin(assembly, plan, begin).await?;
    running::spawn_runner(assembly, &run, None)?;
    if how.detach {
        say(&run);
        return Ok(Exit::Ok);
    }
    follow(assembly, &run, &session.language, session.json()).await
}

fn read_saved(path: &std::path::Path, intent: &Intent) -> Result<Plan> {
    let plan = SavedPlan::read(path)?;
    if plan.intent != *intent {
        let to = plan.to.as_ref().map_or("", |release| release.name.as_str());
        let problem = format!("it is for something else: {} {to}", plan.intent.word());
        return Err(Fault::new(Code::PlanInvalid).with("path", path.display()).with("problem", problem));
    }
    Ok(plan)
}

/// Prints a plan as it is told.
pub fn show(session: &Session, plan: &Plan, steps: bool) {
    let options = NarrationOptions {
        width: terminal::width().min(110),
        show_steps: steps,
        ..NarrationOptions::default()
    };
    for line in narrate_plan(plan, &session.language, &options) {
        say(painted(&line));
    }
}

fn painted(line: &Line) -> String {
    let indent = " ".repeat(line.indent);
    let text = &line.text;
    match line.kind {
        LineKind::Headline => format!("{indent}{BOLD}{text}{BOLD:#}"),
        LineKind::Phase => format!("{indent}{CYAN}{text}{CYAN:#}"),
        LineKind::Remark => format!("{indent}{YELLOW}{text}{YELLOW:#}"),
        LineKind::Undo => format!("{indent}{DIM}{text}{DIM:#}"),
        _ => format!("{indent}{text}"),
    }
}
