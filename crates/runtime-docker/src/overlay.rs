//! The generated override: one file beside the user's Compose file, a pure function of what is pinned. Everything
//! that Eclusa changes about a stack stands in it, and what it was made from stands in its `x-eclusa` key.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Release, ServiceName, StackName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{EDGE_SERVICE, RELEASE_LABEL, STACK_LABEL};

/// The label by which an edge of another configuration is told.
const EDGE_LABEL: &str = "eclusa.edge.configuration";

/// The format of the `x-eclusa` key.
pub const OVERLAY_FORMAT: u32 = 1;

/// What is pinned: the content of `x-eclusa`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The format: [`OVERLAY_FORMAT`].
    pub format: u32,
    /// The stack.
    pub stack: StackName,
    /// The release.
    pub release: Option<Release>,
    /// The edge, while it stands in front of the stack.
    pub edge: Option<EdgePin>,
}

/// The edge as it was installed. It does not follow the settings until it is installed again, so that a release never
/// changes it by the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgePin {
    /// The image, tagged by the hash of its binary.
    pub image: String,
    /// The service that it stands in front of.
    pub frontend: ServiceName,
    /// The ports that the frontend publishes itself: the side door, and those that the edge does not take.
    pub frontend_ports: Vec<String>,
    /// The ports that the edge publishes in its stead.
    pub edge_ports: Vec<String>,
    /// The networks that it shares with the frontend.
    pub networks: Vec<String>,
    /// The directory of the host that is mounted at `/run/eclusa`.
    pub control_directory: String,
    /// The first digits of the hash of its configuration, so that another configuration makes another container.
    pub configuration: String,
}

impl Pinned {
    /// Nothing pinned.
    #[must_use]
    pub fn nothing(stack: StackName) -> Self {
        Self { format: OVERLAY_FORMAT, stack, release: None, edge: None }
    }

    /// Whether the file has nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.release.is_none() && self.edge.is_none()
    }

    /// Reads what is pinned from a generated override.
    ///
    /// # Errors
    /// `ComposeInvalid` when the file was changed so that it is not understood.
    pub fn read(path: &str, text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct File {
            #[serde(rename = "x-eclusa")]
            pinned: Value,
        }
        let invalid = |problem: String| Fault::new(Code::ComposeInvalid).with("path", path).because(problem);
        let mut file: File = serde_saphyr::from_str(text).map_err(|error| invalid(error.to_string()))?;
        each_text(&mut file.pinned, &|text| text.replace("$$", "$"));
        let pinned: Self =
            serde_json::from_value(file.pinned).map_err(|error| invalid(format!("x-eclusa: {error}")))?;
        if pinned.format != OVERLAY_FORMAT {
            return Err(invalid(format!(
                "x-eclusa has format {}, this version knows {OVERLAY_FORMAT}",
                pinned.format
            )));
        }
        Ok(pinned)
    }

    /// The file. `by_hand` is the command by which a person runs the stack with it.
    ///
    /// # Errors
    /// `Internal` when the pins cannot be written as JSON.
    pub fn render(&self, by_hand: &str) -> Result<String> {
        let internal = |error: serde_json::Error| Fault::new(Code::Internal).with("what", error);
        let mut value = serde_json::to_value(self).map_err(internal)?;
        each_text(&mut value, &|text| text.replace('$', "$$"));
        let mut text = header(by_hand);
        // JSON is YAML: a value on one line needs no quoting rules of our own.
        line(&mut text, 0, &format!("x-eclusa: {value}"));
        line(&mut text, 0, "services:");
        for (service, body) in self.bodies() {
            line(&mut text, 1, &format!("{}:", quoted(service.as_str())));
            for entry in body {
                line(&mut text, 2, &entry);
            }
        }
        Ok(text)
    }

    /// What the file says about each service, one line each.
    fn bodies(&self) -> BTreeMap<String, Vec<String>> {
        let mut bodies: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if let Some(release) = &self.release {
            for (service, pin) in &release.images {
                let body = bodies.entry(service.to_string()).or_default();
                body.push(format!("image: {}", quoted(&pin.reference)));
                if pin.built {
                    body.push("pull_policy: never".to_owned());
                }
                body.push("build: !reset null".to_owned());
                body.push("labels:".to_owned());
                body.push(format!("  {STACK_LABEL}: {}", quoted(self.stack.as_str())));
                body.push(format!("  {RELEASE_LABEL}: {}", quoted(&release.name)));
            }
        }
        if let Some(edge) = &self.edge {
            let body = bodies.entry(edge.frontend.to_string()).or_default();
            body.push(format!("ports: !override {}", list(&edge.frontend_ports)));
            let body = bodies.entry(EDGE_SERVICE.to_owned()).or_default();
            body.push(format!("image: {}", quoted(&edge.image)));
            body.push("pull_policy: never".to_owned());
            body.push(r#"command: ["edge", "serve", "--config", "/run/eclusa/edge.json"]"#.to_owned());
            body.push("restart: unless-stopped".to_owned());
            body.push(format!("ports: {}", list(&edge.edge_ports)));
            if !edge.networks.is_empty() {
                body.push(format!("networks: {}", list(&edge.networks)));
            }
            body.push("volumes:".to_owned());
            body.push("  - type: bind".to_owned());
            body.push(format!("    source: {}", quoted(&edge.control_directory)));
            body.push("    target: /run/eclusa".to_owned());
            body.push("labels:".to_owned());
            body.push(format!("  {STACK_LABEL}: {}", quoted(self.stack.as_str())));
            body.push(format!("  {EDGE_LABEL}: {}", quoted(&edge.configuration)));
        }
        bodies
    }
}

fn header(by_hand: &str) -> String {
    let mut text = String::new();
    for entry in [
        "Written by Eclusa; do not edit. It pins the release that runs and, while the edge is installed, puts it in",
        "front of the stack. Your own Compose file is never changed.",
        "",
        "To run the stack by hand as it is pinned here:",
    ] {
        let _ = writeln!(text, "{}", format!("# {entry}").trim_end());
    }
    // A line break in a path would end the comment.
    let _ = writeln!(text, "#   {}", by_hand.replace(['\n', '\r'], " "));
    let _ = writeln!(text, "# To run it without Eclusa: delete this file and type the same without it.");
    text
}

fn line(text: &mut String, depth: usize, entry: &str) {
    let _ = writeln!(text, "{}{entry}", "  ".repeat(depth));
}

/// A text as a double-quoted YAML scalar, with `$` doubled so that Compose takes it literally.
pub(crate) fn quoted(text: &str) -> String {
    Value::String(text.replace('$', "$$")).to_string()
}

/// Texts as a YAML sequence on one line.
pub(crate) fn list(texts: &[String]) -> String {
    let entries: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", entries.join(", "))
}

fn each_text(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(values) => values.iter_mut().for_each(|value| each_text(value, change)),
        Value::Object(entries) => entries.values_mut().for_each(|value| each_text(value, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use eclusa_model::{ImagePin, ReleaseSource};

    use super::*;

    fn pin(reference: &str, built: bool) -> ImagePin {
        ImagePin { reference: reference.into(), id: "sha256:aa".into(), built }
    }

    fn pinned(name: &str) -> Pinned {
        let images = BTreeMap::from([
            (ServiceName::new("web").unwrap(), pin("eclusa/shop-web:sha-aa", true)),
            (ServiceName::new("frontend").unwrap(), pin("nginx@sha256:bb", false)),
        ]);
        Pinned {
            release: Some(Release {
                name: name.into(),
                source: ReleaseSource::Git { commit: "c0ffee".into() },
                images,
            }),
            ..Pinned::nothing(StackName::new("shop").unwrap())
        }
    }

    fn edge() -> EdgePin {
        EdgePin {
            image: "eclusa/edge:0011".into(),
            frontend: ServiceName::new("frontend").unwrap(),
            frontend_ports: vec!["127.0.0.1:18080:80/tcp".into()],
            edge_ports: vec!["8080:8000/tcp".into()],
            networks: vec!["default".into()],
            control_directory: "/var/lib/eclusa/shop/edge".into(),
            configuration: "2233".into(),
        }
    }

    const GOLDEN: &str = r##"# Written by Eclusa; do not edit. It pins the release that runs and, while the edge is installed, puts it in
# front of the stack. Your own Compose file is never changed.
#
# To run the stack by hand as it is pinned here:
#   docker compose -f a.yml up -d
# To run it without Eclusa: delete this file and type the same without it.
x-eclusa: {"format":1,"stack":"shop","release":{"name":"v2","source":{"from":"git","commit":"c0ffee"},"images":{"frontend":{"reference":"nginx@sha256:bb","id":"sha256:aa","built":false},"web":{"reference":"eclusa/shop-web:sha-aa","id":"sha256:aa","built":true}}},"edge":{"image":"eclusa/edge:0011","frontend":"frontend","frontend_ports":["127.0.0.1:18080:80/tcp"],"edge_ports":["8080:8000/tcp"],"networks":["default"],"control_directory":"/var/lib/eclusa/shop/edge","configuration":"2233"}}
services:
  "eclusa-edge":
    image: "eclusa/edge:0011"
    pull_policy: never
    command: ["edge", "serve", "--config", "/run/eclusa/edge.json"]
    restart: unless-stopped
    ports: ["8080:8000/tcp"]
    networks: ["default"]
    volumes:
      - type: bind
        source: "/var/lib/eclusa/shop/edge"
        target: /run/eclusa
    labels:
      eclusa.stack: "shop"
      eclusa.edge.configuration: "2233"
  "frontend":
    image: "nginx@sha256:bb"
    build: !reset null
    labels:
      eclusa.stack: "shop"
      eclusa.release: "v2"
    ports: !override ["127.0.0.1:18080:80/tcp"]
  "web":
    image: "eclusa/shop-web:sha-aa"
    pull_policy: never
    build: !reset null
    labels:
      eclusa.stack: "shop"
      eclusa.release: "v2"
"##;

    #[test]
    fn the_file_is_a_function_of_what_is_pinned() {
        let pinned = Pinned { edge: Some(edge()), ..pinned("v2") };
        let text = pinned.render("docker compose -f a.yml up -d").unwrap();
        assert_eq!(text, GOLDEN);
        assert_eq!(Pinned::read("x.yml", &text).unwrap(), pinned);
    }

    #[test]
    fn no_name_breaks_out_of_its_place() {
        for name in [
            "a: b\n  c: d",
            "\"quoted\" 'both' \\",
            "${HOME} $$ $(x)",
            "# no comment",
            "!reset null",
            "é\u{7}\u{2028}",
        ] {
            let pinned = pinned(name);
            let text = pinned.render("docker compose\nup").unwrap();
            assert_eq!(Pinned::read("x.yml", &text).unwrap(), pinned, "{text}");
        }
    }

    #[test]
    fn a_file_that_someone_changed_is_refused() {
        let text = pinned("v2").render("").unwrap();
        assert_eq!(
            Pinned::read("x.yml", &text.replace("\"format\":1", "\"format\":9")).unwrap_err().code,
            Code::ComposeInvalid
        );
        assert_eq!(Pinned::read("x.yml", "services: {}").unwrap_err().code, Code::ComposeInvalid);
    }
}
