//! Where releases come from: a git repository that holds the build context, or a variable in an image's tag.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_ports::{CommandSpec, Host, NoOutput};

use super::document::{Document, text, why};
use super::facts::Facts;

/// How long git may take to answer.
const WITHIN: Duration = Duration::from_secs(20);

/// The repository that a directory lies in.
async fn repository(directory: &Path, host: &dyn Host) -> Option<PathBuf> {
    let argv = [
        "git".to_owned(),
        "-C".to_owned(),
        directory.display().to_string(),
        "rev-parse".to_owned(),
        "--show-toplevel".to_owned(),
    ];
    let result = host.run(CommandSpec::new(argv, WITHIN), &NoOutput).await.ok()?;
    (result.code == 0).then(|| PathBuf::from(result.stdout.trim())).filter(|path| path.is_dir())
}

/// The variable of the image's tag, and the env file that sets it.
fn variable(facts: &Facts) -> Option<(String, Option<PathBuf>)> {
    let runs_code = facts.project.services.iter().filter(|(name, _)| facts.roles.runs_code(name));
    let names: Vec<&String> = runs_code.flat_map(|(_, service)| &service.image_variables).collect();
    let set = |name: &str| facts.environment.files().iter().any(|file| file.get(name).is_some());
    // The tag changes with a release; the rest of a reference seldom does.
    let likely = |name: &str| {
        let name = name.to_uppercase();
        let word = ["TAG", "VERSION", "RELEASE"].iter().any(|word| name.contains(word));
        if word { 2 } else { usize::from(name.contains("IMAGE")) }
    };
    let best = names.iter().rev().max_by_key(|name| (set(name), likely(name)));
    let name = best.filter(|name| likely(name) > 0).or_else(|| names.last())?;
    let file = facts
        .environment
        .files()
        .iter()
        .rev()
        .find(|file| file.get(name).is_some())
        .map(|file| file.path.clone());
    Some(((*name).clone(), file))
}

/// Writes the table.
pub(crate) async fn write(document: &mut Document, facts: &Facts, host: &dyn Host) {
    document.table("release");
    let built = facts.web().and_then(|web| facts.images.context(web)).map(Path::to_owned);
    let top = match &built {
        Some(context) => repository(context, host).await,
        None => None,
    };
    let variable = variable(facts);
    match (built, top, variable) {
        (Some(context), Some(top), variable) => {
            // The repository's name is that of the real directory; the context may be reached by a link.
            let real = std::fs::canonicalize(&context).unwrap_or_else(|_| context.clone());
            let up = real.strip_prefix(&top).map(|rest| rest.components().count()).unwrap_or_default();
            let shown = context
                .ancestors()
                .nth(up)
                .map(|path| facts.shown(path))
                .unwrap_or_else(|| facts.shown(&top));
            let reason = why("release-git").with("context", facts.shown(&context));
            document.set("source", &text("git"), super::Certainty::Found, &reason);
            document.plain("repository", &text(shown));
            if let Some((name, Some(file))) = variable {
                document.remark(&why("release-git-or-image").with("variable", &name));
                document.line("# source = \"image\"");
                document.line(&format!("# variable = {}", text(name)));
                document.line(&format!("# env_file = {}", text(facts.shown(&file))));
            }
        }
        (_, None, Some((name, Some(file)))) => {
            let reason = why("release-image").with("variable", &name).with("file", facts.shown(&file));
            document.set("source", &text("image"), super::Certainty::Found, &reason);
            document.plain("variable", &text(name));
            document.plain("env_file", &text(facts.shown(&file)));
        }
        (Some(context), None, _) => {
            let reason = why("release-no-repository").with("context", facts.shown(&context));
            document.set("source", &text("git"), super::Certainty::Check, &reason);
            document.plain("repository", &text(facts.shown(&context)));
        }
        (None, _, found) => {
            let reason = match found {
                Some((name, _)) => why("release-variable-nowhere").with("variable", name),
                None => why("release-nothing"),
            };
            document.set("source", &text("git"), super::Certainty::Check, &reason);
            document.plain("repository", &text(facts.shown(&facts.directory)));
        }
    }
    document.remark(&why("release-keep"));
    document.line("# keep = 2");
}
