//! Statements that people give. They may name a person, and what a server says of a failure quotes them; so no more of that is
//! told than where it is and which error.

use eclusa_fault::{Code, Fault};
use eclusa_model::TenantName;

/// A failure of statements, without their words.
pub(crate) fn failed(tenant: &TenantName, fault: Fault) -> Fault {
    if fault.code != Code::StatementsFailed {
        return fault;
    }
    let told = fault.causes.iter().find_map(|cause| told(cause));
    let problem = told.unwrap_or_else(|| "the server did not say where".to_owned());
    Fault::new(Code::StatementsFailed).with("tenant", tenant).with("problem", problem)
}

/// `ERROR 1146 (42S02) at line 3` of MariaDB's client, `psql:<stdin>:3: ERROR:  42P01` of psql, and our own words of SQLite.
fn told(cause: &str) -> Option<String> {
    let cause = cause.trim();
    if let Some(line) = cause.strip_prefix("psql:<stdin>:") {
        let (number, rest) = line.split_once(':')?;
        let state = rest.trim().strip_prefix("ERROR:")?.trim();
        let is_state = state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return is_state.then(|| format!("error {state} at line {number}"));
    }
    if cause.starts_with("ERROR ") {
        let place = cause.split(": ").next()?;
        let mut words = place.split_whitespace();
        let plain = words.all(|word| word.len() <= 12);
        return plain.then(|| place.to_owned());
    }
    cause.starts_with("statement ").then(|| cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_statement_is_told() {
        for (said, expected) in [
            (
                "ERROR 1064 (42000) at line 3: You have an error near 'jane@example.org' at line 1",
                Some("ERROR 1064 (42000) at line 3"),
            ),
            ("psql:<stdin>:7: ERROR:  42P01", Some("error 42P01 at line 7")),
            ("psql:<stdin>:7: ERROR:  relation \"jane\" does not exist", None),
            ("LINE 1: delete from customers where mail = 'jane@example.org'", None),
            ("statement 2: SQL logic error (code 1)", Some("statement 2: SQL logic error (code 1)")),
        ] {
            assert_eq!(told(said).as_deref(), expected, "{said}");
        }
    }
}
