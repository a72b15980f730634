//! The pool of connections, and the defect that a release of it may have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::{Defect, Trouble, store};

/// The places of a pool. Only their share with dead connections matters, so there are enough for one per cent.
const PLACES: u64 = 100;
/// A number without a common factor with [`PLACES`]: dead places lie scattered, not in a row.
const STRIDE: u64 = 37;
/// How many idle connections are kept per database.
const IDLE_KEPT: usize = 8;

/// Connections by database.
#[derive(Debug)]
pub struct Pool {
    idle: Mutex<BTreeMap<PathBuf, Vec<Connection>>>,
    taken: AtomicU64,
    defect: Option<Defect>,
}

/// What a request finds at its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// How long it waits for its place.
    pub wait: Duration,
    /// Whether the connection in that place is dead.
    pub dead: bool,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(defect: Option<Defect>) -> Self {
        Self { idle: Mutex::new(BTreeMap::new()), taken: AtomicU64::new(0), defect }
    }

    /// Gives the next request its turn. Places are given in turn.
    pub fn turn(&self) -> Turn {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        match self.defect {
            Some(defect) if number >= defect.after_requests => {
                let place = (number * STRIDE) % PLACES;
                #[allow(clippy::cast_precision_loss)]
                let dead = (place as f64) < defect.error_share * PLACES as f64;
                Turn { wait: Duration::from_millis(defect.slow_milliseconds), dead }
            }
            _ => Turn { wait: Duration::ZERO, dead: false },
        }
    }

    /// Uses a connection of a database at a turn. Blocks.
    ///
    /// # Errors
    /// When the connection is dead, cannot be opened, or the work fails.
    pub fn with<T>(
        &self,
        path: &Path,
        turn: Turn,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        if turn.dead {
            return Err(Trouble::new("the pooled connection was closed by someone who still used it"));
        }
        let kept = self.idle.lock().ok().and_then(|mut idle| idle.get_mut(path)?.pop());
        let mut connection = match kept {
            Some(connection) => connection,
            None => store::open(path)?,
        };
        let outcome = work(&mut connection);
        if let Ok(mut idle) = self.idle.lock() {
            let kept = idle.entry(path.to_owned()).or_default();
            if kept.len() < IDLE_KEPT {
                kept.push(connection);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_pool_is_well_and_a_worn_one_fails_in_its_share() {
        let pool = Pool::new(Some(Defect { error_share: 0.18, slow_milliseconds: 120, after_requests: 50 }));
        let fresh = Turn { wait: Duration::ZERO, dead: false };
        assert!((0..50).all(|_| pool.turn() == fresh));
        let worn: Vec<Turn> = (0..1000).map(|_| pool.turn()).collect();
        assert!(worn.iter().all(|turn| turn.wait == Duration::from_millis(120)));
        assert_eq!(worn.iter().filter(|turn| turn.dead).count(), 180);
        // Scattered: of any twenty in a row, some work and some do not.
        assert!(worn.chunks(20).all(|part| (1..10).contains(&part.iter().filter(|turn| turn.dead).count())));
        let well = Pool::new(None);
        assert!((0..1000).all(|_| well.turn() == fresh));
    }
}
