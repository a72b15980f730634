//! Into how many streams a database is dumped.

/// From how many bytes on a dump of a server is several streams: with less than this, starting several programs
/// costs more than they save.
const SEVERAL_FROM: u64 = 32 * 1024 * 1024;
/// How many connections read rows at most side by side.
const CONNECTIONS: usize = 4;

/// How a database is dumped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// From how many bytes on it is several streams.
    pub(crate) several_from: u64,
    /// How many connections read rows side by side.
    pub(crate) connections: usize,
}

impl Default for Shape {
    fn default() -> Self {
        let connections = std::thread::available_parallelism().map_or(1, usize::from).min(CONNECTIONS);
        Self { several_from: SEVERAL_FROM, connections }
    }
}
