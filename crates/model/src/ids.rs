//! Names and ids. Each is a type of its own, so that a tenant cannot be passed where a service is meant, and
//! each is checked when it is made, so that none can carry a path or a flag into a command.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind} names are 1 to {max} letters, digits, '.', '_' or '-', beginning with a letter, a digit or '_'; not {found:?}"
)]
pub struct IllegalName {
    kind: &'static str,
    max: usize,
    found: String,
}

fn check(kind: &'static str, max: usize, extra: &str, text: &str) -> Result<(), IllegalName> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || extra.contains(c);
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    if first && text.len() <= max && text.chars().all(good) && !text.contains("..") {
        Ok(())
    } else {
        Err(IllegalName { kind, max, found: text.chars().take(max).collect() })
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $extra:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and makes the name.
            ///
            /// # Errors
            /// `IllegalName` for anything that is empty, too long, or has other characters.
            pub fn new(text: impl Into<String>) -> Result<Self, IllegalName> {
                let text = text.into();
                check($kind, $max, $extra, &text)?;
                Ok(Self(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl FromStr for $name {
            type Err = IllegalName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IllegalName;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }
    )*};
}

names! {
    /// A stack, as `[stacks.NAME]` names it.
    StackName, "stack", 40, "";
    /// A tenant: one client's site. Often a host name.
    TenantName, "tenant", 120, "";
    /// A service of the stack, as Compose or the process table names it.
    ServiceName, "service", 80, "";
    /// A step of a plan, such as `secure.point.alpha`.
    StepName, "step", 200, "";
    /// A run, such as `r-20261121-152143-k3f9`: it sorts by time.
    RunId, "run", 60, "";
    /// A restore point: the id of its snapshot in the vault.
    PointId, "restore point", 80, "";
    /// The digest of a plan: 64 hexadecimal digits of SHA-256.
    PlanDigest, "plan digest", 64, "";
    /// A person of `[people]`.
    PersonName, "person", 80, "@+";
}

impl PointId {
    /// The beginning of it, as people write it.
    #[must_use]
    pub fn short(&self) -> &str {
        self.as_str().get(..8).unwrap_or(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_a_flag_or_a_path() {
        for bad in ["", "-rf", "a/b", "../x", "a..b", "a b", "$(x)", "a;b", ".hidden", "é"] {
            assert!(TenantName::new(bad).is_err(), "{bad:?} was taken");
        }
        for good in ["alpha", "shop.example.org", "a-b_c.9", "_x"] {
            assert_eq!(TenantName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_read() {
        assert!(serde_json::from_str::<ServiceName>("\"web\"").is_ok());
        assert!(serde_json::from_str::<ServiceName>("\"--rm\"").is_err());
    }
}
