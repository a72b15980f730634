//! `eclusa audit`: what is wrong with a deployment, read from its files and, with `--live`, from what runs.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use eclusa_audit::baseline;
use eclusa_audit::fixing;
use eclusa_audit::output::text::{Kind, Line};
use eclusa_audit::output::{html, json, markdown, sarif, text};
use eclusa_audit::{Baseline, Library, Report, Request, Severity};
use eclusa_control::auditing::{self, Scope};
use eclusa_fault::{Code, Fault, Message, Result};

use super::Session;
use crate::exit::Exit;
use crate::terminal::{self, BOLD, CYAN, DIM, GREEN, RED, YELLOW, say, tell};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Audit {
    /// A directory, or Compose files in the order of `-f`; by default this directory.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// An env file that Compose is started with; may be given several times.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Also look at this machine and at the containers on it.
    #[arg(long)]
    live: bool,
    /// A certificate file to look at with --live; may be given several times.
    #[arg(long, value_name = "FILE", requires = "live")]
    certificate: Vec<PathBuf>,
    /// A TLS server whose certificate is looked at with --live; may be given several times.
    #[arg(long, requires = "live", value_name = "HOST[:PORT]")]
    tls: Vec<String>,
    /// How the report is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write the report to a file.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End with 1 when something is at least this bad.
    #[arg(long, value_enum, default_value = "high", value_name = "LEVEL")]
    fail_on: Level,
    /// Take every project for one of users, also where its name says that it is for developers.
    #[arg(long)]
    production: bool,
    /// Mend what can be mended without asking, in place.
    #[arg(long)]
    fix: bool,
    /// With --fix: change nothing, and print the patch.
    #[arg(long, requires = "fix")]
    diff: bool,
    /// With --fix: write the changed files below this directory instead of in place.
    #[arg(long, requires = "fix", conflicts_with = "diff", value_name = "DIR")]
    fix_to: Option<PathBuf>,
    /// Findings that are known and not listed again.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the findings of today as a baseline, and end.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fix", "baseline"])]
    write_baseline: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For code hosts and editors.
    Sarif,
    /// The risk table in Markdown.
    Md,
    /// The risk table as a page.
    Html,
}

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Anything.
    Info,
    /// At least low.
    Low,
    /// At least medium.
    Medium,
    /// At least high.
    High,
    /// Only critical.
    Critical,
    /// Nothing.
    Never,
}

impl Level {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::Info => Some(Severity::Info),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Critical => Some(Severity::Critical),
            Self::Never => None,
        }
    }
}

impl Audit {
    /// Looks, writes the report, and ends with 1 when something is bad enough.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let scope = auditing::scope(&self.paths, &self.env_file).await?;
        let live = if self.live {
            Some(auditing::observe(&scope, &self.certificate, &self.tls).await?)
        } else {
            None
        };
        let request = Request { production: self.production, ..scope.request.clone() };
        let today = jiff::Zoned::now().date();
        let library = Library::new(&scope.folder);
        let mut report = eclusa_audit::report::report(&library, &request, today, live.as_ref());
        if let Some(path) = &self.write_baseline {
            return self.keep(path, &report, session);
        }
        if let Some(path) = &self.baseline {
            read_baseline(path)?.apply(&mut report);
        }
        if self.fix {
            let fixed = fixing::fix(&library, &report.findings);
            if self.diff {
                say(fixing::patch(&fixed).trim_end_matches('\n'));
                return Ok(Exit::Ok);
            }
            self.write_fixed(&scope, &fixed, session)?;
            // What is left is found by looking again.
            let folder = self.fix_to.is_none().then(|| auditing::scope(&self.paths, &self.env_file));
            if let Some(scope) = folder {
                let scope = scope.await?;
                let library = Library::new(&scope.folder);
                report = eclusa_audit::report::report(&library, &request, today, live.as_ref());
                if let Some(path) = &self.baseline {
                    read_baseline(path)?.apply(&mut report);
                }
            }
        }
        self.write(&report, session)?;
        let bad = self.fail_on.severity().is_some_and(|severity| report.reaches(severity));
        Ok(if bad { Exit::Failure } else { Exit::Ok })
    }

    fn write(&self, report: &Report, session: &Session) -> Result<()> {
        let language = &session.language;
        let format = if session.json() && self.format == Format::Text { Format::Json } else { self.format };
        let written = match format {
            Format::Text if self.output.is_none() => {
                let width = terminal::width().min(110);
                text::lines(report, language, width).iter().for_each(|line| say(painted(line)));
                return Ok(());
            }
            Format::Text => {
                let lines = text::lines(report, language, 110);
                lines.iter().map(|line| format!("{}\n", line.text)).collect()
            }
            Format::Json => pretty(&json::value(report, language))?,
            Format::Sarif => pretty(&sarif::value(report, language, eclusa_control::VERSION))?,
            Format::Md => markdown::text(report, language),
            Format::Html => html::text(report, language),
        };
        match &self.output {
            Some(path) => {
                write_file(path, &written)?;
                tell(eclusa_audit::output::summary(report, language));
            }
            None => say(written.trim_end()),
        }
        Ok(())
    }

    fn write_fixed(&self, scope: &Scope, fixed: &[fixing::Fixed], session: &Session) -> Result<()> {
        if fixed.is_empty() {
            tell(Message::new("audit-fixed-nothing").render(&session.language));
        }
        for one in fixed {
            let root = self.fix_to.as_deref().unwrap_or_else(|| scope.folder.root());
            let path = root.join(&one.path);
            if let Some(directory) = path.parent() {
                std::fs::create_dir_all(directory).map_err(|error| access(directory, &error))?;
            }
            write_file(&path, &one.after)?;
            let text =
                Message::new("audit-fixed").with("path", path.display()).with("codes", one.codes.join(", "));
            tell(format!("{GREEN}{}{GREEN:#}", text.render(&session.language)));
        }
        Ok(())
    }

    fn keep(&self, path: &Path, report: &Report, session: &Session) -> Result<Exit> {
        let kept = Baseline::of(report);
        write_file(path, &pretty(&serde_json::to_value(&kept).map_err(internal)?)?)?;
        let text = Message::new("audit-baseline-written")
            .with("count", kept.findings.len())
            .with("path", path.display());
        tell(text.render(&session.language));
        Ok(Exit::Ok)
    }
}

fn internal(error: serde_json::Error) -> Fault {
    Fault::new(Code::Internal).with("what", error)
}

fn access(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).because(error)
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| access(path, &error))
}

fn pretty(value: &serde_json::Value) -> Result<String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(internal)
}

fn read_baseline(path: &Path) -> Result<Baseline> {
    let hint = || Message::new("audit-baseline-hint");
    let text = std::fs::read_to_string(path).map_err(|error| {
        Fault::new(Code::ConfigUnreadable).with("path", path.display()).because(error).hint(hint())
    })?;
    let invalid = |problem: String| {
        Fault::new(Code::ConfigInvalid)
            .with("path", path.display())
            .with("line", 1)
            .with("column", 1)
            .with("problem", problem)
            .hint(hint())
    };
    let read: Baseline = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    if read.format != baseline::FORMAT {
        return Err(invalid(format!(
            "its format is {}, and this program reads {}",
            read.format,
            baseline::FORMAT
        )));
    }
    Ok(read)
}

fn painted(line: &Line) -> String {
    let text = &line.text;
    let tone = |severity| match severity {
        Severity::Critical | Severity::High => RED,
        Severity::Medium => YELLOW,
        Severity::Low | Severity::Info => CYAN,
    };
    match line.kind {
        Kind::Headline(severity) => {
            let (head, rest) = text.split_once(": ").unwrap_or(("", text));
            let style = tone(severity);
            if head.is_empty() {
                format!("{BOLD}{rest}{BOLD:#}")
            } else {
                format!("{style}{head}{style:#}: {BOLD}{rest}{BOLD:#}")
            }
        }
        Kind::Place => format!("{DIM}{text}{DIM:#}"),
        Kind::Marks(severity) => {
            let style = tone(severity);
            format!("{style}{text}{style:#}")
        }
        Kind::Risk => format!("{DIM}{text}{DIM:#}"),
        Kind::Summary => format!("{BOLD}{text}{BOLD:#}"),
        Kind::Remedy | Kind::Excerpt | Kind::Plain => text.clone(),
    }
}
