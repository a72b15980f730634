//! What a service starts: its commands, and the scripts of the tree that they lead to.

use std::collections::BTreeSet;

use crate::compose::Service;
use crate::compose::service::Argv;
use crate::context::Context;
use crate::dockerfile::{self, Dockerfile};
use crate::library::{join, name_of};
use crate::shell::{self, Command};

impl Context<'_> {
    /// What the image starts, where the service does not say otherwise.
    pub(crate) fn image_commands(
        &self,
        service: &Service,
        dockerfile: Option<&Dockerfile>,
        target: Option<&str>,
    ) -> Vec<Argv> {
        let Some(dockerfile) = dockerfile else { return Vec::new() };
        let mut found = Vec::new();
        for (keyword, key) in [("ENTRYPOINT", "entrypoint"), ("CMD", "command")] {
            if service.get(key).is_some() || (keyword == "CMD" && service.get("entrypoint").is_some()) {
                continue;
            }
            if let Some(instruction) = dockerfile.last(target, keyword) {
                let words = dockerfile::words(instruction);
                let script = crate::compose::service::script_of(&words);
                found.push(Argv { span: instruction.span, words, script });
            }
        }
        found
    }

    /// The commands of an argument vector, of the text that `sh -c` gets, and of the script of the tree that it starts.
    pub(crate) fn follow(
        &mut self,
        service: &Service,
        argv: &Argv,
        runs: &mut Vec<Command>,
        seen: &mut BTreeSet<String>,
    ) {
        let commands = match &argv.script {
            Some((text, span)) => shell::commands_of_scalar(text, *span),
            None => vec![Command {
                words: argv.words.clone(),
                then: shell::Then::Next,
                after: shell::Then::Next,
                depth: 0,
                condition: false,
            }],
        };
        let library = self.library;
        let mut called: Vec<String> = Vec::new();
        for command in &commands {
            for word in command.words.iter().take(4) {
                if word.text.contains(".sh")
                    || word.text.contains("entrypoint")
                    || word.text.starts_with("/usr/local/bin/")
                    || word.text.starts_with("/start")
                {
                    called.push(word.text.clone());
                }
            }
        }
        runs.extend(commands);
        for path in called {
            let Some(found) = self.script_path(service, &path) else { continue };
            if seen.len() < 8
                && seen.insert(found.clone())
                && let Some(script) = self.add_script(&found)
            {
                let commands = &script.commands;
                if library.keeps(commands.iter().map(Command::size).sum(), &found) {
                    runs.extend(commands.iter().cloned());
                }
            }
        }
    }

    /// The file of the tree behind a path in a container: bound there, or of that name in the build context.
    fn script_path(&self, service: &Service, path: &str) -> Option<String> {
        for mount in service.mounts() {
            let Some(source) = mount.tree_path() else { continue };
            if mount.target == path {
                return Some(source.to_owned());
            }
            if let Some(rest) = path.strip_prefix(&format!("{}/", mount.target)) {
                return join(source, rest);
            }
        }
        let context = service.build_context()?;
        if let Some(found) = self.copied(service, &context, path) {
            return Some(found);
        }
        let name = name_of(path);
        let prefix = if context.is_empty() { String::new() } else { format!("{context}/") };
        let mut candidates: Vec<&String> = self
            .library
            .tree()
            .paths()
            .iter()
            .filter(|one| name_of(one) == name && one.starts_with(&prefix))
            .collect();
        // The one whose path has most in common with the one in the container.
        candidates.sort_by_key(|one| std::cmp::Reverse(common_end(one, path)));
        match candidates.as_slice() {
            [only] => Some((*only).clone()),
            [first, second, ..] if common_end(first, path) > common_end(second, path) => {
                Some((*first).clone())
            }
            _ => None,
        }
    }

    /// The file that the image's Dockerfile copies to a path.
    fn copied(&self, service: &Service, context: &str, path: &str) -> Option<String> {
        let wanted = service.dockerfile()?;
        let (_, dockerfile) = self.dockerfiles.iter().find(|(known, _)| *known == wanted)?;
        let copies = dockerfile.stages.iter().flat_map(|stage| &stage.instructions);
        copies.filter(|one| matches!(one.keyword.as_str(), "COPY" | "ADD")).find_map(|one| {
            let words = dockerfile::words(one);
            if words.iter().any(|word| word.text.starts_with("--from")) {
                return None;
            }
            let plain: Vec<&str> =
                words.iter().map(|word| word.text.as_str()).filter(|word| !word.starts_with("--")).collect();
            let (target, sources) = plain.split_last()?;
            let source = sources.iter().find(|source| {
                *target == path || format!("{}/{}", target.trim_end_matches('/'), name_of(source)) == path
            })?;
            let found = join(context, source.trim_start_matches('/'))?;
            self.library.tree().paths().binary_search(&found).is_ok().then_some(found)
        })
    }
}

/// What a container starts: `["sh", "-c"]` as its entrypoint and a text as its command are one script.
pub(crate) fn whole(entrypoint: Option<Argv>, command: Option<Argv>) -> Vec<Argv> {
    match (entrypoint, command) {
        (Some(entrypoint), Some(command)) if entrypoint.script.is_none() => {
            let words: Vec<_> = entrypoint.words.iter().chain(&command.words).cloned().collect();
            match crate::compose::service::script_of(&words) {
                Some(script) => vec![Argv { span: command.span, words, script: Some(script) }],
                None => vec![entrypoint, command],
            }
        }
        (entrypoint, command) => entrypoint.into_iter().chain(command).collect(),
    }
}

fn common_end(left: &str, right: &str) -> usize {
    left.rsplit('/').zip(right.rsplit('/')).take_while(|(a, b)| a == b).count()
}
