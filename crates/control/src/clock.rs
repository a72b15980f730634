//! The real clock and the real randomness.

use eclusa_ports::Clock;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;

/// Time of the system, ids of the system's randomness.
pub struct SystemClock;

/// Without the letters and digits that are mistaken for one another.
const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(SignedDuration::from_secs(eclusa_crash::clock_step())).unwrap_or(now)
    }

    fn random_text(&self, length: usize) -> String {
        let mut random = rand::rng();
        (0..length)
            .filter_map(|_| LETTERS.get(random.random_range(0..LETTERS.len())))
            .map(|letter| char::from(*letter))
            .collect()
    }
}
