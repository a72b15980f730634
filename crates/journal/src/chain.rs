//! The hash chain: what an entry's hash is made of, and the hashes of the rows that stand beside the chain. Pure.

use sha2::{Digest, Sha256};

/// What stands before the first entry of a run.
pub const FIRST_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// SHA-256 in hexadecimal over fields, each with its length in bytes before it (eight bytes, big-endian), so that
/// no two lists of fields give the same bytes.
pub(crate) fn digest_of_fields(fields: &[&str]) -> String {
    let mut digest = Sha256::new();
    for field in fields {
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field.as_bytes());
    }
    hex::encode(digest.finalize())
}

/// The hash of an entry: over the run, the sequence number in decimal, the time, the hash before it and the event's
/// JSON, each exactly as it is stored.
#[must_use]
pub fn entry_hash(run: &str, sequence: u64, at: &str, previous: &str, event: &str) -> String {
    digest_of_fields(&[run, &sequence.to_string(), at, previous, event])
}

/// The digest of a run's head.
pub(crate) fn run_digest(
    run: &str,
    stack: &str,
    began: &str,
    newest: &str,
    events: i64,
    head: &str,
) -> String {
    digest_of_fields(&["run", run, stack, began, newest, &events.to_string(), head])
}

/// The digest of a request.
pub(crate) fn request_digest(run: &str, at: &str, request: &str) -> String {
    digest_of_fields(&["request", run, at, request])
}

/// The digest of the note that a request was taken.
pub(crate) fn taking_digest(number: i64) -> String {
    digest_of_fields(&["taking", &number.to_string()])
}

/// The digest of who keeps a tenant closed.
pub(crate) fn owner_digest(stack: &str, tenant: &str, owner: &str) -> String {
    digest_of_fields(&["owner", stack, tenant, owner])
}

/// The digest of a proof.
pub(crate) fn proof_digest(
    stack: &str,
    tenant: &str,
    at: &str,
    point: &str,
    milliseconds: i64,
    compared: i64,
) -> String {
    digest_of_fields(&["proof", stack, tenant, at, point, &milliseconds.to_string(), &compared.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hash_is_the_one_that_the_format_describes() {
        // Computed independently: another language, struct.pack(">Q", len(x)) before each field.
        assert_eq!(
            entry_hash("r-1", 1, "2026-11-21T15:21:43.000000000Z", FIRST_PREVIOUS, "{}"),
            include_str!("../tests/known-hash.txt").trim()
        );
    }

    proptest! {
        #[test]
        fn a_character_moved_between_fields_changes_the_hash(left in ".{1,20}", right in ".{0,20}") {
            let moved = left.chars().last().map(String::from).unwrap_or_default();
            let shorter = &left[..left.len() - moved.len()];
            let longer = format!("{moved}{right}");
            prop_assert_ne!(
                entry_hash("r", 1, "t", &left, &right),
                entry_hash("r", 1, "t", shorter, &longer)
            );
        }

        #[test]
        fn every_field_counts(
            run in "[a-z]{1,8}", sequence in 1_u64..1000, at in "[0-9T:]{1,20}", previous in "[0-9a-f]{64}", event in ".{0,50}"
        ) {
            let hash = entry_hash(&run, sequence, &at, &previous, &event);
            prop_assert_ne!(&hash, &entry_hash(&format!("{run}x"), sequence, &at, &previous, &event));
            prop_assert_ne!(&hash, &entry_hash(&run, sequence + 1, &at, &previous, &event));
            prop_assert_ne!(&hash, &entry_hash(&run, sequence, &format!("{at}0"), &previous, &event));
            prop_assert_ne!(&hash, &entry_hash(&run, sequence, &at, &hash, &event));
            prop_assert_ne!(&hash, &entry_hash(&run, sequence, &at, &previous, &format!("{event} ")));
        }
    }
}
