//! The log files of a site of its own, beside what its services say.

use eclusa_config::Stack;
use eclusa_model::Tenant;
use eclusa_planner::LogFiles;

use super::clone;

/// Left out: what people typed into a console, and each statement that ever changed the schema.
const EXCEPT: [&str; 2] = ["ipython.log", "database.log"];

/// What an entry begins with, in UTC whatever the site's time zone is; the lines after it (a traceback) belong to it.
const TIME: &str = "%Y-%m-%d %H:%M:%S,%f";

pub(super) fn files(stack: &Stack, tenant: &Tenant) -> Option<LogFiles> {
    let (place, _) = clone::lies(stack, tenant)?;
    let directory = format!("{}/logs", tenant.name);
    Some(LogFiles { place, directory, except: EXCEPT.map(str::to_owned).to_vec(), time: TIME.to_owned() })
}
