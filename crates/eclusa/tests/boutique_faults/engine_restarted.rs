//! Fault: The Docker engine is restarted, and everything that runs under it with it

use crate::bench::Bench;
use crate::engine::Engine;

/// In the middle of the dump: fails (3), no point is listed, and the next backup is taken.
pub fn backup(bench: &Bench) {
    bench.backup_broken_in_its_dump(|| Engine::that_runs().restart());
}

/// In the middle of the migration: the way back waits for the engine and the database, then brings the data back (3);
/// the gate is closed until then.
pub fn release(bench: &Bench) {
    let (run, colleague) = bench.release_held_in_its_migration();
    Engine::that_runs().restart();
    drop(colleague);
    bench.attach(&run).must(3).says("WENT BACK");
}
