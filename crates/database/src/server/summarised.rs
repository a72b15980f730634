//! What a database holds, by reading all of it as a dump does.

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{DatabaseSummary, Dump};

/// Reads the streams of a dump that have rows, side by side and to nobody, and gives its summary.
pub(crate) async fn summarised(tenant: &str, dump: Dump) -> Result<DatabaseSummary> {
    let streams = dump.streams.into_iter().filter(|stream| crate::streams::has_rows(&stream.name));
    let reading: Vec<_> = streams
        .map(|stream| {
            tokio::task::spawn_blocking(move || std::io::copy(&mut (stream.open)()?, &mut std::io::sink()))
        })
        .collect();
    for one in reading {
        let read = one.await.map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        read.map_err(|error| crate::fault(Code::DumpFailed, tenant).because(error))?;
    }
    (dump.summary)()
}
