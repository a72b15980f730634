//! The stack key: an age identity by which the files with tenants' keys are wrapped. A wrapped one is an age file like any
//! other, so that Debian's `age` opens it with the same key.

use std::fmt;
use std::io::{self, Read as _, Write as _};

use age::armor::ArmoredReader;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use eclusa_fault::Message;
use secrecy::{ExposeSecret as _, SecretString};

/// How age's files begin, of whichever version, and how they do in ASCII armor.
const BEGINNINGS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// Whether bytes are an age file. No key of ours begins so: they are base64.
#[must_use]
pub fn is_wrapped(bytes: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
}

/// The key that wraps the files with tenants' keys.
pub struct StackKey {
    identity: Identity,
    recipient: Recipient,
}

// What is in it is shown to nobody.
impl fmt::Debug for StackKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StackKey")
    }
}

/// Why a text is no stack key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoStackKey {
    /// No identity stands in it.
    Lacking,
    /// It would not be clear which one is meant.
    Several,
    /// A line is neither a comment nor an identity.
    Unreadable,
}

impl NoStackKey {
    /// The same for people.
    #[must_use]
    pub fn message(self) -> Message {
        match self {
            Self::Lacking => Message::new("stack-key-lacking"),
            Self::Several => Message::new("stack-key-several"),
            Self::Unreadable => Message::new("stack-key-unreadable"),
        }
    }
}

/// Why a wrapped file stays closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// It was wrapped by another key.
    Another,
    /// It is damaged, or of a version of age that is not known here.
    Damaged(String),
}

impl StackKey {
    /// Reads it as `age-keygen` writes it: one identity, and comments.
    ///
    /// # Errors
    /// When not exactly one identity stands in the text. The error has nothing of the text in it.
    pub fn parse(text: &SecretString) -> Result<Self, NoStackKey> {
        let lines = text.expose_secret().lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next().ok_or(NoStackKey::Lacking)?;
        let identity: Identity = line.parse().map_err(|_| NoStackKey::Unreadable)?;
        match lines.next() {
            None => Ok(Self { recipient: identity.to_public(), identity }),
            Some(further) if further.parse::<Identity>().is_ok() => Err(NoStackKey::Several),
            Some(_) => Err(NoStackKey::Unreadable),
        }
    }

    /// Wraps a text.
    pub(crate) fn seal(&self, text: &SecretString) -> io::Result<Vec<u8>> {
        let recipients = std::iter::once(&self.recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed)?;
        writer.write_all(text.expose_secret().as_bytes())?;
        writer.finish()?;
        Ok(sealed)
    }

    /// Opens what was wrapped.
    ///
    /// # Errors
    /// When another key wrapped it, or it is damaged.
    pub fn open(&self, sealed: &[u8]) -> Result<SecretString, Closed> {
        let failed = |error: DecryptError| match error {
            DecryptError::NoMatchingKeys => Closed::Another,
            other => Closed::Damaged(other.to_string()),
        };
        let damaged = |error: &dyn fmt::Display| Closed::Damaged(error.to_string());
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed)).map_err(failed)?;
        let identities = std::iter::once(&self.identity as &dyn age::Identity);
        let mut text = String::with_capacity(sealed.len());
        decryptor
            .decrypt(identities)
            .map_err(failed)?
            .read_to_string(&mut text)
            .map_err(|error| damaged(&error))?;
        Ok(SecretString::from(text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn key() -> (StackKey, String) {
        let text = Identity::generate().to_string();
        let text = age::secrecy::ExposeSecret::expose_secret(&text).to_owned();
        (StackKey::parse(&SecretString::from(text.as_str())).unwrap(), text)
    }

    fn refusal(text: &str) -> NoStackKey {
        StackKey::parse(&SecretString::from(text)).unwrap_err()
    }

    #[test]
    fn one_identity_is_a_stack_key_and_anything_else_is_none() {
        let (key, text) = key();
        let sealed = key.seal(&SecretString::from("a key\n")).unwrap();
        let commented = format!("# created: today\n# public key: age1…\n\n  {text}\r\n");
        let again = StackKey::parse(&SecretString::from(commented)).unwrap();
        assert_eq!(again.open(&sealed).unwrap().expose_secret(), "a key\n");
        assert_eq!(refusal(""), NoStackKey::Lacking);
        assert_eq!(refusal("# only a comment\n"), NoStackKey::Lacking);
        assert_eq!(refusal(&format!("{text}\n{text}\n")), NoStackKey::Several);
        assert_eq!(refusal(&format!("{text}\nand more\n")), NoStackKey::Unreadable);
        assert_eq!(refusal(&text[..text.len() - 1]), NoStackKey::Unreadable);
        assert_eq!(refusal(&key.recipient.to_string()), NoStackKey::Unreadable);
        assert_eq!(format!("{key:?}"), "StackKey");
    }

    #[test]
    fn only_the_key_that_wrapped_opens_and_a_damaged_file_is_told_from_a_foreign_one() {
        let ((ours, _), (other, _)) = (key(), key());
        let sealed = ours.seal(&SecretString::from("a key\n")).unwrap();
        assert!(is_wrapped(&sealed) && !is_wrapped(b"a key\n") && !is_wrapped(b""));
        assert_eq!(other.open(&sealed).unwrap_err(), Closed::Another);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(ours.open(&damaged).is_err(), "byte {at}");
            assert!(ours.open(&sealed[..at]).is_err(), "cut at {at}");
        }
        let last = sealed.len() - 1;
        assert!(matches!(ours.open(&sealed[..last]), Err(Closed::Damaged(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_bytes_make_it_panic(
            text in "(AGE-SECRET-KEY-1)?[ -~\n]{0,80}",
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            beginning in 0..3_usize,
        ) {
            let _ = StackKey::parse(&SecretString::from(text));
            let (key, _) = key();
            let beginning: &[u8] = match beginning {
                0 => b"",
                1 => b"age-encryption.org/v1\n-> X25519 ",
                _ => b"-----BEGIN AGE ENCRYPTED FILE-----\n",
            };
            prop_assert!(key.open(&[beginning, &bytes].concat()).is_err());
        }

        #[test]
        fn whatever_is_wrapped_comes_back(text in "\\PC{0,300}") {
            let (key, _) = key();
            let sealed = key.seal(&SecretString::from(text.as_str())).unwrap();
            let opened = key.open(&sealed).unwrap();
            prop_assert_eq!(opened.expose_secret(), text.as_str());
        }
    }
}
