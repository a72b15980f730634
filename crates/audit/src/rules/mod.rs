//! The rules, by what they are about. Each has a code that is never used again for something else; its texts are
//! `A101`, `A101-risk`, `A101-fix` in the catalogue, its page is `docs/rules/A101.md`, its cases are in
//! `tests/audit/rules/A101`.

mod apps;
mod backup;
mod data;
mod django;
mod files;
mod frappe;
mod images;
mod network;
mod nginx;
mod running;
mod scripts;
mod secret;
mod supervised;
mod support;
mod table;
mod versions;

pub use table::{RULES, Rule, rule};

use crate::context::Context;
use crate::finding::Findings;

/// Applies every rule that reads files. `today` decides what has reached its end of life.
pub fn check(context: &Context<'_>, today: jiff::civil::Date, out: &mut Findings) {
    files::check(context, out);
    secret::check(context, out);
    images::check(context, today, out);
    network::check(context, out);
    nginx::check(context, out);
    running::check(context, out);
    data::check(context, out);
    backup::check(context, out);
    frappe::check(context, out);
    apps::check(context, out);
    django::check(context, out);
    scripts::check(context, out);
    supervised::check(context, out);
}
