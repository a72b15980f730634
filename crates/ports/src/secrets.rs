//! Secrets: references in configuration and plans, values only at the moment they are used.

use eclusa_fault::Result;
use secrecy::SecretString;

/// Resolves references such as `env:POSTGRES_PASSWORD` (the env file of the stack first, then the environment of
/// this process) and `file:/run/secrets/x`.
pub trait SecretResolver: Send + Sync {
    /// The value.
    ///
    /// # Errors
    /// `SecretMissing`.
    fn resolve(&self, reference: &str) -> Result<SecretString>;

    /// The text with every secret that is known here replaced by dots: commands print what they should not.
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    /// The same for lines that belong together, in place: a secret may go on from one line to the next.
    fn redact_lines(&self, lines: &mut [String]) {
        for line in lines {
            *line = self.redact(line);
        }
    }

    /// Whether lines end with what may be the beginning of a secret, so that the next line has to be seen together
    /// with them.
    fn is_open(&self, lines: &[String]) -> bool {
        let _ = lines;
        false
    }
}
