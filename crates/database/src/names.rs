//! Names of copies: which database or file beside the live one is what.

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::DatabaseCopy;
use sha2::{Digest, Sha256};

/// The longest suffix of a copy or name of a scratch database.
const LONGEST: usize = 60;
/// The longest name of a PostgreSQL database in bytes (`NAMEDATALEN` - 1 as it is built everywhere).
const LONGEST_POSTGRESQL: usize = 63;

/// Refuses what could lead out of a directory, look like an option or be too long: a suffix or a scratch name
/// has 1 to 60 letters, digits, `_` and `-`, and begins with no `-`.
///
/// # Errors
/// `Internal`: suffixes and scratch names are made by Eclusa.
pub fn check(name: &str) -> Result<()> {
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if legal && !name.is_empty() && name.len() <= LONGEST && !name.starts_with('-') {
        return Ok(());
    }
    Err(Fault::new(Code::Internal).with("what", format!("{name:?} is no name for a copy of a database")))
}

/// What lies under a copy's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A restore that has not come to its end.
    Unfinished,
    /// The restored one.
    New,
    /// The one that was live before.
    Old,
    /// Some tables, to be looked at.
    Aside,
}

impl Part {
    /// The last word of the name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unfinished => "part",
            Self::New => "new",
            Self::Old => "old",
            Self::Aside => "aside",
        }
    }
}

/// The name of a copy on a server, always the same for the same copy and never the live name itself:
/// `NAME_eclusa_SUFFIX_new` for the restored one, `NAME_eclusa_SUFFIX_old` for the kept one (and `..._part` while
/// it is being restored). Where that is longer than 63 bytes, NAME and SUFFIX are shortened and told apart by a
/// hash: `BEGINNING_eclusa_HASH_new`.
#[must_use]
pub fn copy_name(name: &str, copy: &DatabaseCopy) -> String {
    match copy {
        DatabaseCopy::Live => name.to_owned(),
        DatabaseCopy::Beside(suffix) => part_name(name, suffix, Part::New),
        DatabaseCopy::Kept(suffix) => part_name(name, suffix, Part::Old),
        DatabaseCopy::Aside(suffix) => part_name(name, suffix, Part::Aside),
    }
}

/// What a text is told apart by where it is too long itself.
pub(crate) fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

pub(crate) fn part_name(name: &str, suffix: &str, part: Part) -> String {
    let whole = format!("{name}_eclusa_{suffix}_{}", part.word());
    if whole.len() <= LONGEST_POSTGRESQL {
        return whole;
    }
    let hash = hex::encode(hash(&format!("{name}\0{suffix}")));
    let tail = format!("_eclusa_{}_{}", hash.get(..16).unwrap_or(&hash), part.word());
    let mut end = LONGEST_POSTGRESQL.saturating_sub(tail.len()).min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", name.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn copies_of_short_names_are_readable() {
        assert_eq!(copy_name("shop", &DatabaseCopy::Live), "shop");
        assert_eq!(copy_name("shop", &DatabaseCopy::Beside("r12".into())), "shop_eclusa_r12_new");
        assert_eq!(copy_name("shop", &DatabaseCopy::Kept("r12".into())), "shop_eclusa_r12_old");
    }

    #[test]
    fn copies_of_long_names_fit_and_stay_apart() {
        let mut seen = std::collections::BTreeSet::new();
        for name in
            ["ü".repeat(31), format!("{}x", "ü".repeat(30)), "a".repeat(63), format!("{}b", "a".repeat(62))]
        {
            for suffix in ["one".to_owned(), "x".repeat(LONGEST), "two".to_owned()] {
                for part in [Part::New, Part::Old, Part::Unfinished] {
                    let copy = part_name(&name, &suffix, part);
                    assert!(copy.len() <= 63, "{copy}");
                    assert!(copy.ends_with(part.word()));
                    assert!(seen.insert(copy));
                }
            }
        }
    }

    #[test]
    fn a_suffix_leads_nowhere() {
        for bad in ["", "../x", "a/b", "-f", "a b", "a\"b", "a.b", "ä"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        check("01920f3e-7b1c-7c3a-9d3e-0123456789ab").unwrap();
    }
}
