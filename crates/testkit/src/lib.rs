//! Fakes behind the ports and the contract suites that the real ones pass too.
