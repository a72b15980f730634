//! A copy of a tenant under another name. It is made in a directory that no application looks into and in a database that
//! nobody has an account for; it gets its place by one rename. What a run made is marked with the plan's suffix, in the comment
//! of the database and in the copy's own configuration, so that nothing else is ever removed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Tenant;
use eclusa_ports::{CommandSpec, DatabaseCopy, NoOutput, PointManifest, SwapState};
use eclusa_runbook::{CloneOperation, CloneStep, Outputs, PointReference, Scrub, StatementFile};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::erasure;
use super::point::id_of;
use super::restore::{compare, compare_files, proof_failed, stored};
use super::settings::{self, Object};
use super::statements;
use crate::context::Context;

/// Where copies are made, in the directory of the sites. No site is looked for so deep, and none has such a name.
const MAKING: &str = ".eclusa-clones";
/// The file by which bench knows a site.
const CONFIGURATION: &str = "site_config.json";
/// The member of it that says what a site is a copy of.
const ORIGIN: &str = "eclusa_clone";
/// Settings that are texts and are taken over all the same.
const TAKEN_OVER: [&str; 1] = ["db_type"];
/// The most that is read of a configuration, in bytes.
const MOST: u64 = 4 * 1024 * 1024;

/// A copy, and where it is.
struct Copy<'a> {
    context: &'a Context,
    operation: &'a CloneOperation,
    from: &'a Tenant,
    to: &'a Tenant,
    sites: PathBuf,
}

pub(super) async fn perform(context: &Context, operation: &CloneOperation) -> Result<Outputs> {
    let copy = Copy {
        context,
        operation,
        from: context.tenant(&operation.from)?,
        to: context.tenant(&operation.to)?,
        sites: context.ports.runtime.files_directory(&operation.sites).await?,
    };
    match &operation.operation {
        CloneStep::Fill => copy.fill().await?,
        CloneStep::Prove => return copy.prove().await,
        CloneStep::Scrub { statements, masking, ledger } => {
            return copy.scrub(statements, masking.as_ref(), ledger.as_deref()).await;
        }
        CloneStep::Configure { maintenance } => return copy.configure(*maintenance).await,
        CloneStep::Account => copy.account().await?,
        CloneStep::Publish => copy.publish().await?,
        CloneStep::Unpublish => copy.unpublish().await?,
        CloneStep::Discard => copy.discard().await?,
    }
    Ok(Outputs::new())
}

impl Copy<'_> {
    /// By which the database is known as made by this plan.
    fn mark(&self) -> String {
        format!("eclusa: copy {}", self.operation.suffix)
    }

    fn beside(&self) -> DatabaseCopy {
        DatabaseCopy::Beside(self.operation.suffix.clone())
    }

    /// Where it is made.
    fn made(&self) -> PathBuf {
        self.sites.join(MAKING).join(self.to.name.as_str())
    }

    /// Where it will be.
    fn place(&self) -> PathBuf {
        self.sites.join(self.to.name.as_str())
    }

    fn refused(&self, problem: impl std::fmt::Display) -> Fault {
        Fault::new(Code::CloneRefused).with("tenant", &self.to.name).with("problem", problem)
    }

    async fn manifest(&self) -> Result<PointManifest> {
        self.context.ports.vault.find(&self.from.name, &self.operation.point).await
    }

    async fn fill(&self) -> Result<()> {
        let ports = &self.context.ports;
        if self.exists(&self.place()).await? {
            return Err(
                self.refused(format!("{} is there, and nothing is ever overwritten", self.place().display()))
            );
        }
        let manifest = self.manifest().await?;
        let id = id_of(&manifest)?;
        if manifest.database.is_empty() {
            return Err(self.refused(format!("restore point {} holds no database", id.short())));
        }
        ports.database.make(self.to, self.from, &self.mark()).await?;
        eclusa_crash::point("clone.database-made");
        let dump = stored(ports, &self.from.name, &id, &manifest).await?;
        ports.database.restore_beside(self.to, &self.operation.suffix, dump).await?;
        eclusa_crash::point("clone.database-beside");
        self.remove(&self.made()).await?;
        self.make_directory(&self.made(), "0700").await?;
        for inside in &self.operation.directories {
            self.make_directory(&self.made().join(inside), "0755").await?;
        }
        for (set, inside) in &self.operation.sets {
            let directory = self.made().join(inside);
            self.make_directory(&directory, "0755").await?;
            if manifest.files.contains_key(set) {
                ports.vault.restore_files(&self.from.name, &id, set, &directory).await?;
            }
        }
        Ok(())
    }

    async fn prove(&self) -> Result<Outputs> {
        let ports = &self.context.ports;
        let manifest = self.manifest().await?;
        let found = ports.database.summarise(self.to, &self.beside(), manifest.summary.checksums).await?;
        compare(self.to, &manifest, &found)?;
        let mut files = 0;
        for (set, expected) in &manifest.files {
            let inside = self.operation.sets.get(set).ok_or_else(|| {
                proof_failed(self.to, format!("the restore point holds files {set}, which have no place"))
            })?;
            let found = ports.vault.summarise_files(&self.made().join(inside)).await?;
            files += compare_files(self.to, set, expected, &found)?;
        }
        let rows = found.rows().to_string();
        Ok(Outputs::from([("rows".to_owned(), rows), ("files".to_owned(), files.to_string())]))
    }

    async fn scrub(
        &self,
        known: &[Scrub],
        masking: Option<&StatementFile>,
        ledger: Option<&str>,
    ) -> Result<Outputs> {
        let manifest = self.manifest().await?;
        let mut outputs = match ledger {
            Some(ledger) => erasure::replay(self.context, ledger, &manifest, self.to, &self.beside()).await?,
            None => Outputs::new(),
        };
        let tables = manifest.summary.tables;
        let fitting: Vec<&str> = known
            .iter()
            .filter(|scrub| tables.contains_key(&scrub.table))
            .map(|scrub| scrub.sql.as_str())
            .collect();
        let database = &self.context.ports.database;
        if !fitting.is_empty() {
            database.execute(self.to, &self.beside(), &fitting.join("\n")).await?;
        }
        eclusa_crash::point("clone.scrubbed");
        if let Some(file) = masking {
            let text = statements::read(self.context, file).await?;
            database.execute(self.to, &self.beside(), &text).await?;
        }
        outputs.insert("statements".to_owned(), fitting.len().to_string());
        Ok(outputs)
    }

    async fn configure(&self, maintenance: bool) -> Result<Outputs> {
        let path = self.made().join(CONFIGURATION);
        let place = self.from.service_configuration.iter().find(|place| place.name() == CONFIGURATION);
        let place =
            place.ok_or_else(|| self.refused(format!("{} has no {CONFIGURATION}", self.from.name)))?;
        let point = PointReference::Id(self.operation.point.clone());
        let before = settings::of_point(self.context, &self.from.name, place, &point).await?;
        let (mut wanted, left_out) = taken_over(&before);
        let eclusa_model::DatabasePlace::Mariadb { name, .. } = &self.to.database else {
            return Err(self.refused("its database is not MariaDB"));
        };
        // A try that was cut off has written them already.
        let written = if self.exists(&path).await? { self.read(&path).await? } else { Object::new() };
        let secret =
            |member: &str, fresh: String| written.get(member).cloned().unwrap_or_else(|| json!(fresh));
        let clock = &self.context.ports.clock;
        wanted.insert("db_name".to_owned(), json!(name));
        wanted.insert("db_password".to_owned(), secret("db_password", clock.random_text(24)));
        // 32 bytes in the Base64 of URLs; the last letter has no bits to spare.
        wanted.insert(
            "encryption_key".to_owned(),
            secret("encryption_key", format!("{}0=", clock.random_text(42))),
        );
        wanted.insert("mute_emails".to_owned(), json!(1));
        wanted.insert("pause_scheduler".to_owned(), json!(1));
        wanted.insert("maintenance_mode".to_owned(), json!(u8::from(maintenance)));
        let origin = json!({
            "tenant": self.from.name, "point": self.operation.point, "suffix": self.operation.suffix,
        });
        wanted.insert(ORIGIN.to_owned(), origin);
        let text =
            settings::written(&wanted).map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        let like = self.sites.join(self.from.name.as_str()).join(CONFIGURATION);
        let mode = settings::mode(self.context, &like).await?;
        self.context.ports.host.write_durably(&path, &text, mode).await?;
        let left_out = if left_out.is_empty() { "–".to_owned() } else { left_out.join(", ") };
        Ok(Outputs::from([("left-out".to_owned(), left_out)]))
    }

    async fn account(&self) -> Result<()> {
        let configuration = self.read(&self.made().join(CONFIGURATION)).await?;
        let password = configuration.get("db_password").and_then(Value::as_str).unwrap_or_default();
        if password.is_empty() {
            return Err(self.refused("its configuration has no password"));
        }
        let password = SecretString::from(password.to_owned());
        self.context.ports.database.make_account(self.to, self.from, &self.mark(), &password).await
    }

    async fn publish(&self) -> Result<()> {
        let database = &self.context.ports.database;
        let suffix = &self.operation.suffix;
        if database.swap_state(self.to, suffix).await? != SwapState::Nothing {
            database.swap_in(self.to, suffix).await?;
            eclusa_crash::point("clone.database-swapped");
            database.drop_copy(self.to, &DatabaseCopy::Kept(suffix.clone())).await?;
        }
        // What a try before this one has swapped in must be there; an empty database is no copy of anything.
        if database.counts(self.to).await?.is_empty() {
            return Err(proof_failed(self.to, "its database is empty"));
        }
        let (made, place) = (self.made(), self.place());
        if self.exists(&made).await? {
            if self.exists(&place).await? {
                return Err(self.refused(format!("{} is there by now", place.display())));
            }
            // Who owns the directory of the site that is copied runs this one too.
            let like = format!("--reference={}", self.sites.join(self.from.name.as_str()).display());
            self.command(&["chown", "--recursive", "--no-dereference", &like, "--", &shown(&made)]).await?;
            let mode = format!("--reference={}", self.sites.join(self.from.name.as_str()).display());
            self.command(&["chmod", &mode, "--", &shown(&made)]).await?;
            self.command(&["sync", "--file-system", &shown(&self.sites)]).await?;
            eclusa_crash::point("clone.owned");
            self.command(&["mv", "--no-target-directory", "--", &shown(&made), &shown(&place)]).await?;
            eclusa_crash::point("clone.placed");
        }
        if !self.is_ours(&place).await? {
            return Err(self.refused(format!("{} is not what was made", place.display())));
        }
        self.command(&["sync", "--file-system", &shown(&self.sites)]).await?;
        self.clear_making().await
    }

    async fn unpublish(&self) -> Result<()> {
        if self.is_ours(&self.place()).await? {
            self.make_directory(&self.sites.join(MAKING), "0700").await?;
            self.remove(&self.made()).await?;
            self.command(&["mv", "--no-target-directory", "--", &shown(&self.place()), &shown(&self.made())])
                .await?;
        }
        Ok(())
    }

    async fn discard(&self) -> Result<()> {
        self.remove(&self.made()).await?;
        self.clear_making().await?;
        let database = &self.context.ports.database;
        let suffix = &self.operation.suffix;
        database.drop_copy(self.to, &self.beside()).await?;
        database.drop_copy(self.to, &DatabaseCopy::Kept(suffix.clone())).await?;
        database.drop_made(self.to, &self.mark()).await
    }

    /// Whether a directory holds what this plan made.
    async fn is_ours(&self, directory: &Path) -> Result<bool> {
        let path = directory.join(CONFIGURATION);
        if !self.exists(&path).await? {
            return Ok(false);
        }
        let configuration = self.read(&path).await?;
        let suffix =
            configuration.get(ORIGIN).and_then(|origin| origin.get("suffix")).and_then(Value::as_str);
        Ok(suffix == Some(self.operation.suffix.as_str()))
    }

    /// The directory in which copies are made, when no other is made in it.
    async fn clear_making(&self) -> Result<()> {
        let making = shown(&self.sites.join(MAKING));
        self.command(&["rmdir", "--ignore-fail-on-non-empty", "--", &making]).await.or_else(|fault| {
            if fault.causes.iter().any(|cause| cause.contains("No such file")) { Ok(()) } else { Err(fault) }
        })
    }

    async fn read(&self, path: &Path) -> Result<Object> {
        settings::parsed(&self.context.ports.host.read(path, MOST).await?, &shown(path))
    }

    /// Whether something is there, a link that leads nowhere too.
    async fn exists(&self, path: &Path) -> Result<bool> {
        let text = shown(path);
        let argv = ["test", "-e", &text, "-o", "-L", &text];
        let spec = CommandSpec::new(argv, Duration::from_secs(30));
        Ok(self.context.ports.host.run(spec, &NoOutput).await?.code == 0)
    }

    async fn make_directory(&self, path: &Path, mode: &str) -> Result<()> {
        let mode = format!("--mode={mode}");
        self.command(&["mkdir", "--parents", &mode, "--", &shown(path)]).await
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        self.command(&["rm", "--recursive", "--force", "--one-file-system", "--", &shown(path)]).await
    }

    async fn command(&self, argv: &[&str]) -> Result<()> {
        let spec = CommandSpec::new(argv.iter().copied(), Duration::from_secs(300));
        let result = self.context.ports.host.run(spec, &NoOutput).await?;
        if result.code == 0 {
            return Ok(());
        }
        Err(Fault::new(Code::FileAccess)
            .with("path", argv.last().copied().unwrap_or_default())
            .with("operation", format!("changed by {}", argv.first().copied().unwrap_or_default()))
            .because(result.last_line().unwrap_or_default()))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What a copy takes over of a site's settings: switches and numbers. A text, or what holds texts, may be a secret or lead
/// to what the site that is copied uses: it is left out and named.
fn taken_over(before: &Object) -> (Object, Vec<String>) {
    let own = |name: &str| {
        let own = ["db_name", "db_password", "db_user", "encryption_key", ORIGIN];
        own.contains(&name)
    };
    let mut taken = Object::new();
    let mut left_out = Vec::new();
    for (name, value) in before.iter().filter(|(name, _)| !own(name)) {
        let plain = matches!(value, Value::Bool(_) | Value::Number(_) | Value::Null);
        if plain || TAKEN_OVER.contains(&name.as_str()) {
            taken.insert(name.clone(), value.clone());
        } else {
            left_out.push(name.clone());
        }
    }
    (taken, left_out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_site_goes_into_its_copy() {
        let before = json!({
            "db_name": "_1", "db_password": "hunter2", "db_user": "u", "encryption_key": "k", "db_type": "mariadb",
            "server_script_enabled": true, "max_file_size": 5, "mail_password": "hunter2", "domains": ["a.example"],
            "s3": {"secret": "hunter2"}, "nothing": null, "eclusa_clone": {"suffix": "c1"},
        });
        let (taken, left_out) = taken_over(&serde_json::from_value(before).unwrap());
        assert_eq!(
            serde_json::to_value(taken).unwrap(),
            json!({"db_type": "mariadb", "server_script_enabled": true, "max_file_size": 5, "nothing": null})
        );
        assert_eq!(left_out, ["domains", "mail_password", "s3"]);
    }
}
