//! The host of a world: commands that switch flags, files in memory, a disk.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{CommandResult, CommandSpec, DiskRoom, Host, OutputSink, OutputStream};

use crate::World;

/// The host of a world. `flag on NAME` and `flag off NAME` switch a flag; any other command does nothing.
pub struct FakeHost(pub World);

pub(crate) fn result(code: i32, stdout: String) -> CommandResult {
    let tail = stdout.lines().map(str::to_owned).collect();
    CommandResult { code, tail, stdout, truncated: false, duration: Duration::from_millis(1) }
}

#[async_trait]
impl Host for FakeHost {
    async fn run(&self, command: CommandSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        let argv = command.argv;
        let code = self
            .0
            .step(format!("host.{}", argv.join("-")), |state| {
                match argv.as_slice() {
                    [flag, on, name] if flag == "flag" && on == "on" => {
                        state.flags.insert(name.clone());
                    }
                    [flag, off, name] if flag == "flag" && off == "off" => {
                        state.flags.remove(name);
                    }
                    _ => {}
                }
                Ok(i32::from(state.failing.contains(&argv.join(" "))))
            })
            .await?;
        output.line(OutputStream::Out, "done");
        Ok(result(code, "done\n".to_owned()))
    }

    async fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>> {
        let denied = || Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "read");
        self.0
            .step("host.read", |state| {
                let content = state.host_files.get(path).cloned().ok_or_else(denied)?;
                if content.len() as u64 > most { Err(denied()) } else { Ok(content) }
            })
            .await
    }

    async fn write_durably(&self, path: &Path, content: &[u8], _mode: u32) -> Result<()> {
        self.0
            .step("host.write", |state| {
                state.host_files.insert(path.to_owned(), content.to_vec());
                Ok(())
            })
            .await
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        self.0
            .step("host.remove", |state| {
                state.host_files.remove(path);
                Ok(())
            })
            .await
    }

    async fn disk(&self, _path: &Path) -> Result<DiskRoom> {
        self.0
            .step("host.disk", |state| {
                let total_bytes = 100_000_000_000;
                Ok(DiskRoom { total_bytes, free_bytes: total_bytes / 100 * state.free_percent })
            })
            .await
    }
}
