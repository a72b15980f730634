//! `eclusa.toml` as a whole: read, checked, and asked for its stacks.

use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_model::StackName;

use crate::model::{ConfigurationFile, Origin, Stack};
use crate::reading::read_text;
use crate::source::{read, resolved};

/// A configuration that was read and found good.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// What stands in the file.
    pub file: ConfigurationFile,
    /// The file's absolute path.
    pub path: PathBuf,
    /// The file's directory, to which relative paths are relative.
    pub directory: PathBuf,
}

impl Configuration {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `ConfigUnreadable`, or `ConfigInvalid` with the line shown, what was expected and what to write.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Reads and checks a text. Nothing on the disk is looked at.
    ///
    /// # Errors
    /// `ConfigInvalid`, as for [`Configuration::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let mut file = read_text(text, path)?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let directory = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        for (name, stack) in &mut file.stacks {
            stack.origin =
                Origin { name: name.to_string(), file: absolute.clone(), directory: directory.clone() };
        }
        Ok(Self { file, path: absolute, directory })
    }

    /// The stack of a name, or the only one there is.
    ///
    /// # Errors
    /// `ConfigStack` with the known ones.
    pub fn stack(&self, name: Option<&str>) -> Result<(&StackName, &Stack)> {
        let stacks = &self.file.stacks;
        let problem = match name {
            Some(name) => match stacks.iter().find(|(key, _)| key.as_str() == name) {
                Some(found) => return Ok(found),
                None => Message::new("config-stack-unknown").with("stack", name),
            },
            None => {
                let mut all = stacks.iter();
                match (all.next(), all.next()) {
                    (Some(only), None) => return Ok(only),
                    _ => Message::new("config-stack-several"),
                }
            }
        };
        let known: Vec<&str> = stacks.keys().map(StackName::as_str).collect();
        Err(Fault::new(Code::ConfigStack)
            .with("path", self.path.display())
            .with("problem", problem.render(&Language::default()))
            .with("known", known.join(", ")))
    }

    /// The state directory that the file names; `None`: the installation's own.
    #[must_use]
    pub fn state_directory(&self) -> Option<PathBuf> {
        self.file.state.as_ref().map(|state| resolved(&self.directory, state))
    }
}
