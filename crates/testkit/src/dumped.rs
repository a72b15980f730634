//! A dump that was read to its end.

use std::io::{Cursor, Read as _};

use eclusa_ports::{DatabaseSummary, Dump, StoredDump, StoredStream};

/// A dump that was read to its end.
#[derive(Debug, Clone)]
pub struct Dumped {
    pub streams: Vec<(String, Vec<u8>)>,
    pub summary: DatabaseSummary,
}

impl Dumped {
    /// Reads all streams, in the order of their names.
    pub fn read(dump: Dump) -> std::io::Result<Self> {
        let mut streams = Vec::new();
        for stream in dump.streams {
            let mut bytes = Vec::new();
            (stream.open)()?.read_to_end(&mut bytes)?;
            streams.push((stream.name, bytes));
        }
        streams.sort();
        let summary = (dump.summary)().map_err(std::io::Error::other)?;
        Ok(Self { streams, summary })
    }

    /// As it comes back from a restore point.
    pub fn stored(&self) -> StoredDump {
        let streams = self.streams.iter().map(|(name, bytes)| StoredStream {
            name: name.clone(),
            reader: Box::new(Cursor::new(bytes.clone())),
        });
        StoredDump { streams: streams.collect(), rows: self.summary.rows_by_table() }
    }

    /// All of it as one stream.
    pub fn bytes(&self) -> Vec<u8> {
        self.streams.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}
