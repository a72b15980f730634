//! A copy of a tenant under another name. It is made in a directory that no application looks into and in a database that
//! nobody has an account for; it gets its place by one rename. What a run made is marked with the plan's suffix, in the comment
//! of the database and in the copy's own configuration, so that nothing else is ever removed.

use std::path::{Path, PathBuf};

use eclusa_fault::Result;
use eclusa_ports::PointManifest;
use eclusa_runbook::{CloneOperation, CloneStep, Outputs, PointReference, Scrub, StatementFile};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::copying::Copying;
use super::directories::shown;
use super::erasure;
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

/// A copy, and where it is.
struct Copy<'a> {
    operation: &'a CloneOperation,
    copying: Copying<'a>,
    sites: PathBuf,
}

impl<'a> std::ops::Deref for Copy<'a> {
    type Target = Copying<'a>;

    fn deref(&self) -> &Copying<'a> {
        &self.copying
    }
}

pub(super) async fn perform(context: &Context, operation: &CloneOperation) -> Result<Outputs> {
    let sites = context.ports.runtime.files_directory(&operation.sites).await?;
    let copying = Copying {
        own_server: false,
        context,
        from: context.tenant(&operation.from)?,
        to: context.tenant(&operation.to)?,
        suffix: &operation.suffix,
        mark: format!("eclusa: copy {}", operation.suffix),
        directory: sites.join(MAKING).join(operation.to.as_str()),
    };
    let copy = Copy { operation, copying, sites };
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
    /// Where it will be.
    fn place(&self) -> PathBuf {
        self.sites.join(self.to.name.as_str())
    }

    async fn manifest(&self) -> Result<PointManifest> {
        self.context.ports.vault.find(&self.from.name, &self.operation.point).await
    }

    async fn fill(&self) -> Result<()> {
        if self.directories().exists(&self.place()).await? {
            return Err(
                self.refused(format!("{} is there, and nothing is ever overwritten", self.place().display()))
            );
        }
        self.copying.fill(&self.manifest().await?, &self.operation.sets, &self.operation.directories).await
    }

    async fn prove(&self) -> Result<Outputs> {
        let compared =
            self.copying.prove(&self.manifest().await?, &self.beside(), &self.operation.sets).await?;
        let files = compared.files.to_string();
        Ok(Outputs::from([("rows".to_owned(), compared.rows.to_string()), ("files".to_owned(), files)]))
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
        let path = self.directory.join(CONFIGURATION);
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
        let written = if self.directories().exists(&path).await? {
            settings::read(self.context, &path).await?
        } else {
            Object::new()
        };
        let secret =
            |member: &str, fresh: String| written.get(member).cloned().unwrap_or_else(|| json!(fresh));
        let clock = &self.context.ports.clock;
        wanted.insert("db_name".to_owned(), json!(name));
        // It is made where the database of the other site is now, wherever that was when the point was taken.
        let live = self.sites.join(self.from.name.as_str()).join(CONFIGURATION);
        let live = settings::read(self.context, &live).await?;
        for key in SERVER {
            match live.get(key) {
                Some(value) => wanted.insert(key.to_owned(), value.clone()),
                None => wanted.remove(key),
            };
        }
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
        let like = self.sites.join(self.from.name.as_str()).join(CONFIGURATION);
        let mode = settings::mode(self.context, &like).await?;
        settings::write(self.context, &path, &wanted, mode).await?;
        let left_out = if left_out.is_empty() { "–".to_owned() } else { left_out.join(", ") };
        Ok(Outputs::from([("left-out".to_owned(), left_out)]))
    }

    async fn account(&self) -> Result<()> {
        let configuration = settings::read(self.context, &self.directory.join(CONFIGURATION)).await?;
        let password = configuration.get("db_password").and_then(Value::as_str).unwrap_or_default();
        if password.is_empty() {
            return Err(self.refused("its configuration has no password"));
        }
        let password = SecretString::from(password.to_owned());
        self.make_account(&password).await
    }

    async fn publish(&self) -> Result<()> {
        self.swap_database().await?;
        let (host, made, place) = (self.directories(), &self.directory, self.place());
        if host.exists(made).await? {
            if host.exists(&place).await? {
                return Err(self.refused(format!("{} is there by now", place.display())));
            }
            // Who owns the directory of the site that is copied runs this one too.
            let like = self.sites.join(self.from.name.as_str());
            host.own(made, &like).await?;
            host.mode(made, &like).await?;
            host.command(&["sync", "--file-system", &shown(&self.sites)]).await?;
            eclusa_crash::point("clone.owned");
            host.command(&["mv", "--no-target-directory", "--", &shown(made), &shown(&place)]).await?;
            eclusa_crash::point("clone.placed");
        }
        if !self.is_ours(&place).await? {
            return Err(self.refused(format!("{} is not what was made", place.display())));
        }
        host.command(&["sync", "--file-system", &shown(&self.sites)]).await?;
        host.remove_empty(&self.sites.join(MAKING)).await
    }

    async fn unpublish(&self) -> Result<()> {
        if self.is_ours(&self.place()).await? {
            let host = self.directories();
            host.make(&self.sites.join(MAKING), "0700").await?;
            host.remove(&self.directory).await?;
            let (place, made) = (shown(&self.place()), shown(&self.directory));
            host.command(&["mv", "--no-target-directory", "--", &place, &made]).await?;
        }
        Ok(())
    }

    async fn discard(&self) -> Result<()> {
        let host = self.directories();
        host.remove(&self.directory).await?;
        host.remove_empty(&self.sites.join(MAKING)).await?;
        self.discard_database().await
    }

    /// Whether a directory holds what this plan made.
    async fn is_ours(&self, directory: &Path) -> Result<bool> {
        let path = directory.join(CONFIGURATION);
        if !self.directories().exists(&path).await? {
            return Ok(false);
        }
        let configuration = settings::read(self.context, &path).await?;
        let suffix =
            configuration.get(ORIGIN).and_then(|origin| origin.get("suffix")).and_then(Value::as_str);
        Ok(suffix == Some(self.operation.suffix.as_str()))
    }
}

/// Where a site's own database server is named.
const SERVER: [&str; 2] = ["db_host", "db_port"];

/// What a copy takes over of a site's settings: switches and numbers. A text, or what holds texts, may be a secret or lead
/// to what the site that is copied uses: it is left out and named.
fn taken_over(before: &Object) -> (Object, Vec<String>) {
    let own = |name: &str| {
        let own = ["db_name", "db_password", "db_user", "encryption_key", ORIGIN];
        own.contains(&name) || SERVER.contains(&name)
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
