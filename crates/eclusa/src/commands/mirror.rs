//! `eclusa mirror`: copies restore points to other places and reads them back there, or copies them back.

use clap::Args;
use eclusa_control::mirrors;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::Result;
use eclusa_model::TenantName;
use eclusa_runbook::MirrorWay;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Args)]
pub struct Mirror {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: Performance,
}

/// Whose points go which way.
#[derive(Debug, Args)]
pub struct What {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// Only to this mirror; to all when none is named.
    #[arg(long, value_name = "MIRROR")]
    to: Vec<String>,
    /// Read everything that is at the mirror, and copy anew what is damaged there.
    #[arg(long)]
    read_all: bool,
    /// Copy back from this mirror what the vault lacks or has damaged.
    #[arg(long, value_name = "MIRROR", conflicts_with_all = ["to", "read_all"])]
    from: Option<String>,
}

impl What {
    /// As an intent.
    pub async fn intent(&self, assembly: &eclusa_control::Assembly) -> Result<eclusa_runbook::Intent> {
        let (mirrors, way) = match &self.from {
            Some(from) => (std::slice::from_ref(from), MirrorWay::Back),
            None if self.read_all => (self.to.as_slice(), MirrorWay::ThereReadingAll),
            None => (self.to.as_slice(), MirrorWay::There),
        };
        mirrors::intent(assembly, mirrors, &self.tenants, way).await
    }
}

impl Mirror {
    /// Plans and carries it out. Nothing live is touched and nothing is overwritten that is sound, so nobody is asked.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let intent = self.what.intent(&assembly).await?;
        let how = Performance { yes: true, ..self.how };
        perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await
    }
}
