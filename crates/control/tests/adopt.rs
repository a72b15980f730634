//! `adopt` on whole projects, without an engine: the file that it would write, and what it refuses. Needs the
//! `docker compose` command, which resolves the files; no daemon is asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use eclusa_config::{Configuration, ReleaseKind};
use eclusa_control::adopt::{self, Adopted, Certainty, Surroundings, Wanted};
use eclusa_fault::{Code, Fault, Language};
use eclusa_host::LocalHost;
use eclusa_model::AppKind;

/// A project in a directory of its own; its name decides that of the Compose project.
struct Project {
    _top: tempfile::TempDir,
    directory: PathBuf,
}

impl Project {
    fn empty(name: &str) -> Self {
        let top = tempfile::tempdir().unwrap();
        let directory = top.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        Self { _top: top, directory }
    }

    fn example(path: &str, name: &str) -> Self {
        let project = Self::empty(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path);
        for entry in walkdir::WalkDir::new(&source).into_iter().flatten() {
            let target = project.directory.join(entry.path().strip_prefix(&source).unwrap());
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(target).unwrap();
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
        project
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Makes an env file from its example, with nothing left to fill in.
    fn filled(&self, example: &str, file: &str) -> &Self {
        let text = std::fs::read_to_string(self.directory.join(example)).unwrap();
        self.write(file, &text.replace("CHANGE_ME_DOMAIN", "shop.example.org").replace("CHANGE_ME", "hunter2"))
    }

    fn in_git(&self) -> &Self {
        let status = Command::new("git").args(["init", "--quiet"]).current_dir(&self.directory).status().unwrap();
        assert!(status.success());
        self
    }

    fn wanted(&self, file: &str) -> Wanted {
        Wanted {
            files: vec![self.directory.join(file)],
            app: None,
            env_files: Vec::new(),
            project: None,
            stack: None,
            output: self.directory.join("eclusa.toml"),
            language: Language::default(),
        }
    }

    fn look(&self, wanted: &Wanted) -> Result<Adopted, Fault> {
        let surroundings = Surroundings { host: Arc::new(LocalHost::new()), ask: false, port_is_free: |_| true };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(adopt::look(wanted, &surroundings))
    }

    fn adopted(&self, file: &str) -> Adopted {
        self.look(&self.wanted(file)).unwrap()
    }
}

/// The text, after it was read as a configuration, and without a secret in it.
fn golden(adopted: &Adopted) -> &str {
    Configuration::parse(&adopted.text, &adopted.output).unwrap();
    assert!(!adopted.text.contains("hunter2"), "{}", adopted.text);
    &adopted.text
}

#[test]
fn the_boutique() {
    let project = Project::example("boutique/app", "boutique");
    project.filled(".env.production.example", ".env.production").in_git();
    insta::assert_snapshot!(golden(&project.adopted("docker-compose.prod.yml")));
}

#[test]
fn the_clinic() {
    let project = Project::example("others/clinic", "clinic");
    project.filled(".env.example", ".env").in_git();
    insta::assert_snapshot!(golden(&project.adopted("docker-compose.yml")));
}

#[test]
fn the_library() {
    let project = Project::example("others/library", "library");
    project.filled("production.env.example", "production.env");
    insta::assert_snapshot!(golden(&project.adopted("compose.prod.yaml")));
}
