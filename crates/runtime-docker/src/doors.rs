//! The two doors to Docker on one host, opened once for all that works on a stack: its files' first reading, its runtime
//! and its lease.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_fault::Result;
use eclusa_ports::Host;

use crate::compose::{Compose, Invocation};
use crate::engine::Engine;
use crate::inspect::ProjectModel;

/// The `docker compose` command and the Engine API of one host. Clones share what was found out about them.
#[derive(Clone)]
pub struct DockerDoors {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) compose: Compose,
    pub(crate) engine: Engine,
}

impl DockerDoors {
    /// The doors of a host. Nothing is asked yet.
    #[must_use]
    pub fn new(host: Arc<dyn Host>) -> Self {
        let engine = Engine::new(Arc::clone(&host));
        Self::with_engine(host, engine)
    }

    /// The doors of a host whose engine answers at an address of its own. The `docker` command must lead to the same
    /// engine.
    #[must_use]
    pub fn with_engine(host: Arc<dyn Host>, engine: Engine) -> Self {
        let compose = Compose::new(Arc::clone(&host));
        Self { host, compose, engine }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Resolves a project from its files, without the variables of its images. Nothing is changed and no daemon is asked.
    ///
    /// # Errors
    /// `ComposeMissing`, `ComposeInvalid` with what Compose said.
    pub async fn resolve(
        &self,
        files: &[PathBuf],
        env_files: &[PathBuf],
        directory: &Path,
        project: Option<&str>,
    ) -> Result<ProjectModel> {
        self.compose.model(&Invocation::of_files(files, env_files, directory, project)).await
    }
}
