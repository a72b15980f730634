//! How much of the machine a backup may take while tenants are served.

use serde::{Deserialize, Serialize};

/// How the disk is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskPriority {
    /// After everybody else of the usual class.
    Lowest,
    /// Only when nobody else asks.
    Idle,
}

impl DiskPriority {
    /// The arguments of `ionice`.
    #[must_use]
    pub const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Lowest => &["-c", "2", "-n", "7"],
            Self::Idle => &["-c", "3"],
        }
    }
}

/// How much of the machine a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Load {
    /// By how much it steps back from the processor: 1 to 19.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<u8>,
    /// How it asks for the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ionice: Option<DiskPriority>,
    /// How many bytes it reads in a second, all tenants together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

impl Load {
    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }

    /// What stands before a command that `nice` and `ionice` start, each where it is wanted.
    #[must_use]
    pub fn prefix(&self, nice: bool, ionice: bool) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        if let Some(level) = self.nice.filter(|_| nice) {
            words.extend(["nice".to_owned(), "-n".to_owned(), level.to_string()]);
        }
        if let Some(priority) = self.ionice.filter(|_| ionice) {
            words.push("ionice".to_owned());
            words.extend(priority.arguments().iter().map(|word| (*word).to_owned()));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_stands_before_a_command() {
        let load = Load { nice: Some(10), ionice: Some(DiskPriority::Lowest), bytes_per_second: None };
        assert_eq!(load.prefix(true, true).join(" "), "nice -n 10 ionice -c 2 -n 7");
        assert_eq!(load.prefix(true, false).join(" "), "nice -n 10");
        let idle = Load { ionice: Some(DiskPriority::Idle), ..Load::default() };
        assert_eq!(idle.prefix(true, true).join(" "), "ionice -c 3");
        assert!(Load::default().prefix(true, true).is_empty());
    }
}
