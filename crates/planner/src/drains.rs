//! How long services may take to end.

/// How long a scheduler, which has nothing left to finish, may take to end, in seconds. Those that do not know the signal,
/// such as `bench schedule` as the first process of a container, use all of it.
pub(crate) const NOTHING_LEFT: u64 = 3;

/// How long what serves may take to end once the gate is closed and the requests in flight have ended, in seconds. Some
/// use all of it, such as a shell that does not pass the signal on to its nginx, and every tenant is closed meanwhile.
const GATE_CLOSED: u64 = 3;

/// How long what serves may take to end where requests may still be in flight, in seconds.
pub(crate) const IN_FLIGHT: u64 = 30;

/// How long what serves may take to end.
pub(crate) fn serving_drain(edge: bool) -> u64 {
    if edge { GATE_CLOSED } else { IN_FLIGHT }
}
