//! What was said about one tenant: the entries of its own log files, and the lines of services that name it.

use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{ServiceName, Tenant};
use eclusa_planner::LogFiles;
use eclusa_ports::{CommandSpec, Host, LogLine, NoOutput, clean_line};
use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::Offset;

use crate::Assembly;

/// The most that is read of a file, in bytes, from its end.
const MOST: u64 = 1024 * 1024;

/// How long a question about files may take.
const QUESTION: Duration = Duration::from_secs(60);

/// One entry: a line of a service, or one of a file with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was written.
    pub at: Timestamp,
    /// The service, or the name of the file.
    pub from: String,
    /// Whether it is of a file.
    pub is_file: bool,
    /// The text, of any number of lines.
    pub text: String,
}

impl From<LogLine> for Entry {
    fn from(line: LogLine) -> Self {
        Self { at: line.at, from: line.service.to_string(), is_file: false, text: line.text }
    }
}

/// What services said since then, oldest first; of a tenant alone where one is named, with its own files.
///
/// # Errors
/// When the runtime does not answer or a file cannot be read.
pub async fn entries(
    assembly: &Assembly,
    services: &[ServiceName],
    since: Timestamp,
    most: usize,
    tenant: Option<&Tenant>,
) -> Result<Vec<Entry>> {
    let lines = assembly.ports.runtime.logs(services, since, most).await?;
    let Some(tenant) = tenant else { return Ok(lines.into_iter().map(Entry::from).collect()) };
    let names: Vec<&str> =
        std::iter::once(tenant.name.as_str()).chain(tenant.domains.iter().map(String::as_str)).collect();
    let about = |line: &LogLine| names.iter().any(|name| mentions(&line.text, name));
    let mut entries: Vec<Entry> = lines.into_iter().filter(about).map(Entry::from).collect();
    if let Some(files) = assembly.app.log_files(&assembly.stack, tenant) {
        let directory = assembly.ports.runtime.files_directory(&files.place).await?.join(&files.directory);
        let host = &*assembly.ports.host;
        for name in names_in(host, &directory).await? {
            if files.except.contains(&name) {
                continue;
            }
            let text = end_of(host, &directory.join(&name)).await?;
            entries.extend(read(&text, &name, &files).into_iter().filter(|entry| entry.at >= since));
        }
    }
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

/// The log files themselves: what is only a link may lead anywhere.
async fn names_in(host: &dyn Host, directory: &Path) -> Result<Vec<String>> {
    let text = directory.display().to_string();
    let tests = ["-mindepth", "1", "-maxdepth", "1", "-type", "f", "-name", "*.log", "-printf", "%f\\0"];
    let argv = ["find", text.as_str()].into_iter().chain(tests);
    let found = host.run(CommandSpec::new(argv, QUESTION), &NoOutput).await?;
    if found.code != 0 {
        // A site that never wrote one has no directory.
        return match host
            .run(CommandSpec::new(["test", "-e", text.as_str()], QUESTION), &NoOutput)
            .await?
            .code
        {
            0 => Err(unreadable(&text, found.last_line())),
            _ => Ok(Vec::new()),
        };
    }
    let mut names: Vec<String> =
        found.stdout.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

async fn end_of(host: &dyn Host, path: &Path) -> Result<String> {
    let (most, text) = (MOST.to_string(), path.display().to_string());
    let argv = ["tail", "-c", most.as_str(), "--", text.as_str()];
    let read = host.run(CommandSpec::new(argv, QUESTION), &NoOutput).await?;
    if read.code == 0 { Ok(read.stdout) } else { Err(unreadable(&text, read.last_line())) }
}

fn unreadable(path: &str, why: Option<&str>) -> Fault {
    Fault::new(Code::FileAccess).with("path", path).with("operation", "read").because(why.unwrap_or_default())
}

/// The entries of a file. What stands before the first time is the rest of an entry that was cut off.
fn read(text: &str, name: &str, files: &LogFiles) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines() {
        let clean = clean_line(line.as_bytes());
        match (time_of(&clean, &files.time), entries.last_mut()) {
            (Some((at, rest)), _) => {
                entries.push(Entry {
                    at,
                    from: name.to_owned(),
                    is_file: true,
                    text: rest.trim_start().to_owned(),
                });
            }
            (None, Some(entry)) => {
                entry.text.push('\n');
                entry.text.push_str(&clean);
            }
            (None, None) => {}
        }
    }
    for entry in &mut entries {
        entry.text.truncate(entry.text.trim_end().len());
    }
    entries
}

fn time_of<'a>(line: &'a str, format: &str) -> Option<(Timestamp, &'a str)> {
    let (time, end) = BrokenDownTime::parse_prefix(format, line).ok()?;
    let at = Offset::UTC.to_timestamp(time.to_datetime().ok()?).ok()?;
    Some((at, line.get(end..)?))
}

/// Whether a text names a tenant: by the whole name, and not as a part of another one's.
fn mentions(text: &str, name: &str) -> bool {
    let part = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = text.split_at(at);
        let before = before.chars().next_back();
        let mut after = after.chars().skip(name.chars().count());
        let (next, second) = (after.next(), after.next());
        let begins = before.is_none_or(|character| !part(character) && character != '.');
        let ends = match next {
            Some('.') => second.is_none_or(|character| !part(character)),
            next => next.is_none_or(|character| !part(character)),
        };
        begins && ends
    })
}

#[cfg(test)]
mod tests {
    use eclusa_model::FilesPlace;

    use super::*;

    #[test]
    fn a_name_is_whole() {
        for text in ["Job OK (a.localhost::5f0)", "a.localhost", "http://a.localhost/app", "of a.localhost."]
        {
            assert!(mentions(text, "a.localhost"), "{text}");
        }
        for text in
            ["ba.localhost", "a.localhost.example", "a.localhost-2", "old.a.localhost", "a_localhost", ""]
        {
            assert!(!mentions(text, "a.localhost"), "{text}");
        }
        assert!(mentions("é a.localhost é", "a.localhost"));
    }

    #[test]
    fn a_traceback_belongs_to_its_entry() {
        let place = FilesPlace::Directory { name: "sites".to_owned(), path: "/srv".to_owned() };
        let time = "%Y-%m-%d %H:%M:%S,%f".to_owned();
        let files = LogFiles { place, directory: String::new(), except: Vec::new(), time };
        let text = "  cut off\n2026-11-21 07:40:49,082 ERROR frappe \u{1b}[31mno snapshot\nTraceback:\n\tline\n\
                    2026-11-21 07:41:00,000 INFO fine\n2026-13-40 no time\n";
        let entries = read(text, "frappe.log", &files);
        let texts: Vec<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["ERROR frappe no snapshot\nTraceback:\n\tline", "INFO fine\n2026-13-40 no time"]);
        assert_eq!(
            entries.first().map(|entry| entry.at.to_string()).as_deref(),
            Some("2026-11-21T07:40:49.082Z")
        );
    }
}
