//! The search: every byte that was left anywhere, for every form of every canary.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use aho_corasick::AhoCorasick;

use super::Canary;

/// Looks for canaries.
pub struct Search {
    automaton: AhoCorasick,
    /// Of each pattern, which canary it is of, and the form.
    meaning: Vec<(usize, String)>,
    canaries: Vec<Canary>,
    /// What was found: where, which.
    pub found: Vec<Leak>,
    /// How many bytes were looked through, by kind of place.
    pub looked: BTreeMap<String, usize>,
}

/// A canary where none may be.
#[derive(Debug, Clone)]
pub struct Leak {
    /// Where it was found: a file, an argv, an output.
    pub place: String,
    /// Where it had been planted.
    pub planted: String,
    /// What was found.
    pub form: String,
    /// What stands around it.
    pub around: String,
}

impl Search {
    /// For these canaries.
    pub fn new(canaries: &[Canary]) -> Self {
        let meaning: Vec<(usize, String)> = canaries
            .iter()
            .enumerate()
            .flat_map(|(number, canary)| canary.forms().into_iter().map(move |form| (number, form)))
            .collect();
        let automaton = AhoCorasick::new(meaning.iter().map(|(_, form)| form)).unwrap();
        Self { automaton, meaning, canaries: canaries.to_vec(), found: Vec::new(), looked: BTreeMap::new() }
    }

    /// Looks through what is called `place`; `kind` is what it counts as.
    pub fn look(&mut self, kind: &str, place: &str, bytes: &[u8]) {
        *self.looked.entry(kind.to_owned()).or_default() += bytes.len();
        for found in self.automaton.find_overlapping_iter(bytes) {
            let (number, form) = &self.meaning[found.pattern().as_usize()];
            let around = &bytes[found.start().saturating_sub(60)..(found.end() + 30).min(bytes.len())];
            self.found.push(Leak {
                place: format!("{kind}: {place}"),
                planted: self.canaries[*number].place.clone(),
                form: form.clone(),
                around: String::from_utf8_lossy(around).into_owned(),
            });
        }
    }

    /// Looks through a directory, without what lies under one of these.
    pub fn directory(&mut self, kind: &str, directory: &Path, without: &dyn Fn(&Path) -> bool) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if without(&path) || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                self.directory(kind, &path, without);
            } else if path.is_file() {
                self.look(kind, &path.display().to_string(), path.display().to_string().as_bytes());
                self.look(kind, &path.display().to_string(), &std::fs::read(&path).unwrap());
            }
        }
    }

    /// Looks through each file of a bundle, and gives its files.
    pub fn bundle(&mut self, path: &Path) -> BTreeMap<String, String> {
        let files = unpacked(path);
        for (name, text) in &files {
            self.look("bundle", name, text.as_bytes());
        }
        files
    }

    /// What was found, a line for each place and canary.
    pub fn told(&self) -> String {
        let mut lines: Vec<String> = self
            .found
            .iter()
            .map(|leak| {
                format!("{} has {:?} of {}\n    … {:?}", leak.place, leak.form, leak.planted, leak.around)
            })
            .collect();
        lines.sort();
        lines.dedup();
        let all = lines.len();
        lines.truncate(80);
        format!("{all} leaks\n{}", lines.join("\n"))
    }
}

/// The files of a bundle.
pub fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap());
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        let name = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name.strip_prefix("eclusa-support/").unwrap().to_owned(), text);
    }
    files
}
