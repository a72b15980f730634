//! Commands at named points of a run, and who is told over HTTP.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::gates::default_timeout;
use super::{CommandLine, Period, SecretReference, Value};

/// Whether a hook runs before a phase or after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Before the phase's first step.
    Before,
    /// After its last.
    After,
}

macro_rules! phases {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A phase of the runbook, as hooks name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HookPhase { $($(#[$doc])* $name,)* }

        impl HookPhase {
            /// Every phase in order.
            pub const ALL: &'static [HookPhase] = &[$(HookPhase::$name,)*];

            /// The word in the file; the same as the runbook's.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

phases! {
    /// Nothing is changed yet.
    Preflight = "preflight",
    /// The gate closes.
    Close = "close",
    /// Restore points.
    Secure = "secure",
    /// The new release.
    Change = "change",
    /// The tenants' data.
    Migrate = "migrate",
    /// The proof.
    Validate = "validate",
    /// The decision.
    Decide = "decide",
    /// The gate opens.
    Open = "open",
    /// The same samples against the baseline.
    Watch = "watch",
    /// What was kept is let go.
    Accept = "accept",
}

/// A point of a run: `before.change`, `after.close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookPoint {
    /// Before or after.
    pub side: Side,
    /// The phase.
    pub phase: HookPhase,
}

impl HookPoint {
    /// Reads `before.PHASE` or `after.PHASE`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (side, word) = text.split_once('.')?;
        let side = match side {
            "before" => Side::Before,
            "after" => Side::After,
            _ => return None,
        };
        let phase = HookPhase::ALL.iter().copied().find(|phase| phase.word() == word)?;
        Some(Self { side, phase })
    }

    /// Every point there is, in the order of a run.
    pub fn all() -> impl Iterator<Item = Self> {
        HookPhase::ALL.iter().flat_map(|&phase| [Side::Before, Side::After].map(|side| Self { side, phase }))
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(formatter, "{side}.{}", self.phase.word())
    }
}

impl<'de> Deserialize<'de> for HookPoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = HookPoint;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a point such as \"before.change\" or \"after.close\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<HookPoint, E> {
                // In serde's words for an unknown variant, so that the nearest point is suggested.
                HookPoint::parse(text).ok_or_else(|| {
                    let known: Vec<String> = HookPoint::all().map(|point| format!("`{point}`")).collect();
                    E::custom(format!("unknown variant `{text}`, expected one of {}", known.join(", ")))
                })
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// `[[stacks.NAME.hooks]]`: a command at a point of a run, journaled like any step. It runs on the host, in the
/// directory of `eclusa.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// What it is called; no two have the same name.
    pub name: String,
    /// When it runs.
    pub at: HookPoint,
    /// The command. `{release}` stands for the release's name.
    pub command: CommandLine,
    /// The command that takes it back; absent: there is nothing to take back.
    pub undo: Option<CommandLine>,
    /// How long each may take.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// Its environment variables; references are resolved when it runs.
    #[serde(default)]
    pub environment: BTreeMap<String, Value>,
}

/// What a webhook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum WebhookEvent {
    /// A run began.
    #[serde(rename = "run.started")]
    Started,
    /// A run asks a person.
    #[serde(rename = "run.asks")]
    Asks,
    /// A run has a verdict.
    #[serde(rename = "run.verdict")]
    Verdict,
    /// A run ended.
    #[serde(rename = "run.ended")]
    Ended,
}

impl WebhookEvent {
    /// Every event.
    pub const ALL: &'static [Self] = &[Self::Started, Self::Asks, Self::Verdict, Self::Ended];

    /// The word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "run.started",
            Self::Asks => "run.asks",
            Self::Verdict => "run.verdict",
            Self::Ended => "run.ended",
        }
    }
}

/// `[[stacks.NAME.webhooks]]`: CloudEvents by POST.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where they go; a reference where the address itself is a secret.
    pub url: Value,
    /// A reference to the secret that signs them.
    pub secret: Option<SecretReference>,
    /// Which.
    #[serde(default = "default_events")]
    pub events: Vec<WebhookEvent>,
}

fn default_events() -> Vec<WebhookEvent> {
    WebhookEvent::ALL.to_vec()
}
