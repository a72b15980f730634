//! Which files version control tracks. Only names that can be those of env files are asked for.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use eclusa_host::LocalHost;
use eclusa_ports::{CommandSpec, Host, NoOutput};

/// The tracked paths below a directory; none when it is no working copy or git does not answer.
pub(super) async fn paths(root: &Path) -> Option<BTreeSet<String>> {
    // A repository's own settings could name a program for git to start; it is somebody else's repository here.
    let argv = [
        "git",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "ls-files",
        "-z",
        "--",
        "*env*",
    ];
    let mut command = CommandSpec::new(argv, Duration::from_secs(20));
    command.directory = Some(root.to_owned());
    let result = LocalHost::new().run(command, &NoOutput).await.ok()?;
    let good = result.code == 0 && !result.truncated;
    good.then(|| result.stdout.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}
