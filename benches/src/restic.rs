//! A dump piped into restic, the nearest thing to a restore point that people have without Eclusa.

use crate::database_stack::{DatabaseStack, Server};
use crate::ways::{Way, size_of};
use crate::{Outcome, measure};

/// Where its repository and its cache lie, below the stack's directory.
const DIRECTORIES: [&str; 2] = ["restic", "restic-cache"];

/// The first backup into a new repository, and a second one without any change. Its cache is its own: one in the home
/// directory would be left there.
pub(crate) fn back_up<S: Server>(stack: &DatabaseStack, server: &S, ways: [&mut Way; 2]) -> Outcome<()> {
    let [repository, cache] = DIRECTORIES.map(|name| stack.directory.join(name));
    stack.forget(&DIRECTORIES)?;
    let restic = format!(
        "RESTIC_PASSWORD=x RESTIC_CACHE_DIR={} restic --quiet --repo {}",
        cache.display(),
        repository.display()
    );
    measure::must(&mut server.pipe(&format!("{restic} init")))?;
    let text = format!("{} | {restic} backup --stdin --stdin-filename shop.sql", S::DUMP);
    for way in ways {
        way.measure(&mut server.pipe(&text), &[server.process()])?;
        way.stored = size_of(&repository);
    }
    Ok(())
}
