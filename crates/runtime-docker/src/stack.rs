//! What a higher layer says about one Compose stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eclusa_model::{ServiceName, ServiceRole, StackName};

/// Where releases of the stack come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackSource {
    /// A git repository on this host; a commit of it is built.
    Git {
        /// Any directory of the repository's work tree.
        repository: PathBuf,
        /// Variables that the build sees on top of the env files. `{release}` and `{commit}` in a value stand for
        /// the release's name and its full commit id.
        build_variables: BTreeMap<String, String>,
    },
    /// An image tag that a variable of the env file holds.
    Image {
        /// The variable's name.
        variable: String,
    },
}

/// The edge in front of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeSettings {
    /// The directory of the host that is mounted at `/run/eclusa` inside the edge: its configuration, its state and
    /// its control socket.
    pub control_directory: PathBuf,
    /// The content of `/run/eclusa/edge.json`. Its upstream is `http://FRONTEND:PORT` on the stack's own network, and
    /// it listens on `listen_port`.
    pub config_json: Vec<u8>,
    /// The port that the edge listens on inside its container.
    pub listen_port: u16,
}

/// One Compose stack. Every path is absolute.
#[derive(Debug, Clone)]
pub struct ComposeStack {
    /// Its name in the configuration.
    pub name: StackName,
    /// What Compose calls the project directory: relative paths of the Compose files start there.
    pub directory: PathBuf,
    /// The user's Compose files, in the order in which Compose merges them.
    pub files: Vec<PathBuf>,
    /// The project name, where it is not Compose's own choice.
    pub project: Option<String>,
    /// The env files given to Compose. When empty, Compose takes `.env` of the project directory if it is there.
    pub env_files: Vec<PathBuf>,
    /// Where checkouts, build logs and temporary overrides go.
    pub state_directory: PathBuf,
    /// Where the generated override goes; `docker-compose.eclusa.yml` beside the first Compose file when absent.
    pub override_path: Option<PathBuf>,
    /// What each service does. A service that is not named is `Other`.
    pub roles: BTreeMap<ServiceName, ServiceRole>,
    /// Where releases come from.
    pub source: StackSource,
    /// The service that the public reaches.
    pub frontend: ServiceName,
    /// The port that it listens on inside its container.
    pub frontend_port: u16,
    /// The loopback port of this host by which it is reached past the edge.
    pub side_door_port: u16,
    /// The static binary of which images of Eclusa's own are made: the edge's, and that of a trial's relay.
    pub binary: PathBuf,
    /// The edge, where one is configured. Whether it is installed stands in the override.
    pub edge: Option<EdgeSettings>,
}

impl ComposeStack {
    /// Where the generated override is.
    #[must_use]
    pub fn override_file(&self) -> PathBuf {
        self.override_path.clone().unwrap_or_else(|| {
            let directory = self.files.first().and_then(|file| file.parent()).unwrap_or(&self.directory);
            directory.join("docker-compose.eclusa.yml")
        })
    }

    /// What a service does.
    #[must_use]
    pub fn role(&self, service: &ServiceName) -> ServiceRole {
        if service.as_str() == crate::EDGE_SERVICE {
            return ServiceRole::Edge;
        }
        self.roles.get(service).copied().unwrap_or(ServiceRole::Other)
    }
}
