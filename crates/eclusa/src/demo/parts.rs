//! The parts of the demo, in order. Each does what an operator would type and looks at how it ended.

use std::time::Duration;

use eclusa_control::history;
use eclusa_control::planning::{self, PlanOptions, rollback_intent};
use eclusa_control::running::{self, Begin};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{RunId, TenantName};
use eclusa_ports::{ApplyContext, NoOutput};
use eclusa_runbook::{Intent, Outputs, Progress, RuntimeOperation};

use super::Stage;
use crate::commands::report::{Form, rendered};
use crate::commands::restore::point_of;
use crate::exit::Exit;
use crate::follow::follow;
use crate::perform::{Performance, perform, show};
use crate::terminal::{BOLD, CYAN, say};

fn heading(stage: &Stage, id: &str) {
    let text = Message::new(id).render(&stage.session.language);
    say(format!("\n{CYAN}━━━ {BOLD}{text}{BOLD:#}"));
}

async fn typed(stage: &Stage, intent: Intent, options: PlanOptions) -> Result<Exit> {
    let how = Performance { yes: true, ..Performance::default() };
    perform(&stage.session, &stage.assembly, &intent, options, None, &how).await
}

/// As [`typed`], without the steps of the plan.
async fn quietly(stage: &Stage, intent: Intent, options: PlanOptions) -> Result<Exit> {
    let plan = planning::make(&stage.assembly, &intent, options).await?;
    show(&stage.session, &plan, false);
    let run = begin(stage, plan).await?;
    follow(&stage.assembly, &run, &stage.session.language, stage.session.json()).await
}

async fn begin(stage: &Stage, plan: eclusa_runbook::Plan) -> Result<RunId> {
    let how = Begin { by: stage.session.person()?, outside_window: None };
    let run = running::begin(&stage.assembly, plan, how).await?;
    running::spawn_runner(&stage.assembly, &run, None)?;
    Ok(run)
}

/// Lays v1, puts the edge in front, and takes a proved backup.
pub async fn open_the_shop(stage: &Stage) -> Result<()> {
    heading(stage, "demo-part-open");
    let assembly = &stage.assembly;
    let step = eclusa_model::StepName::new("demo")
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let context = ApplyContext {
        run: assembly.ports.holder.run.clone(),
        step,
        images: Outputs::new(),
        timeout: Duration::from_secs(60),
    };
    let web = eclusa_model::ServiceName::new("web")
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let release = eclusa_model::Release {
        name: "v1".to_owned(),
        source: eclusa_model::ReleaseSource::Directory {
            path: stage.directory.join("releases/v1").display().to_string(),
        },
        images: Default::default(),
    };
    let switch =
        RuntimeOperation::Switch { to: release, services: vec![web], start: true, healthy_within: 20 };
    assembly.ports.runtime.apply(&switch, &context, &NoOutput).await?;
    quietly(stage, Intent::EdgeInstall, PlanOptions::default()).await?;
    let options = PlanOptions { prove: true, ..PlanOptions::default() };
    quietly(stage, Intent::Backup { tenants: Vec::new() }, options).await.map(|_| ())
}

/// (1) v2 with a schema migration ends in go.
pub async fn schema_release(stage: &Stage) -> Result<bool> {
    heading(stage, "demo-part-schema");
    let exit = typed(stage, Intent::Release { to: "v2".to_owned() }, PlanOptions::default()).await?;
    reported(stage, "1-release-v2")?;
    Ok(exit == Exit::Ok)
}

/// (2) v3 passes its smoke tests and fails under traffic: the watch catches it. A healthy one ends in go.
pub async fn watched_release(stage: &Stage) -> Result<bool> {
    heading(stage, if stage.healthy { "demo-part-healthy" } else { "demo-part-bad" });
    let exit = quietly(stage, Intent::Release { to: "v3".to_owned() }, PlanOptions::default()).await?;
    reported(stage, "2-release-v3")?;
    if stage.healthy {
        // Back to v2, with the data, so that there is something to release in the next part.
        heading(stage, "demo-part-rollback");
        let back = rollback_intent(&stage.assembly, None)?;
        let back = quietly(stage, back, PlanOptions::default()).await?;
        reported(stage, "2-rollback-v2")?;
        return Ok(exit == Exit::Ok && back == Exit::Ok);
    }
    Ok(exit == Exit::NoGo)
}

/// (3) A release is killed in the middle of a migration, and resumed.
pub async fn killed_release(stage: &Stage) -> Result<bool> {
    heading(stage, "demo-part-killed");
    let assembly = &stage.assembly;
    let intent = Intent::Release { to: "v3".to_owned() };
    let plan = planning::make(assembly, &intent, PlanOptions::default()).await?;
    let run = begin(stage, plan).await?;
    wait_for_migration(stage, &run).await?;
    kill_runner(stage, &run)?;
    say(Message::new("demo-killed").with("run", &run).render(&stage.session.language));
    // As `eclusa resume` does it.
    while running::owner_lives(assembly, &run).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let id = running::to_resume(assembly, Some(run.clone())).await?;
    running::spawn_runner(assembly, &id, Some(&stage.session.person()?))?;
    let exit = follow(assembly, &run, &stage.session.language, stage.session.json()).await?;
    reported(stage, "3-killed-and-resumed")?;
    Ok(exit == Exit::NoGo || exit == Exit::Ok)
}

async fn wait_for_migration(stage: &Stage, run: &RunId) -> Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while tokio::time::Instant::now() < deadline {
        let state = history::replayed(stage.assembly.journal.as_ref(), run)?;
        let migrating = state.progress.iter().any(|(name, progress)| {
            name.as_str().starts_with("migrate.") && matches!(progress, Progress::Begun { .. })
        });
        if migrating {
            // Into the middle of it: a migration takes over a second.
            tokio::time::sleep(Duration::from_millis(600)).await;
            return Ok(());
        }
        if state.outcome.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Fault::new(Code::RunState)
        .with("run", run)
        .with("problem", "came to no migration in which it could be killed"))
}

/// The process that owns a run, as it noted itself.
fn runner_of(stage: &Stage, run: &RunId) -> Option<rustix::process::Pid> {
    let text =
        std::fs::read_to_string(stage.assembly.ports.outputs.join(run.as_str()).join("runner")).ok()?;
    let pid = text.split_whitespace().next()?.parse().ok()?;
    rustix::process::Pid::from_raw(pid)
}

fn kill_runner(stage: &Stage, run: &RunId) -> Result<()> {
    let pid = runner_of(stage, run).ok_or_else(|| {
        Fault::new(Code::RunState).with("run", run).with("problem", "has no runner to kill")
    })?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        .map_err(|error| Fault::new(Code::Internal).with("what", error))
}

/// Ends runners that are still at work, when the demo is ended early.
pub async fn end_runners(stage: &Stage) {
    let Ok(Some(run)) = history::unfinished(stage.assembly.journal.as_ref(), &stage.assembly.name) else {
        return;
    };
    if !running::owner_lives(&stage.assembly, &run.id).await {
        return;
    }
    if let Some(pid) = runner_of(stage, &run.id) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        for _ in 0..50 {
            if !running::owner_lives(&stage.assembly, &run.id).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// (4) One tenant's restore point is restored beside the live data and proved.
pub async fn restored_beside(stage: &Stage) -> Result<bool> {
    heading(stage, "demo-part-restore");
    let tenant = TenantName::new("alpha").map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let point = point_of(&stage.assembly, &tenant, None).await?;
    let intent = Intent::Restore {
        tenant,
        point,
        check_only: true,
        adapt: Default::default(),
        part: Default::default(),
        until: None,
        base: None,
    };
    let exit = quietly(stage, intent, PlanOptions::default()).await?;
    reported(stage, "4-restore-check")?;
    Ok(exit == Exit::Ok)
}

/// Only v3 and back, over and over: how often does it end as it should?
pub async fn rounds(stage: &Stage, rounds: u32) -> Result<Exit> {
    quietly(stage, Intent::Release { to: "v2".to_owned() }, PlanOptions::default()).await?;
    let mut good = 0;
    for round in 1..=rounds {
        say(format!("\n{BOLD}{round}/{rounds}{BOLD:#}"));
        let exit = quietly(stage, Intent::Release { to: "v3".to_owned() }, PlanOptions::default()).await?;
        if stage.healthy && exit == Exit::Ok {
            let back = rollback_intent(&stage.assembly, None)?;
            good += u32::from(quietly(stage, back, PlanOptions::default()).await? == Exit::Ok);
        } else {
            good += u32::from(!stage.healthy && exit == Exit::NoGo);
        }
    }
    say(Message::new("demo-rounds").with("good", good).with("all", rounds).render(&stage.session.language));
    Ok(if good == rounds { Exit::Ok } else { Exit::Failure })
}

/// Writes the report of the newest run.
fn reported(stage: &Stage, name: &str) -> Result<()> {
    use eclusa_ports::JournalStore;
    let directory = stage.directory.join("reports");
    let made = |error: std::io::Error| {
        Fault::new(Code::FileAccess)
            .with("path", directory.display())
            .with("operation", "written")
            .because(error)
    };
    std::fs::create_dir_all(&directory).map_err(made)?;
    let workspace = stage.session.workspace()?;
    if let Some(newest) = stage.assembly.journal.runs(None, 1)?.first() {
        let text = rendered(&workspace, &newest.run, Form::Html)?;
        std::fs::write(directory.join(format!("{name}.html")), text).map_err(made)?;
    }
    Ok(())
}
