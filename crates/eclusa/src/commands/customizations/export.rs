//! `eclusa customizations export`: keeps them beside the state, or writes fixtures.

use std::path::{Path, PathBuf};

use clap::Args;
use eclusa_apps::customizations::{Customizations, FixtureFilter, fixtures, hooks_lines, kind_of};
use eclusa_control::{Assembly, customizations};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_report::count_text;
use serde_json::json;

use super::tenants;
use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{YELLOW, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// Also write them as fixtures into this directory, one file a DocType; of one tenant only.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Only this DocType as a fixture, such as "Custom Field"; several when it is given several times.
    #[arg(long = "doctype", value_name = "DOCTYPE", requires = "fixtures")]
    doctypes: Vec<String>,
    /// Only documents of this module as fixtures.
    #[arg(long, value_name = "MODULE", requires = "fixtures")]
    module: Option<String>,
}

impl Export {
    pub(super) async fn run(self, session: &Session, assembly: &Assembly) -> Result<Exit> {
        let names = tenants(assembly, &self.tenants)?;
        let refused = |problem: String| {
            Fault::new(Code::ConfigInvalid)
                .with("path", "--fixtures")
                .with("problem", problem)
                .hint(Message::new("hint-customizations"))
        };
        if self.fixtures.is_some() && names.len() != 1 {
            return Err(refused(format!(
                "fixtures are written of one tenant, and {} are meant",
                names.len()
            )));
        }
        if let Some(unknown) = self.doctypes.iter().find(|doctype| kind_of(doctype).is_none()) {
            return Err(refused(format!("{unknown:?} is no DocType of customizations")));
        }
        let store = customizations::store(assembly);
        let mut written = Vec::new();
        let mut exported = Vec::new();
        let mut told = Vec::new();
        for name in &names {
            let found = customizations::read(assembly, name).await?;
            let path = store.keep(&found).await?;
            if session.json() {
                written.push(json!({"tenant": name, "taken_at": found.taken_at, "file": path, "documents": found.count(), "passed_over": found.passed_over}));
            } else {
                let text = Message::new("customizations-kept")
                    .with("tenant", name)
                    .with("count", count_text(found.count() as u64))
                    .with("file", path.display());
                say(text.render(&session.language));
                if !found.passed_over.is_empty() && told != found.passed_over {
                    let text = Message::new("customizations-passed-over")
                        .with("doctypes", found.passed_over.join(", "));
                    tell(text.render(&session.language));
                    // Most often it is the same for all of them.
                    told.clone_from(&found.passed_over);
                }
            }
            exported.push(found);
        }
        let mut files = Vec::new();
        if let (Some(directory), Some(found)) = (&self.fixtures, exported.first()) {
            let filter = FixtureFilter { doctypes: self.doctypes, module: self.module };
            files = write(session, assembly, directory, found, &filter).await?;
        }
        if session.json() {
            say(json!({"format": 1, "tenants": written, "fixtures": files}));
        }
        Ok(Exit::Ok)
    }
}

/// Writes the files; those that are there are replaced, as `bench export-fixtures` does.
async fn write(
    session: &Session,
    assembly: &Assembly,
    directory: &Path,
    found: &Customizations,
    filter: &FixtureFilter,
) -> Result<Vec<serde_json::Value>> {
    let fault = |error: std::io::Error| {
        Fault::new(Code::FileAccess)
            .with("path", directory.display())
            .with("operation", "made")
            .because(error)
    };
    std::fs::create_dir_all(directory).map_err(fault)?;
    let files = fixtures(found, filter);
    for file in &files {
        let path = directory.join(&file.file);
        // A fixture belongs into a repository: whoever reads that may read it.
        assembly.ports.host.write_durably(&path, file.text.as_bytes(), 0o644).await?;
        if !session.json() {
            let text = Message::new("customizations-fixture")
                .with("file", path.display())
                .with("count", count_text(file.names.len() as u64));
            say(text.render(&session.language));
            for without in &file.without {
                let text = Message::new("customizations-without").with("field", without);
                tell(format!("{YELLOW}{}{YELLOW:#}", text.render(&session.language)));
            }
        }
    }
    if !session.json() {
        say(Message::new("customizations-hooks").render(&session.language));
        say(hooks_lines(&files));
    }
    Ok(files
        .iter()
        .map(|file| json!({"doctype": file.doctype, "file": directory.join(&file.file), "names": file.names, "without": file.without}))
        .collect())
}
