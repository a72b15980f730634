//! A copy of a tenant's data in a database and a directory of its own, made from a restore point. The database is marked in
//! its comment with what made it, so that nothing else is ever removed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Tenant;
use eclusa_ports::{DatabaseCopy, PointManifest, SwapState};
use secrecy::SecretString;

use super::directories::Directories;
use super::point::id_of;
use super::restore::{compare, compare_files, proof_failed, stored};
use crate::context::Context;

/// A copy, and where it is.
pub(super) struct Copying<'a> {
    pub context: &'a Context,
    /// Whether its database lies in a server of its own, which came with an empty database of that name.
    pub own_server: bool,
    /// Whose data it is.
    pub from: &'a Tenant,
    /// What it is: its database is the copy's.
    pub to: &'a Tenant,
    /// What its parts are named by.
    pub suffix: &'a str,
    /// By which its database is known.
    pub mark: String,
    /// Where its files are made.
    pub directory: PathBuf,
}

/// What was compared.
pub(super) struct Compared {
    pub rows: u64,
    pub files: usize,
}

impl Copying<'_> {
    pub(super) fn directories(&self) -> Directories<'_> {
        Directories(&*self.context.ports.host)
    }

    pub(super) fn beside(&self) -> DatabaseCopy {
        DatabaseCopy::Beside(self.suffix.to_owned())
    }

    pub(super) fn refused(&self, problem: impl std::fmt::Display) -> Fault {
        Fault::new(Code::CloneRefused).with("tenant", &self.to.name).with("problem", problem)
    }

    /// Makes the database and restores the point beside it, and its files into the directory.
    pub(super) async fn fill(
        &self,
        manifest: &PointManifest,
        sets: &BTreeMap<String, String>,
        directories: &[String],
    ) -> Result<()> {
        let ports = &self.context.ports;
        let id = id_of(manifest)?;
        if manifest.database.is_empty() {
            return Err(self.refused(format!("restore point {} holds no database", id.short())));
        }
        if !self.own_server {
            ports.database.make(self.to, self.from, &self.mark).await?;
            eclusa_crash::point("clone.database-made");
        }
        let dump = stored(ports, &self.from.name, &id, manifest).await?;
        ports.database.restore_beside(self.to, self.suffix, dump).await?;
        eclusa_crash::point("clone.database-beside");
        let host = self.directories();
        host.remove(&self.directory).await?;
        host.make(&self.directory, "0700").await?;
        for inside in directories {
            host.make(&self.directory.join(inside), "0755").await?;
        }
        for (set, inside) in sets {
            let directory = self.directory.join(inside);
            host.make(&directory, "0755").await?;
            if manifest.files.contains_key(set) {
                ports.vault.restore_files(&self.from.name, &id, set, &directory).await?;
            }
        }
        Ok(())
    }

    /// Compares a copy of the database, and the files, with the point's manifest.
    pub(super) async fn prove(
        &self,
        manifest: &PointManifest,
        database: &DatabaseCopy,
        sets: &BTreeMap<String, String>,
    ) -> Result<Compared> {
        let ports = &self.context.ports;
        let found = ports.database.summarise(self.to, database, manifest.summary.checksums).await?;
        compare(self.to, manifest, &found)?;
        let mut files = 0;
        for (set, expected) in &manifest.files {
            let inside = sets.get(set).ok_or_else(|| {
                proof_failed(self.to, format!("the restore point holds files {set}, which have no place"))
            })?;
            let found = ports.vault.summarise_files(&self.directory.join(inside)).await?;
            files += compare_files(self.to, set, expected, &found)?;
        }
        Ok(Compared { rows: found.rows(), files })
    }

    /// What lies beside the made database becomes its content.
    pub(super) async fn swap_database(&self) -> Result<()> {
        let database = &self.context.ports.database;
        if database.swap_state(self.to, self.suffix).await? != SwapState::Nothing {
            database.swap_in(self.to, self.suffix).await?;
            eclusa_crash::point("clone.database-swapped");
            database.drop_copy(self.to, &DatabaseCopy::Kept(self.suffix.to_owned())).await?;
        }
        // What a try before this one has swapped in must be there; an empty database is no copy of anything.
        if database.counts(self.to).await?.is_empty() {
            return Err(proof_failed(self.to, "its database is empty"));
        }
        Ok(())
    }

    /// Makes the account that may use the database, and no other.
    pub(super) async fn make_account(&self, password: &SecretString) -> Result<()> {
        self.context.ports.database.make_account(self.to, self.from, &self.mark, password).await
    }

    /// Removes the database with everything beside it. Idempotent.
    pub(super) async fn discard_database(&self) -> Result<()> {
        if self.own_server {
            // It goes with its server.
            return Ok(());
        }
        let database = &self.context.ports.database;
        database.drop_copy(self.to, &self.beside()).await?;
        database.drop_copy(self.to, &DatabaseCopy::Kept(self.suffix.to_owned())).await?;
        database.drop_made(self.to, &self.mark).await
    }
}
