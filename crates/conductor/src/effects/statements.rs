//! Files with statements that people gave. A plan names them; they are read when they are run.

use std::path::Path;

use eclusa_fault::{Code, Fault, Result};
use eclusa_runbook::StatementFile;
use sha2::{Digest, Sha256};

use crate::context::Context;

/// The longest such file, in bytes.
const MOST: u64 = 64 * 1024 * 1024;

/// The statements of a file, if it is still the one that the plan was made with.
pub(super) async fn read(context: &Context, file: &StatementFile) -> Result<String> {
    let fault = |why: &str| {
        Fault::new(Code::FileAccess).with("path", &file.path).with("operation", "run").because(why)
    };
    let bytes = context.ports.host.read(Path::new(&file.path), MOST).await?;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != file.sha256 {
        return Err(fault("it is not the file that the plan was made with"));
    }
    String::from_utf8(bytes).map_err(|_| fault("it is no text in UTF-8"))
}
