//! One member of a JSON file, taken over from another.

use std::collections::BTreeMap;

use serde::Serialize as _;
use serde_json::{Map, Value};

/// A configuration file with one member of another's; none when it has it already.
///
/// # Errors
/// A sentence on what is wrong with either. It never quotes a value.
pub(super) fn with_member(live: &str, other: &str, member: &str) -> Result<Option<String>, String> {
    let read = |text: &str, whose: &str| -> Result<Map<String, Value>, String> {
        match serde_json::from_str(text) {
            Ok(Value::Object(keys)) => Ok(keys),
            _ => Err(format!("{whose} is no JSON object")),
        }
    };
    let mut keys = read(live, "the live file")?;
    let other = read(other, "the restore point's file")?;
    if keys.get(member) == other.get(member) {
        return Ok(None);
    }
    match other.get(member) {
        Some(value) => keys.insert(member.to_owned(), value.clone()),
        None => keys.shift_remove(member),
    };
    // As applications write theirs: sorted, indented by one blank, without a last line break.
    let sorted: BTreeMap<String, Value> = keys.into_iter().collect();
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let written = sorted.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
    written.map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_member_is_taken_over() {
        let live = r#"{"db_name": "_own", "db_password": "own"}"#;
        let other = r#"{"db_name": "_other", "encryption_key": "k"}"#;
        let expected =
            "{\n \"db_name\": \"_own\",\n \"db_password\": \"own\",\n \"encryption_key\": \"k\"\n}";
        assert_eq!(with_member(live, other, "encryption_key").unwrap().as_deref(), Some(expected));
        assert_eq!(with_member(expected, other, "encryption_key").unwrap(), None);
        assert!(
            with_member(expected, live, "encryption_key").unwrap().unwrap().find("encryption_key").is_none()
        );
        assert!(with_member("no", other, "encryption_key").is_err());
    }
}
