//! Digests of values: SHA-256 of their JSON. Types that are digested keep their maps ordered.

use eclusa_model::PlanDigest;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The SHA-256 of a value's JSON, in hexadecimal.
///
/// # Errors
/// When the value cannot be written as JSON.
pub fn digest_of<T: Serialize>(value: &T) -> Result<PlanDigest, serde_json::Error> {
    let bytes = serde_json::to_vec(value)?;
    PlanDigest::new(hex::encode(Sha256::digest(&bytes))).map_err(serde::ser::Error::custom)
}
