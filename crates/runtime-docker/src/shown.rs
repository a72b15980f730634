//! The merged Compose model as it may be shown to others: Compose prints every secret in clear.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{Host, NoOutput};
use serde_json::Value;

use crate::compose::{Compose, Invocation, QUESTION, failed};

/// What stands for a value that is left out.
const HIDDEN: &str = "…";

/// The merged model of a project without the values of variables, build arguments, secrets and configs.
///
/// # Errors
/// `ComposeMissing`, `ComposeInvalid`.
pub async fn shown_project(
    files: &[PathBuf],
    env_files: &[PathBuf],
    directory: &Path,
    project: Option<&str>,
    host: Arc<dyn Host>,
) -> Result<Value> {
    let invocation = Invocation::of_files(files, env_files, directory, project);
    let path = files.first().map_or_else(String::new, |file| file.display().to_string());
    let invalid = || Fault::new(Code::ComposeInvalid).with("path", &path);
    let asked = ["config", "--format", "json"];
    let result = Compose::new(host).run(&invocation, &asked, QUESTION, &NoOutput).await?;
    if result.code != 0 {
        return Err(failed(invalid(), &result, ""));
    }
    // The reader's own message would quote the text, which holds secrets.
    let mut model: Value = serde_json::from_str(&result.stdout)
        .map_err(|_| invalid().because("the output of docker compose config is not in the expected form"))?;
    hide(&mut model);
    Ok(model)
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "environment" | "args" => hide_values(member),
                    "content" => *member = HIDDEN.into(),
                    _ => hide(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// `NAME: value` and `NAME=value` without the values.
fn hide_values(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members
                .values_mut()
                .filter(|member| !member.is_null())
                .for_each(|member| *member = HIDDEN.into());
        }
        Value::Array(items) => {
            for item in items {
                let name =
                    item.as_str().and_then(|text| text.split_once('=')).map(|(name, _)| name.to_owned());
                *item = name.map_or_else(|| HIDDEN.to_owned(), |name| format!("{name}={HIDDEN}")).into();
            }
        }
        // The environment variable that a secret comes from is a name.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_hidden_and_names_are_not() {
        let mut model = serde_json::json!({
            "services": {"web": {
                "environment": {"A": "secret-1", "B": null},
                "build": {"args": ["C=secret-2"]},
                "command": ["serve"],
            }},
            "secrets": {"s": {"environment": "NAME", "content": "secret-3"}},
        });
        hide(&mut model);
        let shown = model.to_string();
        assert!(!shown.contains("secret-"), "{shown}");
        for kept in ["\"A\":\"…\"", "\"B\":null", "C=…", "serve", "NAME"] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
    }
}
