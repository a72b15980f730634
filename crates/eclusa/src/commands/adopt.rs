//! `eclusa adopt`: looks at a Compose project, or at a bench on the host, and writes a commented `eclusa.toml` for it.

use std::path::PathBuf;

use clap::ValueEnum;
use eclusa_control::adopt::{self, Adopted, Certainty, Surroundings, Wanted};
use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_model::AppKind;
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, CYAN, DIM, GREEN, YELLOW, say, tell};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Adopt {
    /// The Compose files, in the order of `-f`; or the directory of a bench whose processes supervisor runs.
    #[arg(required = true, value_name = "COMPOSE_FILE|BENCH")]
    files: Vec<PathBuf>,
    /// The application, where it is not found out.
    #[arg(long, value_enum)]
    app: Option<App>,
    /// An env file that Compose is started with; may be given several times.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// The name of the Compose project, where it is not Compose's own choice.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Where to write; by default where `--config` says.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the file instead of writing it.
    #[arg(long)]
    stdout: bool,
    /// Write over a file that is there.
    #[arg(long, conflicts_with = "stdout")]
    force: bool,
}

/// The applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum App {
    /// A Django project.
    Django,
    /// Anything else.
    Generic,
}

impl Adopt {
    /// Looks, writes, and says what was found.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let output = self.output.clone().unwrap_or_else(|| session.arguments.config.clone());
        if !self.stdout && !self.force {
            adopt::refuse_existing(&output)?;
        }
        let wanted = Wanted {
            files: self.files,
            app: self.app.map(|app| match app {
                App::Django => AppKind::Django,
                App::Generic => AppKind::Generic,
            }),
            env_files: self.env_file,
            project: self.project,
            stack: session.arguments.stack.clone(),
            output,
            language: session.language.clone(),
        };
        let surroundings = Surroundings::real();
        let adopted = adopt::look(&wanted, &surroundings).await?;
        if !self.stdout {
            adopt::save(&adopted, self.force, surroundings.host.as_ref()).await?;
        }
        if session.json() {
            say(as_json(&adopted, !self.stdout, &session.language)?);
        } else if self.stdout {
            say(adopted.text.trim_end());
            // What a program reads is the file alone.
            tell(summary(&adopted, false, &session.language));
        } else {
            say(summary(&adopted, true, &session.language));
        }
        Ok(Exit::Ok)
    }
}

/// What to type next, with the reason.
fn next(adopted: &Adopted, language: &Language) -> Vec<(String, String)> {
    let frontend = adopted.notes.iter().find(|note| note.key == "services.frontend");
    let frontend = frontend.and_then(|note| note.value.clone()).unwrap_or_else(|| "frontend".to_owned());
    let edge = !adopted.notes.iter().any(|note| note.key == "edge.enabled");
    let mut commands = vec!["doctor"];
    if edge {
        commands.push("edge");
    }
    commands.extend(["backup", "plan"]);
    commands
        .into_iter()
        .map(|command| {
            let id = format!("adopt-next-{command}");
            let reason = Message::new(format!("{id}-why")).with("frontend", frontend.trim_matches('"'));
            (Message::new(id).with("release", "v2").render(language), reason.render(language))
        })
        .collect()
}

/// The command to use from now on.
fn instead(adopted: &Adopted) -> Vec<String> {
    if adopted.compose.is_empty() {
        return Vec::new();
    }
    adopted.compose.iter().cloned().chain(["up".to_owned(), "-d".to_owned()]).collect()
}

/// A command as a person types it.
fn typed(words: &[String]) -> String {
    let plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:=@+,".contains(c));
    let quoted = words
        .iter()
        .map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}

fn summary(adopted: &Adopted, written: bool, language: &Language) -> String {
    let path = adopted.output.display();
    let title = Message::new(if written { "adopt-written" } else { "adopt-not-written" });
    let mut lines = vec![format!(
        "{BOLD}{}{BOLD:#}",
        title.with("path", path).with("stack", &adopted.stack).render(language)
    )];
    if adopted.compose.is_empty() {
        lines.push(Message::new("adopt-host").render(language));
    } else if !adopted.running.is_empty() {
        lines.push(
            Message::new("adopt-running").with("services", adopted.running.join(", ")).render(language),
        );
    } else if adopted.engine {
        lines.push(Message::new("adopt-not-running").render(language));
    } else {
        lines.push(Message::new("adopt-no-engine").render(language));
    }
    for (certainty, id, style) in [
        (Certainty::Found, "adopt-title-found", GREEN),
        (Certainty::Check, "adopt-title-check", YELLOW),
        (Certainty::Missing, "adopt-title-missing", CYAN),
    ] {
        let notes: Vec<_> = adopted.notes.iter().filter(|note| note.certainty == certainty).collect();
        if notes.is_empty() {
            continue;
        }
        lines.push(format!("\n{style}{}{style:#}", Message::new(id).render(language)));
        for note in notes {
            let why = note.why.render(language);
            // What is sure needs its value only; what is not needs its reason.
            lines.push(match (&note.value, certainty) {
                (Some(value), Certainty::Found) => format!("  {} = {value}", note.key),
                (Some(value), _) => format!("  {} = {value}\n      {DIM}{why}{DIM:#}", note.key),
                (None, _) => format!("  {}\n      {DIM}{why}{DIM:#}", note.key),
            });
        }
    }
    if !adopted.placeholders.is_empty() {
        let text = Message::new("adopt-placeholders").with("variables", adopted.placeholders.join(", "));
        lines.push(format!("\n{YELLOW}{}{YELLOW:#}", text.render(language)));
    }
    lines.push(format!("\n{BOLD}{}{BOLD:#}", Message::new("adopt-next").render(language)));
    let next = next(adopted, language);
    let widest = next.iter().map(|(command, _)| command.chars().count()).max().unwrap_or_default();
    lines.extend(next.iter().map(|(command, why)| format!("  {command:widest$}  {DIM}{why}{DIM:#}")));
    if !adopted.compose.is_empty() {
        lines.push(format!("\n{}", Message::new("adopt-instead").render(language)));
        lines.push(format!("  {}", typed(&instead(adopted))));
    }
    lines.join("\n")
}

fn as_json(adopted: &Adopted, written: bool, language: &Language) -> Result<String> {
    let findings: Vec<_> = adopted
        .notes
        .iter()
        .map(|note| {
            json!({
                "key": note.key,
                "value": note.value,
                "certainty": note.certainty,
                "why": note.why.render(language),
            })
        })
        .collect();
    let value = json!({
        "format": 1,
        "path": adopted.output.display().to_string(),
        "written": written,
        "stack": adopted.stack,
        "app": adopted.app,
        "running": adopted.running,
        "placeholders": adopted.placeholders,
        "findings": findings,
        "next": next(adopted, language).into_iter().map(|(command, _)| command).collect::<Vec<_>>(),
        "instead": instead(adopted),
        "text": adopted.text,
    });
    serde_json::to_string_pretty(&value).map_err(|error| Fault::new(Code::Internal).with("what", error))
}
