//! Signatures of webhooks: `t=UNIX,v1=HEX`, where HEX is HMAC-SHA-256 over the time, a full stop and the body. The
//! time is inside, so that an old notice cannot be played again later.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-eclusa-signature";

fn mac(secret: &SecretString, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length, so this cannot fail.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).unwrap_or_else(|_| unreachable!());
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// The value of the header for a body sent at a time.
#[must_use]
pub fn sign(secret: &SecretString, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_second();
    format!("t={seconds},v1={}", hex::encode(mac(secret, seconds, body).finalize().into_bytes()))
}

/// Whether a header is the signature of a body, made not more than `tolerance` seconds from now. In constant time.
#[must_use]
pub fn verify_signature(
    secret: &SecretString,
    header: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: u64,
) -> bool {
    let field =
        |name: &str| header.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let Some(seconds) = field("t").and_then(|text| text.parse::<i64>().ok()) else { return false };
    let Some(signature) = field("v1").and_then(|text| hex::decode(text).ok()) else { return false };
    now.as_second().abs_diff(seconds) <= tolerance
        && mac(secret, seconds, body).verify_slice(&signature).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_published_one() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(
            sign(&"secret".into(), at, b"{\"a\":1}"),
            include_str!("../tests/known-signature.txt").trim()
        );
    }

    #[test]
    fn anything_changed_is_refused() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let later = Timestamp::from_second(1_700_000_301).unwrap();
        let secret: SecretString = "secret".into();
        let header = sign(&secret, at, b"body");
        assert!(verify_signature(&secret, &header, b"body", at, 300));
        assert!(!verify_signature(&secret, &header, b"Body", at, 300));
        assert!(!verify_signature(&"other".into(), &header, b"body", at, 300));
        assert!(!verify_signature(&secret, &header, b"body", later, 300));
        assert!(!verify_signature(&secret, &header.replace("t=17", "t=18"), b"body", at, u64::MAX));
        for broken in ["", "t=1", "v1=00", "t=x,v1=00", "t=1700000000,v1=zz", "t=1700000000,v1="] {
            assert!(!verify_signature(&secret, broken, b"body", at, 300), "{broken:?} was taken");
        }
    }
}
