//! The files that `bench backup` writes and `bench restore` takes: their names, the head of the dump, versions.

/// The lines before a dump.
#[must_use]
pub fn head(version: &str) -> String {
    format!(
        "-- begin frappe metadata\n-- [frappe]\n-- version = {version}\n-- branch = N/A\n-- end frappe metadata\n"
    )
}

/// The version of Frappe that wrote a dump, by its first bytes; none: it does not say.
#[must_use]
pub fn version_in(start: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(start);
    let version = text.lines().take(20).find_map(|line| line.strip_prefix("-- version = "))?.trim();
    (!version.is_empty() && version.len() <= 40).then(|| version.to_owned())
}

/// The version of Frappe, by what `list-apps` or `bench version` prints.
#[must_use]
pub fn version_of(apps: &str) -> Option<String> {
    apps.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("frappe")).then(|| words.next().map(str::to_owned)).flatten()
    })
}

/// The numbers of a version, for comparing.
#[must_use]
pub fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(|character: char| !character.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).take(3).collect()
}

/// The names of a backup's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The dump, compressed.
    pub database: String,
    /// The archive of the public files.
    pub public: String,
    /// That of the private ones.
    pub private: String,
    /// The site's configuration.
    pub configuration: String,
}

/// The names that bench gives, with a time as `20261125_203134`.
#[must_use]
pub fn names(time: &str, site: &str, compressed: bool) -> Names {
    let stem = format!("{time}-{}", site.replace('.', "_"));
    let ending = if compressed { "tgz" } else { "tar" };
    Names {
        database: format!("{stem}-database.sql.gz"),
        public: format!("{stem}-files.{ending}"),
        private: format!("{stem}-private-files.{ending}"),
        configuration: format!("{stem}-site_config_backup.json"),
    }
}

/// Where in a site the files of an archive lie: by their path in it, `./SITE/public/files/a/b`, what is below
/// `public/files` and which of both it is. None: it is no path of such an archive.
#[must_use]
pub fn inside(path: &str) -> Option<(&'static str, &str)> {
    let path = path.strip_prefix("./").unwrap_or(path);
    let (site, rest) = path.split_once('/')?;
    if site.is_empty() || site == ".." || path.split('/').any(|part| part == "..") {
        return None;
    }
    for (set, root) in [("public-files", "public/files"), ("private-files", "private/files")] {
        if let Some(below) = rest.strip_prefix(root) {
            if below.is_empty() || below == "/" {
                return Some((set, ""));
            }
            return below.strip_prefix('/').map(|below| (set, below));
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_the_version() {
        assert_eq!(version_in(head("15.40.0").as_bytes()).as_deref(), Some("15.40.0"));
        assert_eq!(version_in(b"-- MariaDB dump 10.19\n"), None);
        assert_eq!(version_of("frappe 15.55.1 UNVERSIONED\nerpnext 15.50.0\n").as_deref(), Some("15.55.1"));
        assert!(numbers("15.55.1") > numbers("15.9.0") && numbers("v14.2") < numbers("15"));
    }

    #[test]
    fn names_are_those_of_bench() {
        let names = names("20261125_203134", "a.example.org", false);
        assert_eq!(names.database, "20261125_203134-a_example_org-database.sql.gz");
        assert_eq!(names.private, "20261125_203134-a_example_org-private-files.tar");
        assert_eq!(names.configuration, "20261125_203134-a_example_org-site_config_backup.json");
    }

    #[test]
    fn paths_lead_below_the_files_of_a_site_or_nowhere() {
        assert_eq!(inside("./other.localhost/public/files/a/b.txt"), Some(("public-files", "a/b.txt")));
        assert_eq!(inside("x/private/files"), Some(("private-files", "")));
        for refused in [
            "/etc/passwd",
            "./a/../../x",
            "./a/public/files/../../../x",
            "a/private/backups/x",
            "../a/public/files/x",
            "./a/public/filesystem/x",
            "x",
        ] {
            assert_eq!(inside(refused), None, "{refused}");
        }
    }
}
