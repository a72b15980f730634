//! What the files of a Python project say, recognised line by line: settings, URLs, management commands, tests. No
//! code is run, so everything found here is a guess of how the program behaves; where a text is written in an
//! unusual way, less is found.

pub(crate) mod commands;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod urls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use source::strings;

/// How deep `manage.py` may lie below the build context.
const MANAGE_DEPTH: usize = 3;

/// How deep the project's files are looked at.
const DEPTH: usize = 8;

/// The most files and bytes that are read.
const MOST_FILES: usize = 4000;
const MOST_BYTES: u64 = 512 * 1024;

/// Directories that hold no code of the project.
const SKIPPED: [&str; 12] = [
    ".git",
    "node_modules",
    "venv",
    ".venv",
    "env",
    "__pycache__",
    "site-packages",
    ".tox",
    ".mypy_cache",
    ".pytest_cache",
    "staticfiles",
    "build",
];

/// A Django project's files.
#[derive(Debug)]
pub(crate) struct PythonProject {
    /// The directory of `manage.py`: where module names begin.
    pub(crate) root: PathBuf,
    /// The text of `manage.py`.
    pub(crate) manage: String,
    /// The Python files below it, by path.
    pub(crate) files: BTreeMap<PathBuf, String>,
}

fn wanted(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(entry.file_type().is_dir() && SKIPPED.contains(&name.as_ref()))
}

/// Reads a text of reasonable length.
pub(crate) fn read(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// The `manage.py` that lies highest, if there is one.
pub(crate) fn find_manage(context: &Path) -> Option<PathBuf> {
    let mut found: Vec<(usize, PathBuf)> = WalkDir::new(context)
        .max_depth(MANAGE_DEPTH + 1)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(wanted)
        .flatten()
        .filter(|entry| entry.file_name() == "manage.py" && entry.file_type().is_file())
        .filter(|entry| read(entry.path()).is_some_and(|text| text.to_lowercase().contains("django")))
        .map(|entry| (entry.depth(), entry.into_path()))
        .collect();
    found.sort();
    found.into_iter().next().map(|(_, path)| path)
}

impl PythonProject {
    /// Reads the project of a `manage.py`.
    pub(crate) fn load(manage: &Path) -> Option<Self> {
        let root = manage.parent()?.to_owned();
        let files = WalkDir::new(&root)
            .max_depth(DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(wanted)
            .flatten()
            .filter(|entry| {
                entry.file_type().is_file() && entry.path().extension().is_some_and(|end| end == "py")
            })
            .take(MOST_FILES)
            .filter_map(|entry| Some((entry.path().to_owned(), read(entry.path())?)))
            .collect();
        Some(Self { manage: read(manage)?, root, files })
    }

    /// The file of a module: `shop.settings` is `shop/settings.py` or `shop/settings/__init__.py`.
    pub(crate) fn module(&self, name: &str) -> Option<PathBuf> {
        let path = name.split('.').fold(self.root.clone(), |path, part| path.join(part));
        [path.with_extension("py"), path.join("__init__.py")]
            .into_iter()
            .find(|file| self.files.contains_key(file))
    }

    /// The file that `from MODULE import …` in another file means; a module may begin with dots.
    pub(crate) fn imported(&self, from: &Path, module: &str) -> Option<PathBuf> {
        let dots = module.len() - module.trim_start_matches('.').len();
        if dots == 0 {
            return self.module(module);
        }
        let mut base = from.parent()?.to_owned();
        for _ in 1..dots {
            base = base.parent()?.to_owned();
        }
        let relative = base.strip_prefix(&self.root).ok()?.to_string_lossy().replace('/', ".");
        let rest = module.trim_start_matches('.');
        let parts: Vec<&str> =
            [relative.as_str(), rest].into_iter().filter(|part| !part.is_empty()).collect();
        self.module(&parts.join("."))
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &Path) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    /// A path below the root, for people.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// The module that `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "…")` names in a text.
    pub(crate) fn settings_module_in(text: &str) -> Option<String> {
        let line = text.lines().find(|line| line.contains("DJANGO_SETTINGS_MODULE"))?;
        strings(line)
            .into_iter()
            .find(|word| word != "DJANGO_SETTINGS_MODULE" && word.contains(|c: char| c.is_alphabetic()))
    }
}
