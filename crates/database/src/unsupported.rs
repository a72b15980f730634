//! What is said of something that an engine's databases are not asked for.

use eclusa_fault::{Code, Fault};
use eclusa_model::Tenant;

pub(crate) fn without_bases(tenant: &Tenant) -> Fault {
    let problem = format!("base backups of the server of {} on this engine", tenant.name);
    Fault::new(Code::DatabaseUnsupported).with("problem", problem)
}

pub(crate) fn without_log(tenant: &Tenant) -> Fault {
    let problem = format!("moments between restore points of {} on this engine", tenant.name);
    Fault::new(Code::DatabaseUnsupported).with("problem", problem)
}

pub(crate) fn tables_alone(tenant: &Tenant) -> Fault {
    let problem = format!("some tables of {} alone are not restored on this engine", tenant.name);
    Fault::new(Code::DatabaseUnsupported).with("problem", problem)
}

pub(crate) fn cannot_be_made(tenant: &Tenant) -> Fault {
    let problem = format!("a database for {} is made on MariaDB only", tenant.name);
    Fault::new(Code::DatabaseUnsupported).with("problem", problem)
}
