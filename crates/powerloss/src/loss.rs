//! The loss of power: which instant, and what of the pending operations had reached the disk by then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::dice::Dice;
use crate::filesystem::write_at;
use crate::image::Image;
use crate::operation::{Attributes, Content, Node, NodeNumber, Operation, Place, ROOT, Recording, Tree};

/// How many operations before the loss are told.
const TOLD: usize = 60;

/// What a disk writes at once, in bytes.
const SECTOR: usize = 512;

/// How the pending operations are drawn that reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draw {
    /// None of them.
    Nothing,
    /// All of them.
    Everything,
    /// Those before some moment.
    Until(usize),
    /// Each by chance, so many of 256.
    Each(u16),
    /// All but one.
    AllBut(usize),
    /// One alone, with what it cannot be without.
    Only(usize),
}

impl Draw {
    fn by(dice: &mut Dice, pending: &[usize]) -> Self {
        let some = |dice: &mut Dice| pending.get(dice.below(pending.len().max(1))).copied().unwrap_or(0);
        match dice.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 => Self::Until(some(dice)),
            3 => Self::AllBut(some(dice)),
            4 => Self::Only(some(dice)),
            5 => Self::Each(32),
            6 => Self::Each(224),
            _ => Self::Each(128),
        }
    }

    fn takes(self, dice: &mut Dice, operation: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Until(last) => operation < last,
            Self::Each(chance) => dice.happens(chance),
            Self::AllBut(one) => operation != one,
            Self::Only(one) => operation == one,
        }
    }
}

/// A loss of power, and what a machine finds when the power is back.
#[derive(Debug, Clone)]
pub struct Loss<'a> {
    /// How many operations had been begun.
    pub instant: usize,
    /// What was said before.
    pub said: Vec<String>,
    /// What is on the disk.
    pub image: Image,
    recording: &'a Recording,
    forced: Vec<bool>,
    kept: Vec<bool>,
    draws: (Draw, Draw),
}

impl Loss<'_> {
    /// Judges it, and tells its story when the judgement panics.
    ///
    /// # Panics
    /// When the judgement does.
    pub fn told<T>(&self, judgement: impl FnOnce() -> T) -> T {
        match catch_unwind(AssertUnwindSafe(judgement)) {
            Ok(value) => value,
            Err(panic) => {
                eprintln!("{}", self.story());
                resume_unwind(panic)
            }
        }
    }

    /// What was lost and what was kept, for a person.
    #[must_use]
    pub fn story(&self) -> String {
        let operations = &self.recording.operations;
        let mut story = format!(
            "  the power was lost after operation {} of {}; names drawn {:?}, contents {:?}\n",
            self.instant,
            operations.len(),
            self.draws.0,
            self.draws.1
        );
        let first = self.instant.saturating_sub(TOLD);
        for (index, operation) in operations.iter().enumerate().take(self.instant + 3).skip(first) {
            let word = match operation {
                _ if index >= self.instant => "not begun",
                Operation::Said(_) | Operation::Synchronise { .. } => "",
                _ if self.forced[index] => "durable",
                Operation::Enter { .. } | Operation::Leave { .. } | Operation::Rename { .. } => {
                    if self.kept[index] { "pending, kept" } else { "pending, lost" }
                }
                _ => "pending",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(story, "  {index:>6} {word:<14} {}", shown(operation));
        }
        let _ = writeln!(story, "  on the disk:\n{}", self.image.listing());
        story
    }
}

impl Recording {
    /// Draws an instant, and what of the pending operations had reached the disk.
    #[must_use]
    pub fn lose(&self, dice: &mut Dice) -> Loss<'_> {
        let instant = self.draw_instant(dice);
        self.lose_at(instant, dice)
    }

    /// Half of the instants lie beside something that makes a difference.
    fn draw_instant(&self, dice: &mut Dice) -> usize {
        if dice.happens(128) {
            return dice.below(self.operations.len() + 1);
        }
        let edges: Vec<usize> = (0..self.operations.len())
            .filter(|index| !matches!(self.operations[*index], Operation::Write { .. }))
            .collect();
        if edges.is_empty() { 0 } else { *dice.one_of(&edges) + dice.below(2) }
    }

    /// The same at this instant.
    #[must_use]
    pub fn lose_at(&self, instant: usize, dice: &mut Dice) -> Loss<'_> {
        let done = &self.operations[..instant.min(self.operations.len())];
        let forced = forced(done);
        let (kept, names) = draw_names(done, &forced, dice);
        let mut tree = self.apply_names(done, &kept);
        let pending: Vec<usize> = (0..done.len())
            .filter(|index| !forced[*index] && matches!(done[*index], Operation::Write { .. }))
            .collect();
        let contents = Draw::by(dice, &pending);
        let mut by_node: BTreeMap<NodeNumber, Vec<usize>> = BTreeMap::new();
        for (index, operation) in done.iter().enumerate() {
            if let Operation::Write { node, .. }
            | Operation::Resize { node, .. }
            | Operation::Describe { node, .. } = operation
            {
                by_node.entry(*node).or_default().push(index);
            }
        }
        let mapped = mapped(&tree);
        // Each has its own, so that a file that is a little longer in another recording changes nothing else.
        let chance = dice.number();
        for (number, node) in &mut tree {
            let dice = &mut Dice::of(chance ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
            let own = by_node.get(number).map(Vec::as_slice).unwrap_or_default();
            if let Content::File(bytes) = &mut node.content {
                if mapped.contains(number) {
                    *bytes = anything(dice);
                } else {
                    lose_content(bytes, done, own, &forced, contents, dice);
                }
            }
            node.attributes = lose_attributes(node.attributes, done, own, &forced, dice);
        }
        let said = done
            .iter()
            .filter_map(|operation| match operation {
                Operation::Said(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        let image = Image { tree };
        Loss { instant, said, image, recording: self, forced, kept, draws: (names, contents) }
    }

    /// The tree after those changes of names that are on the disk.
    fn apply_names(&self, done: &[Operation], kept: &[bool]) -> Tree {
        let mut tree = self.before.clone();
        tree.extend(self.made.iter().map(|(number, node)| (*number, node.clone())));
        for (operation, _) in done.iter().zip(kept).filter(|(_, kept)| **kept) {
            let mut at = |place: &Place, named: Option<NodeNumber>| {
                if let Some(Node { content: Content::Directory(names), .. }) = tree.get_mut(&place.directory)
                {
                    match named {
                        Some(node) => drop(names.insert(place.name.clone(), node)),
                        None => drop(names.remove(&place.name)),
                    }
                }
            };
            match operation {
                Operation::Enter { place, node } => at(place, Some(*node)),
                Operation::Leave { place, .. } => at(place, None),
                Operation::Rename { from, to, node } => {
                    at(from, None);
                    at(to, Some(*node));
                }
                _ => {}
            }
        }
        reachable(tree)
    }
}

fn shown(operation: &Operation) -> String {
    match operation {
        Operation::Write { node, offset, bytes } => {
            format!("write node {node} at {offset}, {} bytes", bytes.len())
        }
        Operation::Describe { node, attributes } => {
            format!("describe node {node}, mode {:o}", attributes.mode)
        }
        Operation::Said(text) => format!("--- {text}"),
        other => format!("{other:?}"),
    }
}

/// Which operations the disk was made to have.
fn forced(done: &[Operation]) -> Vec<bool> {
    let (mut whole, mut content) = (BTreeSet::new(), BTreeSet::new());
    let mut forced = vec![false; done.len()];
    for (index, operation) in done.iter().enumerate().rev() {
        forced[index] = match operation {
            Operation::Synchronise { node, content_only } => {
                content.insert(*node);
                if !content_only {
                    whole.insert(*node);
                }
                false
            }
            Operation::Write { node, .. } | Operation::Resize { node, .. } => content.contains(node),
            Operation::Describe { node, .. } => whole.contains(node),
            Operation::Enter { place, .. } | Operation::Leave { place, .. } => {
                content.contains(&place.directory)
            }
            Operation::Rename { from, to, .. } => {
                content.contains(&from.directory) || content.contains(&to.directory)
            }
            Operation::Said(_) => false,
        };
    }
    forced
}

/// Draws which changes of names are on the disk: those that were forced, some of the others, and what these cannot
/// be without: the changes of the same names before them, and for the removal of a directory, what emptied it.
fn draw_names(done: &[Operation], forced: &[bool], dice: &mut Dice) -> (Vec<bool>, Draw) {
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); done.len()];
    let mut of_place: BTreeMap<&Place, usize> = BTreeMap::new();
    let mut of_directory: BTreeMap<NodeNumber, Vec<usize>> = BTreeMap::new();
    let mut pending = Vec::new();
    for (index, operation) in done.iter().enumerate() {
        let places: Vec<&Place> = match operation {
            Operation::Enter { place, .. } | Operation::Leave { place, .. } => vec![place],
            Operation::Rename { from, to, .. } => vec![from, to],
            _ => continue,
        };
        if !forced[index] {
            pending.push(index);
        }
        if let Operation::Leave { node, .. } = operation {
            before[index].extend(of_directory.get(node).into_iter().flatten());
        }
        for place in places {
            before[index].extend(of_place.insert(place, index));
            of_directory.entry(place.directory).or_default().push(index);
        }
    }
    let draw = Draw::by(dice, &pending);
    let mut kept: Vec<bool> = forced.to_vec();
    for index in &pending {
        kept[*index] = draw.takes(dice, *index);
    }
    // What cannot be without another: forced ones and the one drawn alone bring it with them; others wait for it.
    for index in (0..done.len()).rev() {
        let brings = forced[index] || draw == Draw::Only(index);
        if kept[index] && brings {
            bring(index, &before, &mut kept);
        }
    }
    for index in pending {
        kept[index] = kept[index] && before[index].iter().all(|earlier| kept[*earlier]);
    }
    (kept, draw)
}

fn bring(index: usize, before: &[Vec<usize>], kept: &mut [bool]) {
    let mut waiting = before[index].clone();
    let mut seen = BTreeSet::new();
    while let Some(earlier) = waiting.pop() {
        if seen.insert(earlier) {
            kept[earlier] = true;
            waiting.extend(&before[earlier]);
        }
    }
}

/// What can be found from the root.
fn reachable(mut tree: Tree) -> Tree {
    let mut found = Tree::new();
    let mut waiting = vec![ROOT];
    while let Some(number) = waiting.pop() {
        if let Some(node) = tree.remove(&number) {
            if let Content::Directory(names) = &node.content {
                waiting.extend(names.values());
            }
            found.insert(number, node);
        }
    }
    found
}

/// The files that SQLite shares between processes by mapping them. It never forces them, and trusts nothing in
/// them after a start, so after a loss they may hold anything.
fn mapped(tree: &Tree) -> BTreeSet<NodeNumber> {
    let directories = tree.values().filter_map(|node| match &node.content {
        Content::Directory(names) => Some(names),
        _ => None,
    });
    let names = directories.flatten().filter(|(name, _)| name.as_encoded_bytes().ends_with(b"-shm"));
    names.map(|(_, number)| *number).collect()
}

fn anything(dice: &mut Dice) -> Vec<u8> {
    match dice.below(4) {
        0 => Vec::new(),
        1 => vec![0; 32 * 1024],
        2 => dice.bytes(32 * 1024),
        _ => {
            let length = dice.below(32 * 1024);
            dice.bytes(length)
        }
    }
}

/// Brings the content of a file to what is on the disk of it.
fn lose_content(
    disk: &mut Vec<u8>,
    done: &[Operation],
    own: &[usize],
    forced: &[bool],
    draw: Draw,
    dice: &mut Dice,
) {
    let mut pending = Vec::new();
    for index in own {
        match &done[*index] {
            Operation::Write { offset, bytes, .. } if forced[*index] => write_at(disk, *offset, bytes),
            Operation::Resize { length, .. } if forced[*index] => resize(disk, *length),
            Operation::Write { .. } | Operation::Resize { .. } => pending.push(*index),
            _ => {}
        }
    }
    if pending.is_empty() {
        return;
    }
    // Lengths are set in their order: those after some moment are not on the disk, nor what was written after them.
    let resizes: Vec<usize> =
        pending.iter().copied().filter(|index| matches!(done[*index], Operation::Resize { .. })).collect();
    let lost_resize = match draw {
        Draw::Everything | Draw::AllBut(_) => None,
        Draw::Nothing | Draw::Only(_) => resizes.first().copied(),
        Draw::Until(last) => resizes.iter().copied().find(|index| *index >= last),
        Draw::Each(_) => {
            let count = dice.below(resizes.len() + 1);
            resizes.get(count).copied()
        }
    };
    let mut cache = disk.clone();
    let chance = dice.number();
    for index in pending.into_iter().take_while(|index| Some(*index) != lost_resize) {
        match &done[index] {
            Operation::Resize { length, .. } => {
                resize(&mut cache, *length);
                resize(disk, *length);
            }
            Operation::Write { offset, bytes, .. } => {
                write_at(&mut cache, *offset, bytes);
                let mut dice = Dice::of(chance ^ (index as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
                let first = usize::try_from(*offset).unwrap_or_default() / SECTOR;
                let last = (usize::try_from(*offset).unwrap_or_default() + bytes.len()).div_ceil(SECTOR);
                for sector in first..last {
                    if draw.takes(&mut dice, index) {
                        let (begin, end) = (sector * SECTOR, ((sector + 1) * SECTOR).min(cache.len()));
                        write_at(disk, begin as u64, &cache[begin..end]);
                    }
                }
            }
            _ => {}
        }
    }
    // The length may have come before the bytes: then zeros stand for those.
    if disk.len() < cache.len() && dice.happens(85) {
        disk.resize(cache.len(), 0);
    }
}

fn resize(content: &mut Vec<u8>, length: u64) {
    content.resize(usize::try_from(length).unwrap_or_default(), 0);
}

fn lose_attributes(
    made: Attributes,
    done: &[Operation],
    own: &[usize],
    forced: &[bool],
    dice: &mut Dice,
) -> Attributes {
    let mut now = made;
    for index in own {
        if let Operation::Describe { attributes, .. } = &done[*index] {
            if !forced[*index] && !dice.happens(128) {
                break;
            }
            now = *attributes;
        }
    }
    now
}
