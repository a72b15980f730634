//! L6: the command line; the only place where the parts are put together.

fn main() {}
