//! L3: what is known about each application. Pure: they name commands and read outputs, and run nothing.

mod django;
mod frappe;
mod generic;

pub use django::{Django, migrations_in, parse_show_migrations};
pub use frappe::{
    CommonConfig, Frappe, SiteConfig, backup_files, customizations, parse_common_config, parse_site_config,
};
pub use generic::Generic;

use eclusa_model::AppKind;
use eclusa_planner::App;

/// The table of applications: one line each.
#[must_use]
pub fn app(kind: AppKind) -> &'static dyn App {
    match kind {
        AppKind::Django => &Django,
        AppKind::Frappe => &Frappe,
        AppKind::Generic => &Generic,
    }
}
