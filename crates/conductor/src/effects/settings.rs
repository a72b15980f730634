//! Settings in JSON files of services: changed so that a crash leaves the old file or the new one, and read back.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, PointId, TenantName};
use eclusa_ports::{CommandSpec, NoOutput};
use eclusa_runbook::{Outputs, PointReference, SettingsOperation};
use serde_json::Value;

use super::point::in_service;
use crate::context::Context;

/// The most that is read of such a file, in bytes.
const MOST: u64 = 4 * 1024 * 1024;

pub(super) type Object = BTreeMap<String, Value>;

pub(super) async fn perform(context: &Context, operation: &SettingsOperation) -> Result<Outputs> {
    match operation {
        SettingsOperation::Set { file, values, .. } => set(context, file, values).await,
        SettingsOperation::Back { tenant, file, point, names } => {
            let before = of_point(context, tenant, file, point).await?;
            set(context, file, &of_names(&before, names)).await
        }
    }
}

/// What these members are in a restore point; none: it has none of that name.
fn of_names(point: &Object, names: &[String]) -> BTreeMap<String, Option<Value>> {
    names.iter().map(|name| (name.clone(), point.get(name).cloned())).collect()
}

/// What a file that holds no object is not said with: what it holds may be a secret.
fn no_object(path: &str) -> Fault {
    Fault::new(Code::FileAccess)
        .with("path", path)
        .with("operation", "read as settings")
        .because("it holds no JSON object")
}

fn parsed(bytes: &[u8], path: &str) -> Result<Object> {
    serde_json::from_slice(bytes).map_err(|_| no_object(path))
}

pub(super) async fn read(context: &Context, path: &Path) -> Result<Object> {
    parsed(&context.ports.host.read(path, MOST).await?, &path.display().to_string())
}

pub(super) async fn write(context: &Context, path: &Path, object: &Object, mode: u32) -> Result<()> {
    let text = written(object).map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    context.ports.host.write_durably(path, &text, mode).await
}

pub(super) async fn of_point(
    context: &Context,
    tenant: &TenantName,
    file: &FilesPlace,
    point: &PointReference,
) -> Result<Object> {
    let id = context.point(point)?;
    let id = PointId::new(&id).map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let path = format!("configuration/{}", file.name());
    let mut reader = context.ports.vault.open(tenant, &id, &path).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    let damaged = |why: String| {
        Fault::new(Code::PointDamaged)
            .with("point", &id)
            .with("tenant", tenant)
            .with("problem", format!("{path} cannot be read: {why}"))
    };
    let bytes = read.await.map_err(|error| damaged(error.to_string()))?;
    parsed(&bytes.map_err(|error| damaged(error.to_string()))?, &path)
}

async fn set(
    context: &Context,
    file: &FilesPlace,
    values: &BTreeMap<String, Option<Value>>,
) -> Result<Outputs> {
    let (path, _) = in_service(context, file).await?;
    let before = read(context, &path).await?;
    let wanted = changed(&before, values);
    if wanted != before {
        write(context, &path, &wanted, mode(context, &path).await?).await?;
        if read(context, &path).await? != wanted {
            return Err(Fault::new(Code::FileAccess)
                .with("path", path.display())
                .with("operation", "changed")
                .because("it was read back, and is not what was written"));
        }
    }
    let names: Vec<&str> =
        values.keys().filter(|name| before.get(*name) != wanted.get(*name)).map(String::as_str).collect();
    let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
    Ok(Outputs::from([("settings".to_owned(), names)]))
}

pub(super) fn changed(before: &Object, values: &BTreeMap<String, Option<Value>>) -> Object {
    let mut wanted = before.clone();
    for (name, value) in values {
        match value {
            Some(value) => wanted.insert(name.clone(), value.clone()),
            None => wanted.remove(name),
        };
    }
    wanted
}

/// As bench writes it: sorted, indented by one, without a line break at the end.
fn written(object: &Object) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    serde::Serialize::serialize(object, &mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    Ok(text)
}

/// The mode of the file, which it keeps: it holds passwords.
pub(super) async fn mode(context: &Context, path: &Path) -> Result<u32> {
    let argv = ["stat".to_owned(), "--format=%a".to_owned(), "--".to_owned(), path.display().to_string()];
    let result = context.ports.host.run(CommandSpec::new(argv, Duration::from_secs(30)), &NoOutput).await?;
    u32::from_str_radix(result.stdout.trim(), 8).map_err(|_| {
        Fault::new(Code::FileAccess)
            .with("path", path.display())
            .with("operation", "looked at")
            .because(result.last_line().unwrap_or_default())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_what_is_named_is_changed() {
        let before =
            object(json!({"db_name": "_1", "limit": 5, "gone": "x", "nested": {"b": 1, "a": [1, 2]}}));
        let values = [
            ("limit".to_owned(), Some(json!(6))),
            ("gone".to_owned(), None),
            ("never".to_owned(), None),
            ("server_script_enabled".to_owned(), Some(json!(true))),
        ];
        let wanted = changed(&before, &values.into());
        assert_eq!(
            wanted,
            object(
                json!({"db_name": "_1", "limit": 6, "nested": {"b": 1, "a": [1, 2]}, "server_script_enabled": true})
            )
        );
        assert_eq!(
            String::from_utf8(written(&object(json!({"b": 1, "a": "ö"}))).unwrap()).unwrap(),
            "{\n \"a\": \"ö\",\n \"b\": 1\n}"
        );
        assert!(parsed(b"[1]", "x").is_err() && parsed(b"", "x").is_err());
    }

    #[test]
    fn only_the_one_member_of_a_point_is_taken_over() {
        let live = object(json!({"db_name": "_own", "db_password": "own"}));
        let other = object(json!({"db_name": "_other", "encryption_key": "k"}));
        let of = |point: &Object| of_names(point, &["encryption_key".to_owned()]);
        let expected =
            "{\n \"db_name\": \"_own\",\n \"db_password\": \"own\",\n \"encryption_key\": \"k\"\n}";
        let taken = changed(&live, &of(&other));
        assert_eq!(String::from_utf8(written(&taken).unwrap()).unwrap(), expected);
        assert_eq!(changed(&taken, &of(&other)), taken);
        assert!(!changed(&taken, &of(&live)).contains_key("encryption_key"));
        assert!(parsed(b"no", "x").is_err());
    }
}
