//! Going through seeds: those that once failed first, then a thousand or so; or the one that `ECLUSA_SEED` names, or
//! as many as `ECLUSA_SEEDS` says, for a night of looking.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The seeds that a test goes through.
#[derive(Debug, Clone, Copy)]
pub struct Seeds<'a> {
    /// Those that once failed. They stay here for ever.
    pub once_failed: &'a [u64],
    /// How many others: those from zero on.
    pub count: u64,
}

impl Seeds<'_> {
    /// Judges each of them, unless one is asked for in the environment.
    ///
    /// # Panics
    /// When a judgement panics: with the seed, and how to run it again.
    pub fn judge(self, mut judgement: impl FnMut(u64)) {
        let count = number("ECLUSA_SEEDS").unwrap_or(self.count);
        let all: Vec<u64> = match number("ECLUSA_SEED") {
            Some(seed) => vec![seed],
            None => self.once_failed.iter().copied().chain(0..count).collect(),
        };
        let mut failed = Vec::new();
        for seed in all {
            if catch_unwind(AssertUnwindSafe(|| judgement(seed))).is_err() {
                eprintln!("seed {seed} failed; ECLUSA_SEED={seed} runs it alone");
                failed.push(seed);
                if failed.len() == 5 {
                    break;
                }
            }
        }
        assert!(failed.is_empty(), "these seeds failed: {failed:?}; ECLUSA_SEED=N runs one alone");
    }

    /// The first seed whose judgement panics, if there is one: what a test asks that leaves a part out.
    pub fn first_failure(self, mut judgement: impl FnMut(u64)) -> Option<u64> {
        // What it says is wanted and need not be read.
        let mut seeds = self.once_failed.iter().copied().chain(0..self.count);
        seeds.find(|seed| catch_unwind(AssertUnwindSafe(|| judgement(*seed))).is_err())
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, and not a number")))
}
