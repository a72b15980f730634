//! Checks of the places that restore points are copied to.

use std::path::Path;

use super::Findings;
use crate::model::{Mirror, MirrorS3, MirrorSftp, Stack};
use crate::source::{KeyPath, Mistake};

pub(super) fn check(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    findings.unique(path, stack.mirrors.iter().map(|mirror| mirror.name.as_str()));
    for (index, mirror) in stack.mirrors.iter().enumerate() {
        let path = path.index(index);
        // It is a part of a step's name and of a path.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !mirror.name.trim().is_empty() && !mirror.name.chars().all(plain) {
            findings.add(path.key("name"), Mistake::new("config-mirror-name"));
        }
        place(findings, &path, mirror);
    }
}

fn place(findings: &mut Findings, path: &KeyPath, mirror: &Mirror) {
    let places = [mirror.directory.is_some(), mirror.s3.is_some(), mirror.sftp.is_some()];
    if places.iter().filter(|there| **there).count() != 1 {
        findings.add(path.key("name"), Mistake::new("config-mirror-place"));
    }
    if mirror.directory.as_ref().is_some_and(|directory| !directory.is_absolute()) {
        findings.add(path.key("directory"), Mistake::new("config-mirror-directory"));
    }
    if mirror.same_file_system && mirror.directory.is_none() {
        findings.add(path.key("same_file_system"), Mistake::new("config-mirror-same"));
    }
    if let Some(s3) = &mirror.s3 {
        storage(findings, &path.key("s3"), s3);
    }
    if let Some(sftp) = &mirror.sftp {
        host(findings, &path.key("sftp"), sftp);
    }
}

/// Whether every part of a path, with `/` between them, is a name.
fn named(path: &str) -> bool {
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_control))
}

fn storage(findings: &mut Findings, path: &KeyPath, s3: &MirrorS3) {
    let host = s3.endpoint.strip_prefix("https://").or_else(|| s3.endpoint.strip_prefix("http://"));
    if !host
        .is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace) && !host.contains('@'))
    {
        findings.add(path.key("endpoint"), Mistake::new("config-mirror-endpoint"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if s3.bucket.is_empty() || !s3.bucket.chars().all(plain) {
        findings.add(path.key("bucket"), Mistake::new("config-mirror-bucket"));
    }
    if !s3.prefix.is_empty() && !named(&s3.prefix) {
        findings.add(path.key("prefix"), Mistake::new("config-mirror-prefix"));
    }
}

/// What `ssh` would take for an option, for another name, or for the beginning of something else.
fn plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.contains(|c: char| c.is_whitespace() || "@/\"'%$\\".contains(c))
}

fn host(findings: &mut Findings, path: &KeyPath, sftp: &MirrorSftp) {
    for (key, text) in [("host", &sftp.host), ("user", &sftp.user)] {
        if !plain(text) {
            findings.add(path.key(key), Mistake::new("config-mirror-host"));
        }
    }
    if !sftp.directory.strip_prefix('/').is_some_and(|rest| named(rest.trim_end_matches('/'))) {
        findings.add(path.key("directory"), Mistake::new("config-mirror-directory"));
    }
    // `ssh` reads a meaning into these characters.
    let readable = |file: &Path| {
        file.to_str().is_some_and(|file| !file.is_empty() && !file.contains(['"', '%', '$', '~', '\n']))
    };
    for (key, file) in [("key", &sftp.key), ("known_hosts", &sftp.known_hosts)] {
        if !readable(file) {
            findings.add(path.key(key), Mistake::new("config-mirror-file"));
        }
    }
}
