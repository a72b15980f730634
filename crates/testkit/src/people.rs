//! The small ports: who is told, secrets, and whether the stack has moved.

use std::sync::Mutex;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Fingerprint;
use eclusa_ports::{Notice, Notifier, Observer, SecretResolver};
use secrecy::SecretString;

use crate::World;

/// Keeps what it is told; loses it when told to.
#[derive(Default)]
pub struct FakeNotifier {
    /// What was told.
    pub told: Mutex<Vec<Notice>>,
    /// Whether nothing is delivered.
    pub deaf: bool,
}

#[async_trait]
impl Notifier for FakeNotifier {
    async fn notify(&self, notice: &Notice) -> Result<()> {
        if self.deaf {
            return Err(Fault::new(Code::NotifyFailed).with("url", "fake"));
        }
        self.told.lock().unwrap().push(notice.clone());
        Ok(())
    }
}

/// Looks at a world.
pub struct FakeObserver(pub World);

#[async_trait]
impl Observer for FakeObserver {
    async fn fingerprint(&self) -> Result<Fingerprint> {
        self.0.step("observe", |_| Ok(())).await?;
        Ok(self.0.fingerprint())
    }
}

/// Every secret is the word `hush`.
pub struct FakeSecrets;

impl SecretResolver for FakeSecrets {
    fn resolve(&self, _reference: &str) -> Result<SecretString> {
        Ok(SecretString::from("hush"))
    }

    fn redact(&self, text: &str) -> String {
        text.replace("hush", "…")
    }
}
