//! Which points of a scenario there are, and which were reached: shared by the threads that work on it.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;

/// How often a point is tried that was not reached, because the run took another way before it.
const TRIES: u8 = 3;
/// How many points lie between two kills of one run, at least and at most.
const GAP: std::ops::RangeInclusive<usize> = 3..=14;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Wanted { tries: u8 },
    Taken { tries: u8 },
    Reached,
    Unreachable,
}

/// The points of one scenario.
#[derive(Debug)]
pub struct Coverage {
    points: Vec<(String, State)>,
    /// Points that were reached without being looked for: those of a recovery.
    found: BTreeMap<String, usize>,
    /// How many points lie between two kills of one run, at least and at most.
    gap: std::ops::RangeInclusive<usize>,
}

impl Coverage {
    /// Of the points that an undisturbed run passes, in order.
    pub fn of(points: Vec<String>) -> Self {
        Self {
            points: points.into_iter().map(|point| (point, State::Wanted { tries: 0 })).collect(),
            found: BTreeMap::new(),
            gap: GAP,
        }
    }

    /// Leaves only some of them wanted, evenly and by chance.
    pub fn sample(&mut self, most: usize, random: &mut StdRng) {
        if self.points.len() > most {
            // They lie far enough from each other as it is.
            self.gap = 1..=1;
        }
        while self.points.len() > most {
            let index = random.random_range(0..self.points.len());
            self.points.remove(index);
        }
    }

    /// The next wanted point that lies far enough after a position, and its position.
    pub fn take(&mut self, after: Option<usize>, random: &mut StdRng) -> Option<(usize, String)> {
        let from = after.map_or(0, |after| after + random.random_range(self.gap.clone()));
        let (index, (point, state)) = self
            .points
            .iter_mut()
            .enumerate()
            .skip(from)
            .find(|(_, (_, state))| matches!(state, State::Wanted { .. }))?;
        if let State::Wanted { tries } = *state {
            *state = State::Taken { tries };
        }
        Some((index, point.clone()))
    }

    /// A process died at a point; gives its position where it is one of the scenario's own.
    pub fn reached(&mut self, point: &str) -> Option<usize> {
        if let Some(index) = self.points.iter().position(|(known, _)| known == point) {
            self.points[index].1 = State::Reached;
            return Some(index);
        }
        *self.found.entry(point.to_owned()).or_default() += 1;
        None
    }

    /// A point that was taken and is not reached any more in this run.
    pub fn give_back(&mut self, index: usize) {
        if let State::Taken { tries } = self.points[index].1 {
            self.points[index].1 =
                if tries + 1 >= TRIES { State::Unreachable } else { State::Wanted { tries: tries + 1 } };
        }
    }

    /// How many different points a process has died at.
    pub fn distinct(&self) -> usize {
        self.points.iter().filter(|(_, state)| *state == State::Reached).count() + self.found.len()
    }

    /// Whether every point that is still to be reached is being tried by somebody.
    pub fn is_in_other_hands(&self) -> bool {
        self.wanted() > 0 && !self.points.iter().any(|(_, state)| matches!(state, State::Wanted { .. }))
    }

    /// How many are still to be reached.
    pub fn wanted(&self) -> usize {
        self.points.iter().filter(|(_, state)| !matches!(state, State::Reached | State::Unreachable)).count()
    }

    /// The points that were never reached.
    pub fn unreached(&self) -> Vec<&str> {
        let unreached = self.points.iter().filter(|(_, state)| *state != State::Reached);
        unreached.map(|(point, _)| point.as_str()).collect()
    }

    /// Every point at which a process has died.
    pub fn list(&self) -> Vec<String> {
        let own = self.points.iter().filter(|(_, state)| *state == State::Reached);
        own.map(|(point, _)| point.clone())
            .chain(self.found.keys().map(|point| format!("{point} (found on the way)")))
            .collect()
    }
}
