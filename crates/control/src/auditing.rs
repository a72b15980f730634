//! `audit` at its edge: which directory is read, which files are Compose's, what version control tracks, and what can
//! be observed of this machine.

use std::path::{Path, PathBuf};

use eclusa_audit::{Folder, Live, Request, Severity};
use eclusa_config::Stack;
use eclusa_fault::{Code, Fault, Message, Result};

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

/// What the audit finds in the files of a stack and of what is at least high; none when there is nothing, the stack is
/// no Compose project, or its files cannot be looked at (which others say).
pub async fn of_stack(stack: &Stack) -> Option<Trouble> {
    let compose = stack.compose.as_ref()?;
    let resolved = |paths: &[PathBuf]| paths.iter().map(|path| stack.resolve(path)).collect::<Vec<_>>();
    let (files, env_files) = (resolved(&compose.files), resolved(&compose.env_files));
    let scope = scope(&files, &env_files).await.ok()?;
    let today = jiff::Zoned::now().date();
    let looking = tokio::task::spawn_blocking(move || {
        let request = Request { production: true, ..scope.request };
        eclusa_audit::audit(&scope.folder, &request, today, None)
    });
    let report = looking.await.ok()?;
    let bad = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let (critical, high) = (bad(Severity::Critical), bad(Severity::High));
    if critical + high == 0 {
        return None;
    }
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Some(Trouble {
        severity: crate::status::Severity::Notice,
        text: Message::new("trouble-audit").with("critical", critical).with("high", high),
        repair: Some(Message::new("repair-audit").with("files", names.join(" "))),
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
