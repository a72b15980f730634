//! The names of the streams of a dump that has several; one after the other in the order of their names they are a whole
//! dump too.
//!
//! | stream | what is in it |
//! |---|---|
//! | `database/1-structure.sql` | what must be there before rows: tables without them, types, functions of PostgreSQL |
//! | `database/2-rows-N.sql` | the rows of some of the tables |
//! | `database/3-definitions.sql` | what may come only after rows, and the values of sequences |
//! | `database/4-views.sql` | views of MariaDB |

const STRUCTURE: &str = "database/1-";
const ROWS: &str = "database/2-";
const DEFINITIONS: &str = "database/3-";
const VIEWS: &str = "database/4-";

/// The one stream of a dump that has no other.
pub(crate) const WHOLE: &str = "database.sql";

/// The name of a stream with the tables, without their rows.
pub(crate) fn structure() -> String {
    format!("{STRUCTURE}structure.sql")
}

/// The name of a stream with rows: of a number, or of a word where there is one of its kind.
pub(crate) fn rows(which: &str) -> String {
    format!("{ROWS}rows-{which}.sql")
}

/// The name of a stream with what comes after the rows.
pub(crate) fn definitions() -> String {
    format!("{DEFINITIONS}definitions.sql")
}

/// The name of a stream with views.
pub(crate) fn views() -> String {
    format!("{VIEWS}views.sql")
}

/// Whether a stream of this name has rows in it.
pub(crate) fn has_rows(name: &str) -> bool {
    is_part_with_rows(name) || !name.contains('/')
}

/// Whether a stream of this name has the tables in it, without their rows.
pub(crate) fn is_structure(name: &str) -> bool {
    name.starts_with(STRUCTURE)
}

/// Whether a stream of this name has what comes after the rows in it.
pub(crate) fn is_definitions(name: &str) -> bool {
    name.starts_with(DEFINITIONS)
}

/// Whether a stream of this name has views in it.
pub(crate) fn is_views(name: &str) -> bool {
    name.starts_with(VIEWS)
}

/// Whether a stream of this name is a part of a dump, and rows are in it.
pub(crate) fn is_part_with_rows(name: &str) -> bool {
    name.starts_with(ROWS)
}
