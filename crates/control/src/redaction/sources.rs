//! Every place of an installation in which a secret can stand: the environment of this process, env files, what
//! `eclusa.toml` refers to, Compose files, keys of the vault. What cannot be read is passed over: a text is redacted
//! by what is known.

use std::collections::BTreeMap;
use std::path::Path;

use eclusa_config::{EnvironmentFile, EnvironmentFiles, Secrets, Stack, Value, ValueKind};
use eclusa_vault::{StackKey, is_wrapped};
use secrecy::ExposeSecret;

use super::{Redaction, compose_files};

/// A file that is larger is no key and no secret.
const LARGEST_FILE: u64 = 64 * 1024;
/// A value that is shorter looks like nothing.
const SHORTEST_RANDOM: usize = 16;

/// Whether a name says that its value is a secret. Names of files (`…_FILE`) say where one is.
#[must_use]
pub fn looks_secret(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "PWD",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "PRIVATE",
        "CREDENTIAL",
        "_KEY",
        "DSN",
        "SALT",
        "SIGNATURE",
    ];
    const ENDINGS: &[&str] = &["_PASS", "_AUTH", "_PIN", "_PSK"];
    let name = name.to_ascii_uppercase().replace('-', "_");
    let place = ["_FILE", "_PATH", "_DIR", "_NAME", "_ID_FILE"].iter().any(|ending| name.ends_with(ending));
    let whole = ["PASS", "AUTH", "KEY", "PIN", "PGPASSFILE"].contains(&name.as_str());
    // The working directory of a shell.
    let directory = ["PWD", "OLDPWD"].contains(&name.as_str());
    !place
        && !directory
        && (whole
            || WORDS.iter().any(|word| name.contains(word))
            || ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// Whether a name says that its value is a version of something: random, and no secret.
fn names_version(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TAG", "VERSION", "IMAGE", "COMMIT", "REVISION", "DIGEST", "RELEASE", "BUILD"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether a value looks as if it was drawn at random: letters and digits in no order of words.
pub(crate) fn looks_random(value: &str) -> bool {
    let class = |c: char| {
        if c.is_ascii_digit() {
            0
        } else if c.is_ascii_uppercase() {
            1
        } else if c.is_alphabetic() {
            2
        } else {
            3
        }
    };
    let classes: Vec<u8> = value.chars().map(class).collect();
    let changes = classes.windows(2).filter(|pair| pair.first() != pair.last()).count();
    let good = value.chars().all(|c| c.is_ascii_alphanumeric() || "+/_=-".contains(c));
    let path = value.starts_with(['/', '.']) || (value.contains('/') && !classes.contains(&1));
    good && !path
        && classes.len() >= SHORTEST_RANDOM
        && classes.contains(&0)
        && (classes.contains(&1) || classes.contains(&2))
        && changes * 4 >= classes.len()
}

/// The names of this process's environment variables.
#[must_use]
pub fn process_names() -> Vec<String> {
    let mut names: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    names.sort();
    names
}

impl Redaction {
    /// What the environment of this process holds.
    #[must_use]
    pub fn of_process() -> Self {
        let mut redaction = Self::default();
        redaction.process();
        redaction.build();
        redaction
    }

    /// What stacks have, besides; `state` is the state directory, where that is known.
    #[must_use]
    pub fn of_stacks<'a>(stacks: impl IntoIterator<Item = &'a Stack>, state: Option<&Path>) -> Self {
        let mut redaction = Self::default();
        let stacks: Vec<&Stack> = stacks.into_iter().collect();
        // Names first: they decide which values can be searched for.
        for stack in &stacks {
            redaction.names(stack);
        }
        redaction.process();
        for stack in &stacks {
            redaction.stack(stack, state);
        }
        redaction.build();
        redaction
    }

    /// What lies beside a configuration file, also where that cannot be read: env files, Compose files.
    pub fn directory(&mut self, configuration: &Path) {
        let directory =
            configuration.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let small =
                entry.metadata().is_ok_and(|found| found.is_file() && found.len() <= LARGEST_FILE * 4);
            if small && (name.starts_with(".env") || name.ends_with(".env")) {
                self.environment_file(&path, None);
            } else if small && name.contains("compose") && (name.ends_with(".yml") || name.ends_with(".yaml"))
            {
                compose_files::read(self, &path);
            }
        }
        self.build();
    }

    fn process(&mut self) {
        for (name, value) in std::env::vars_os() {
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                // What looks random there may be any program's; only what is named a secret is taken for one.
                if looks_secret(&name) {
                    self.add(&value);
                }
                self.url(&value);
            }
        }
    }

    fn names(&mut self, stack: &Stack) {
        let mut names: Vec<String> = vec![stack.origin.name.clone()];
        names.extend(stack.compose.iter().flat_map(|compose| compose.project.clone()));
        names.extend(stack.tenants.keys().map(ToString::to_string));
        let roles = &stack.services;
        let services = stack.application_services().chain(&roles.frontend).chain(&roles.database);
        names.extend(services.chain(&roles.caches).map(ToString::to_string));
        names.extend(
            stack.domains.iter().chain(stack.tenants.values().flat_map(|tenant| &tenant.domains)).cloned(),
        );
        let environment = environment(stack);
        let tables =
            stack.database.iter().chain(stack.tenants.values().filter_map(|tenant| tenant.database.as_ref()));
        for value in tables.flat_map(|database| database.name.iter().chain(&database.user)) {
            names.extend(stack.plain_value(value, &environment).ok());
        }
        self.public.extend(names.into_iter().map(|name| name.to_lowercase()));
    }

    fn stack(&mut self, stack: &Stack, state: Option<&Path>) {
        for path in stack.environment_paths() {
            self.environment_file(&path, stack.release.variable.as_deref());
        }
        let secrets = Secrets::new(environment(stack), &stack.origin.directory);
        let empty = BTreeMap::new();
        let tests = stack.commands.tests.as_ref().map_or(&empty, |tests| &tests.environment);
        let services = stack.process.iter().flat_map(|process| process.services.values());
        let tables = services
            .map(|service| &service.environment)
            .chain(stack.hooks.iter().map(|hook| &hook.environment))
            .chain([tests]);
        for (name, value) in tables.flatten() {
            self.value(&secrets, name, value);
        }
        for webhook in &stack.webhooks {
            if let Ok(url) = secrets.value(&webhook.url) {
                self.add(url.expose_secret());
                self.url(url.expose_secret());
            }
            if let Some(secret) =
                webhook.secret.as_ref().and_then(|secret| secrets.resolve(secret.as_str()).ok())
            {
                self.add(secret.expose_secret());
            }
        }
        for s3 in stack.mirrors.iter().filter_map(|mirror| mirror.s3.as_ref()) {
            if let Ok(secret) = secrets.resolve(s3.secret_access_key.as_str()) {
                self.add(secret.expose_secret());
            }
        }
        let databases =
            stack.database.iter().chain(stack.tenants.values().filter_map(|tenant| tenant.database.as_ref()));
        let passwords = databases.flat_map(|database| {
            let servers = database.servers.iter().filter_map(|server| server.password.as_ref());
            database.password.iter().chain(servers)
        });
        for password in passwords {
            if let Ok(value) = secrets.resolve(password.as_str()) {
                self.add(value.expose_secret());
            }
        }
        if let Some(compose) = &stack.compose {
            for file in &compose.files {
                compose_files::read(self, &stack.resolve(file));
            }
        }
        let stack_key = stack.vault.stack_key.as_ref();
        let stack_key = stack_key.and_then(|reference| secrets.resolve(reference.as_str()).ok());
        for line in stack_key.iter().flat_map(|text| text.expose_secret().lines()) {
            // What else `age-keygen` writes is no secret.
            if !line.starts_with('#') {
                self.add(line.trim());
            }
        }
        if let Some(state) = state {
            let stack_key = stack_key.and_then(|text| StackKey::parse(&text).ok());
            self.keys_of(&stack.key_directory(state), stack_key.as_ref());
        }
    }

    /// A variable's value: what stands in the file itself is a secret only where it looks like one.
    fn value(&mut self, secrets: &Secrets, name: &str, value: &Value) {
        match value.kind() {
            ValueKind::Literal(text) => self.variable(name, text),
            ValueKind::Environment(_) | ValueKind::File(_) => {
                if let Ok(value) = secrets.resolve(value.as_str()) {
                    let text = value.expose_secret();
                    // A plain address is no secret, however it is referred to.
                    if !text.contains("://") {
                        self.add(text);
                    }
                    self.variable(name, text);
                }
            }
        }
    }

    /// What a name or the value itself says to be a secret.
    pub(super) fn variable(&mut self, name: &str, value: &str) {
        if value.contains("://") && !value.contains('\n') {
            self.url(value);
        } else if looks_secret(name)
            || (looks_random(value) && !names_version(name))
            || value.contains("PRIVATE KEY")
        {
            self.add(value);
        }
    }

    /// The secrets in a URL: what stands before its host, random parts of its path, and of its query what is named so.
    fn url(&mut self, value: &str) {
        let Some((_, rest)) = value.split_once("://") else { return };
        let mut found: Vec<String> = Vec::new();
        let mut after = rest;
        if let Some((user, host)) = rest.rsplit_once('@') {
            after = host;
            match user.split_once(':') {
                Some((_, password)) => found.push(password.to_owned()),
                None => found.push(user.to_owned()),
            }
        }
        let (path, query) = after.split_once('?').unwrap_or((after, ""));
        found.extend(path.split('/').skip(1).filter(|part| looks_random(part)).map(str::to_owned));
        for (name, text) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if looks_secret(name) || looks_random(text) || ["key", "sig", "code"].contains(&name) {
                found.push(text.to_owned());
            }
        }
        for text in &found {
            self.add(text);
            self.add(&decoded(text));
        }
        if !found.is_empty() {
            self.add(value);
        }
    }

    /// An env file; one that cannot be read as such is still read line by line.
    pub(super) fn environment_file(&mut self, path: &Path, version: Option<&str>) {
        match EnvironmentFile::load(path) {
            Ok(file) => {
                for variable in &file.variables {
                    if let Some(value) = &variable.value
                        && version != Some(variable.name.as_str())
                    {
                        self.variable(&variable.name, value.expose_secret());
                    }
                }
            }
            Err(_) => {
                let text = std::fs::read(path).unwrap_or_default();
                for line in String::from_utf8_lossy(&text).lines() {
                    if let Some((name, value)) = line.split_once('=') {
                        self.variable(name.trim(), value.trim().trim_matches(['"', '\'']));
                    }
                }
            }
        }
    }

    /// The content of a file that is a secret as a whole.
    pub(super) fn file(&mut self, path: &Path) {
        let small = std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= LARGEST_FILE);
        if small && let Ok(text) = std::fs::read_to_string(path) {
            self.add(text.trim_end_matches(['\n', '\r']));
        }
    }

    /// The keys of tenants, as they lie or as the stack key opens them.
    fn keys_of(&mut self, directory: &Path, stack_key: Option<&StackKey>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let small = entry.metadata().is_ok_and(|found| found.is_file() && found.len() <= LARGEST_FILE);
            let Some(bytes) = small.then(|| std::fs::read(&path).ok()).flatten() else { continue };
            if !is_wrapped(&bytes) {
                self.file(&path);
            } else if let Some(text) = stack_key.and_then(|key| key.open(&bytes).ok()) {
                self.add(text.expose_secret().trim_end_matches(['\n', '\r']));
            }
        }
    }

    pub(super) fn environment_variable(&mut self, name: &str) {
        if let Ok(value) = std::env::var(name) {
            self.add(&value);
        }
    }

    pub(super) fn whole(&mut self, value: &str) {
        self.add(value);
    }
}

/// The env files of a stack that can be read; the others are passed over.
fn environment(stack: &Stack) -> EnvironmentFiles {
    stack.environment_files().unwrap_or_else(|_| {
        let files =
            stack.environment_paths().iter().filter_map(|path| EnvironmentFile::load(path).ok()).collect();
        EnvironmentFiles::new(files, eclusa_config::ProcessEnvironment::Real)
    })
}

/// A part of a URL as it was before it was put there.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
