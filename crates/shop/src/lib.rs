//! The small multi-tenant shop that the demo and the tests run, with its releases and its traffic.
