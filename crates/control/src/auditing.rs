//! `audit` at its edge: which directory is read, which files are Compose's, what version control tracks, and what can
//! be observed of this machine.

use std::path::{Path, PathBuf};

use eclusa_audit::{Folder, Live, Report, Request, Severity};
use eclusa_config::{Risk, Stack};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_runbook::Intent;

use crate::status::Trouble;

mod observing;
mod tracked;

/// What is audited.
#[derive(Debug)]
pub struct Scope {
    /// The files below the directory that was named, or that holds the files that were named.
    pub folder: Folder,
    /// Which of them are the project's.
    pub request: Request,
}

/// Finds out what paths on the command line mean: one directory, or Compose files in the order of `-f`.
///
/// # Errors
/// `ConfigUnreadable` when a path is not there, or is an env file outside of the directory.
pub async fn scope(paths: &[PathBuf], env_files: &[PathBuf]) -> Result<Scope> {
    let paths: Vec<PathBuf> = if paths.is_empty() { vec![PathBuf::from(".")] } else { paths.to_vec() };
    let mut directories = Vec::new();
    let mut files = Vec::new();
    for path in &paths {
        let real = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        if real.is_dir() {
            directories.push(real);
        } else {
            files.push(real);
        }
    }
    let holders: Vec<PathBuf> = directories
        .iter()
        .cloned()
        .chain(files.iter().filter_map(|file| file.parent().map(Path::to_owned)))
        .collect();
    let root = common(&holders).unwrap_or_else(|| PathBuf::from("."));
    let folder = Folder::open(&root).map_err(|error| unreadable(&root, &error))?;
    let named = files.iter().map(|file| relative(folder.root(), file)).collect::<Result<Vec<_>>>()?;
    let mut request = Request { files: named, ..Request::default() };
    for path in env_files {
        let real = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        request.env_files.push(relative(folder.root(), &real)?);
    }
    let tracked = tracked::paths(folder.root()).await;
    let folder = match tracked {
        Some(tracked) => folder.with_tracked(tracked),
        None => folder,
    };
    Ok(Scope { folder, request })
}

/// Looks at this machine, at the containers on it, at certificate files and at those that TLS servers show.
///
/// # Errors
/// `ConfigUnreadable` when a certificate that was named is not there or is none.
pub async fn observe(scope: &Scope, certificates: &[PathBuf], endpoints: &[String]) -> Result<Live> {
    observing::observe(scope.folder.root(), certificates, endpoints).await
}

/// The levels of `preflight.audit`, as the audit has them.
fn severity(risk: Risk) -> Severity {
    match risk {
        Risk::Low => Severity::Low,
        Risk::Medium => Severity::Medium,
        Risk::High => Severity::High,
        Risk::Critical => Severity::Critical,
    }
}

/// The audit of the files of a Compose stack, and their names; none for a stack of another kind.
async fn report_of(stack: &Stack) -> Result<Option<(Report, String)>> {
    let Some(compose) = &stack.compose else { return Ok(None) };
    let resolved = |paths: &[PathBuf]| paths.iter().map(|path| stack.resolve(path)).collect::<Vec<_>>();
    let (files, env_files) = (resolved(&compose.files), resolved(&compose.env_files));
    let scope = scope(&files, &env_files).await?;
    let today = jiff::Zoned::now().date();
    let looking = tokio::task::spawn_blocking(move || {
        let request = Request { production: true, ..scope.request };
        eclusa_audit::audit(&scope.folder, &request, today, None)
    });
    let report = looking.await.map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Ok(Some((report, names.join(" "))))
}

/// Refuses a release when the audit of the stack's files finds anything that `preflight.audit` does not let pass. Anything
/// else than a release goes on: going back must not wait for a tidy file.
///
/// # Errors
/// `AuditRefused`; `ConfigUnreadable` and `PathEscapes` when the files cannot be looked at.
pub async fn gate(stack: &Stack, intent: &Intent) -> Result<()> {
    let Some(risk) = stack.preflight.audit.filter(|_| matches!(intent, Intent::Release { .. })) else {
        return Ok(());
    };
    let Some((report, files)) = report_of(stack).await? else { return Ok(()) };
    let level = severity(risk);
    let bad: Vec<_> = report.findings.iter().filter(|finding| finding.severity >= level).collect();
    let Some(first) = bad.first() else { return Ok(()) };
    let place =
        first.place.as_ref().map_or_else(String::new, |at| format!("{}:{}:{}", at.path, at.line, at.column));
    Err(Fault::new(Code::AuditRefused)
        .with("count", bad.len())
        .with("level", level.word())
        .with("code", first.code)
        .with("place", place)
        .with("files", files))
}

/// What the audit finds in the files of a stack and of what is at least high; none when there is nothing, the stack is
/// no Compose project, or its files cannot be looked at (which others say).
pub async fn of_stack(stack: &Stack) -> Option<Trouble> {
    let (report, files) = report_of(stack).await.ok()??;
    let bad = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let (critical, high) = (bad(Severity::Critical), bad(Severity::High));
    if critical + high == 0 {
        return None;
    }
    Some(Trouble {
        severity: crate::status::Severity::Notice,
        text: Message::new("trouble-audit").with("critical", critical).with("high", high),
        repair: Some(Message::new("repair-audit").with("files", files)),
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::ConfigUnreadable)
        .with("path", path.display())
        .because(error)
        .hint(Message::new("audit-no-path-hint"))
}

/// The directory above all of them.
fn common(paths: &[PathBuf]) -> Option<PathBuf> {
    let mut found = paths.first()?.clone();
    for path in paths {
        while !path.starts_with(&found) {
            found = found.parent()?.to_owned();
        }
    }
    Some(found)
}

fn relative(root: &Path, path: &Path) -> Result<String> {
    let outside = || Fault::new(Code::PathEscapes).with("path", path.display()).with("root", root.display());
    let inside = path.strip_prefix(root).map_err(|_| outside())?;
    inside.to_str().map(str::to_owned).ok_or_else(outside)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use eclusa_config::Configuration;
    use eclusa_runbook::Reversibility;

    const STACK: &str = r#"version = 1
[stacks.shop]
app = "django"
runtime = "compose"
[stacks.shop.compose]
files = ["compose.yaml"]
env_files = [".env"]
[stacks.shop.services]
frontend = "web"
web = ["web"]
database = "db"
[stacks.shop.release]
source = "git"
[stacks.shop.database]
engine = "postgresql"
name = "shop"
user = "shop"
password = "env:POSTGRES_PASSWORD"
"#;
    const COMPOSE: &str = "services:\n  web:\n    image: shop:1\n  db:\n    image: postgres:16\n    ports:\n      - \"5432:5432\"\n    volumes: [\"db:/var/lib/postgresql/data\"]\nvolumes:\n  db:\n";

    async fn release(directory: &Path, audit: &str) -> Result<()> {
        let text = format!("{STACK}{audit}");
        let configuration = Configuration::parse(&text, &directory.join("eclusa.toml"))?;
        let stack = configuration.stack(None).unwrap().1;
        gate(stack, &Intent::Release { to: "v2".to_owned() }).await
    }

    #[tokio::test]
    async fn a_release_is_refused_at_the_level_that_is_configured() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join("compose.yaml"), COMPOSE).unwrap();
        std::fs::write(path.join(".env"), "POSTGRES_PASSWORD=kR7-very-long\n").unwrap();
        release(path, "").await.unwrap();
        release(path, "[stacks.shop.preflight]\naudit = \"critical\"\n").await.unwrap();
        let high = "[stacks.shop.preflight]\naudit = \"high\"\n";
        let refused = release(path, high).await.unwrap_err();
        assert_eq!(refused.code, Code::AuditRefused);
        let said = refused.headline(&eclusa_fault::Language::default());
        assert!(said.contains("finds 2 at least high, the first A506 at compose.yaml:4:3"), "{said}");
        // What is worse counts too, and what is allowed with a reason does not.
        std::fs::write(
            path.join("compose.yaml"),
            COMPOSE.replace("    volumes: [\"db:/var/lib/postgresql/data\"]\n", ""),
        )
        .unwrap();
        let critical = "[stacks.shop.preflight]\naudit = \"critical\"\n";
        assert_eq!(release(path, critical).await.unwrap_err().code, Code::AuditRefused);
        assert_eq!(release(path, high).await.unwrap_err().code, Code::AuditRefused);
        let allowed = COMPOSE
            .replace(
                "  db:\n    image",
                "  # eclusa: allow A506 copied every night by the host\n  db:\n    image",
            )
            .replace("\"5432:5432\"", "\"5432:5432\" # eclusa: allow A301 the office only");
        std::fs::write(path.join("compose.yaml"), allowed).unwrap();
        release(path, high).await.unwrap();
    }

    #[tokio::test]
    async fn going_back_never_waits_for_a_tidy_file_and_what_cannot_be_looked_at_is_no_yes() {
        let directory = tempfile::tempdir().unwrap();
        let text = format!("{STACK}[stacks.shop.preflight]\naudit = \"low\"\n");
        let configuration = Configuration::parse(&text, &directory.path().join("eclusa.toml")).unwrap();
        let stack = configuration.stack(None).unwrap().1;
        let back = Intent::Rollback { to: "v1".to_owned(), how: Reversibility::CodeOnly };
        gate(stack, &back).await.unwrap();
        let release = Intent::Release { to: "v2".to_owned() };
        assert_eq!(gate(stack, &release).await.unwrap_err().code, Code::ConfigUnreadable);
    }
}
