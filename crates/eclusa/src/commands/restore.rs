//! `eclusa restore`: brings a tenant's data back from a restore point or from files of `bench backup`, or shows that it
//! could be.

use std::path::PathBuf;

use clap::Args;
use eclusa_control::Assembly;
use eclusa_control::backup_files::{Imported, Wanted, import};
use eclusa_control::moments;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_report::count_text;
use eclusa_runbook::{Adapt, Intent, Part};
use jiff::Timestamp;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::tell;

/// The arguments.
#[derive(Debug, Args)]
pub struct Restore {
    /// The tenant.
    tenant: TenantName,
    /// The restore point, or the beginning of its id; the newest when none is named.
    #[arg(long, value_name = "POINT", conflicts_with = "from_files")]
    point: Option<String>,
    /// Restore it somewhere harmless, compare everything, and discard the copy.
    #[arg(long, conflicts_with = "part")]
    check: bool,
    #[command(flatten)]
    moment: Moment,
    #[command(flatten)]
    part: OnlyPart,
    #[command(flatten)]
    files: FromFiles,
    #[command(flatten)]
    how: Performance,
}

/// A moment between restore points.
#[derive(Debug, Args)]
pub struct Moment {
    /// Bring the database to what it was at this moment, where its server keeps a log for that: 2026-03-01T14:05 as the clock
    /// of this machine shows it, or with Z. The files stay as they are.
    #[arg(long, value_name = "MOMENT", value_parser = moments::parse, conflicts_with_all = ["point", "check", "part"])]
    pub at: Option<Timestamp>,
}

/// The database of a moment: from the newest restore point before it, or from a base backup of the server.
pub async fn until_intent(assembly: &Assembly, tenant: TenantName, until: Timestamp) -> Result<Intent> {
    let (point, base) = moments::before(assembly, &tenant, until).await?;
    let unknown = || Fault::new(Code::Internal).with("what", "a restore point without an id");
    let point = point.id.ok_or_else(unknown)?.to_string();
    let (adapt, part) = (Adapt::default(), Part::Database);
    Ok(Intent::Restore { tenant, point, check_only: false, adapt, part, until: Some(until), base })
}

/// A part of a restore point instead of all of it.
#[derive(Debug, Args)]
#[group(id = "part", multiple = false)]
pub struct OnlyPart {
    /// Bring back files only, these sets or every one of the point; the database stays as it is.
    #[arg(long, num_args = 0.., value_name = "SET")]
    files_only: Option<Vec<String>>,
    /// Bring back the database only; the files stay as they are.
    #[arg(long)]
    database_only: bool,
}

impl OnlyPart {
    /// The part that is meant of a point. What the point does not hold is refused here, before anything is planned.
    pub async fn of(&self, assembly: &Assembly, tenant: &TenantName, point: &str) -> Result<Part> {
        let Some(sets) = &self.files_only else {
            return Ok(if self.database_only { Part::Database } else { Part::Everything });
        };
        let known = assembly.ports.vault.find(tenant, point).await?.files;
        let unknown = sets.iter().find(|set| !known.contains_key(*set)).map(String::as_str);
        let unknown = unknown.or_else(|| known.is_empty().then_some("files"));
        if let Some(part) = unknown {
            let known: Vec<&str> = known.keys().map(String::as_str).collect();
            return Err(Fault::new(Code::PartUnknown)
                .with("tenant", tenant)
                .with("point", point.get(..8).unwrap_or(point))
                .with("part", part)
                .with("known", known.join(", ")));
        }
        let all = || known.keys().cloned().collect();
        Ok(Part::Files(if sets.is_empty() { all() } else { sets.iter().cloned().collect() }))
    }
}

/// Files of `bench backup` instead of a restore point.
#[derive(Debug, Args)]
struct FromFiles {
    /// Files that bench backup wrote, plain, compressed or encrypted: the dump, the public files, the private files.
    #[arg(long, num_args = 1..=3, value_names = ["DUMP", "FILES", "PRIVATE"], conflicts_with_all = ["part", "at"])]
    from_files: Vec<PathBuf>,
    /// The site's configuration that was backed up with them.
    #[arg(long, value_name = "FILE", requires = "from_files")]
    site_config: Option<PathBuf>,
    /// Take the encryption_key out of that configuration over into the site's own: stored passwords are read by it.
    #[arg(long, requires = "site_config", conflicts_with = "check")]
    take_encryption_key: bool,
    /// Where the key of encrypted files is; without it, backup_encryption_key of the site's own configuration.
    #[arg(long, value_name = "env:NAME|file:PATH", requires = "from_files")]
    encryption_key_from: Option<String>,
    /// The dump is of an earlier version: migrate the site after it is swapped in.
    #[arg(long, requires = "from_files", conflicts_with = "no_migrate")]
    migrate: bool,
    /// The dump is of an earlier version: leave it as it is.
    #[arg(long, requires = "from_files")]
    no_migrate: bool,
    /// Take a dump of a later version than the stack's.
    #[arg(long, requires = "from_files")]
    newer: bool,
}

impl FromFiles {
    fn wanted(self) -> Wanted {
        let mut files = self.from_files.into_iter();
        Wanted {
            database: files.next().unwrap_or_default(),
            public: files.next(),
            private: files.next(),
            site_config: self.site_config,
            key: self.encryption_key_from,
            newer: self.newer,
            migrate: (self.migrate || self.no_migrate).then_some(self.migrate),
        }
    }
}

/// The restore point that is meant, by its whole id. What was taken from files elsewhere is meant only by its id.
pub async fn point_of(assembly: &Assembly, tenant: &TenantName, point: Option<&str>) -> Result<String> {
    assembly.tenant(tenant)?;
    let unknown = || {
        Fault::new(Code::PointUnknown)
            .with("tenant", tenant)
            .with("point", point.unwrap_or("(none was ever taken)"))
    };
    let manifest = match point {
        Some(point) => assembly.ports.vault.find(tenant, point).await?,
        None => {
            let points = assembly.ports.vault.list(tenant).await?.0;
            let own = |point: &eclusa_ports::PointManifest| point.kind != eclusa_runbook::PointKind::Imported;
            points.into_iter().find(own).ok_or_else(unknown)?
        }
    };
    manifest.id.map(|id| id.to_string()).ok_or_else(unknown)
}

impl Restore {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        if let Some(until) = self.moment.at {
            let intent = until_intent(&assembly, self.tenant, until).await?;
            return perform(session, &assembly, &intent, PlanOptions::default(), None, &self.how).await;
        }
        let mut adapt = Adapt { encryption_key: self.files.take_encryption_key, ..Adapt::default() };
        let point = if self.files.from_files.is_empty() {
            point_of(&assembly, &self.tenant, self.point.as_deref()).await?
        } else {
            let imported = import(&assembly, &self.tenant, self.files.wanted()).await?;
            if !session.json() {
                told(session, &imported);
            }
            adapt.migrate = imported.migrate && !self.check;
            let unknown = || Fault::new(Code::Internal).with("what", "a restore point without an id");
            imported.manifest.id.ok_or_else(unknown)?.to_string()
        };
        let part = self.part.of(&assembly, &self.tenant, &point).await?;
        let (tenant, check_only) = (self.tenant, self.check);
        let intent = Intent::Restore { tenant, point, check_only, adapt, part, until: None, base: None };
        // A check touches nothing live, so nobody is asked.
        let how = Performance { yes: self.how.yes || self.check, ..self.how };
        perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await
    }
}

/// What was taken in, and what of it is other than in the files.
fn told(session: &Session, imported: &Imported) {
    let manifest = &imported.manifest;
    let files: usize = manifest.files.values().map(|set| set.files.len()).sum();
    let id = manifest.id.as_ref().map_or("–", |id| id.short());
    let text = Message::new("restore-imported")
        .with("point", id)
        .with("tables", count_text(manifest.summary.tables.len() as u64))
        .with("rows", count_text(manifest.summary.rows()))
        .with("files", count_text(files as u64))
        .with("version", imported.version.as_deref().unwrap_or("–"))
        .with("stack", imported.stack_version.as_deref().unwrap_or("–"));
    tell(text.render(&session.language));
    if imported.changed.sandbox {
        tell(Message::new("restore-imported-sandbox").render(&session.language));
    }
    if !imported.changed.definers.is_empty() {
        let definers: Vec<&str> = imported.changed.definers.iter().map(String::as_str).collect();
        let text = Message::new("restore-imported-definers").with("definers", definers.join(", "));
        tell(text.render(&session.language));
    }
}
