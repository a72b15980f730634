//! A service of a merged project, as the rules ask about it.

use std::rc::Rc;

use crate::library::Span;
use crate::shell::{self, Word};
use crate::yaml::{Entry, Kind, Node, Scalar};

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Everything about it.
    pub node: Rc<Node>,
}

/// A published or exposed port.
#[derive(Debug, Clone)]
pub struct Port {
    /// Where it stands.
    pub span: Span,
    /// The address of the host, when one is written.
    pub host: Option<String>,
    /// The port of the host; none for one that Docker draws.
    pub published: Option<String>,
    /// The port of the container.
    pub target: String,
    /// Whether the whole of it is known.
    pub known: bool,
}

impl Port {
    /// Whether only this machine reaches it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.as_deref().is_some_and(|host| {
            host.starts_with("127.") || matches!(host.trim_matches(['[', ']']), "localhost" | "::1")
        })
    }
}

/// A mount.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where it stands.
    pub span: Span,
    /// `bind`, `volume`, `tmpfs`, …
    pub kind: String,
    /// The directory or the volume; none for a volume without a name.
    pub source: Option<String>,
    /// Where it is in the container.
    pub target: String,
    /// Whether the container may not write there.
    pub read_only: bool,
}

impl Mount {
    /// The path of the tree that is bound, when it is one.
    #[must_use]
    pub fn tree_path(&self) -> Option<&str> {
        self.source.as_deref().filter(|_| self.kind == "bind")?.strip_prefix("./")
    }
}

/// A command of a service: an argument vector, or a text for a shell.
#[derive(Debug, Clone)]
pub struct Argv {
    /// Where all of it stands.
    pub span: Span,
    /// The words.
    pub words: Vec<Word>,
    /// Whether a shell takes it apart: the shell form of a health check, `sh -c`.
    pub script: Option<(String, Span)>,
}

impl Argv {
    /// The words with spaces between.
    #[must_use]
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Service {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Rc<Node>> {
        self.node.get(key)
    }

    /// The image.
    #[must_use]
    pub fn image(&self) -> Option<&Rc<Node>> {
        self.get("image").filter(|node| node.as_str().is_some())
    }

    /// The image without registry, tag and digest: `postgres` of `docker.io/library/postgres:15`.
    #[must_use]
    pub fn image_name(&self) -> String {
        let text = self.image().and_then(|node| node.as_str()).unwrap_or_default();
        let bare = text.split('@').next().unwrap_or(text);
        let last = bare.rsplit('/').next().unwrap_or(bare);
        last.split(':').next().unwrap_or(last).to_ascii_lowercase()
    }

    /// The whole image in lower case, with its organisation.
    #[must_use]
    pub fn image_text(&self) -> String {
        self.image().and_then(|node| node.as_str()).unwrap_or_default().to_ascii_lowercase()
    }

    /// The tag; none when there is none or it is not known.
    #[must_use]
    pub fn image_tag(&self) -> Option<String> {
        let text = self.image()?.as_str()?;
        let bare = text.split('@').next().unwrap_or(text);
        let last = bare.rsplit('/').next().unwrap_or(bare);
        last.split_once(':').map(|(_, tag)| tag.to_owned())
    }

    /// `command`.
    #[must_use]
    pub fn command(&self) -> Option<Argv> {
        self.get("command").and_then(argv)
    }

    /// `entrypoint`.
    #[must_use]
    pub fn entrypoint(&self) -> Option<Argv> {
        self.get("entrypoint").and_then(argv)
    }

    /// The entrypoint and the command as one text.
    #[must_use]
    pub fn command_text(&self) -> String {
        let both = [self.entrypoint(), self.command()];
        both.iter().flatten().map(Argv::text).collect::<Vec<_>>().join(" ")
    }

    /// Environment variables.
    #[must_use]
    pub fn environment(&self) -> &[Entry] {
        self.get("environment").map(|node| node.entries()).unwrap_or_default()
    }

    /// The value of an environment variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment().iter().find(|entry| entry.key == name)?.value.as_str()
    }

    /// Published ports.
    #[must_use]
    pub fn ports(&self) -> Vec<Port> {
        self.get("ports").map(|node| node.items().iter().filter_map(port).collect()).unwrap_or_default()
    }

    /// Mounts, with the places under `tmpfs`.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        let items = self.get("volumes").map(|node| node.items()).unwrap_or_default();
        items.iter().filter_map(mount).collect()
    }

    /// The build context, as a path of the tree.
    #[must_use]
    pub fn build_context(&self) -> Option<String> {
        let context = self.node.at(&["build", "context"])?.as_str()?;
        context.strip_prefix("./").map(str::to_owned)
    }

    /// The path of the Dockerfile, as a path of the tree.
    #[must_use]
    pub fn dockerfile(&self) -> Option<String> {
        let context = self.build_context()?;
        let name =
            self.node.at(&["build", "dockerfile"]).and_then(|node| node.as_str()).unwrap_or("Dockerfile");
        crate::library::join(&context, name)
    }

    /// Whether the service is only started when a profile is asked for.
    #[must_use]
    pub fn profiles(&self) -> Vec<String> {
        let items = self.get("profiles").map(|node| node.items()).unwrap_or_default();
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// How many replicas, where it is written.
    #[must_use]
    pub fn replicas(&self) -> Option<u32> {
        let node = self.node.at(&["deploy", "replicas"]).or_else(|| self.get("scale"))?;
        node.as_str()?.parse().ok()
    }

    /// Labels as `name=value`.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let own = self.get("labels").map(|node| node.entries()).unwrap_or_default();
        let deploy = self.node.at(&["deploy", "labels"]).map(|node| node.entries()).unwrap_or_default();
        own.iter()
            .chain(deploy)
            .map(|entry| format!("{}={}", entry.key, entry.value.as_str().unwrap_or_default()))
            .collect()
    }
}

/// A command in either form.
#[must_use]
pub fn argv(node: &Rc<Node>) -> Option<Argv> {
    let words: Vec<Word> = match &node.kind {
        Kind::Sequence(items) => items
            .iter()
            .filter_map(|item| Some(Word { text: item.as_str()?.to_owned(), span: item.span, quoted: true }))
            .collect(),
        Kind::Scalar(Scalar { text, .. }) => shell::split(text, node.span),
        _ => return None,
    };
    let script = script_of(&words);
    Some(Argv { span: node.span, words, script })
}

/// The text that `sh -c` is given.
#[must_use]
pub fn script_of(words: &[Word]) -> Option<(String, Span)> {
    let shell = words.iter().position(|word| {
        matches!(word.text.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash" | "zsh"))
    })?;
    if shell > 2 {
        return None;
    }
    let rest = words.get(shell + 1..)?;
    let option = rest.iter().position(|word| word.text.starts_with('-') && word.text.contains('c'))?;
    rest.get(option + 1).map(|word| (word.text.clone(), word.span))
}

fn port(node: &Rc<Node>) -> Option<Port> {
    if let Some(scalar) = node.scalar() {
        let text = scalar.text.split('/').next().unwrap_or_default();
        let (rest, target) =
            text.rsplit_once(':').map_or((None, text), |(rest, target)| (Some(rest), target));
        let (host, published) = match rest {
            None => (None, None),
            Some(rest) => match rest.rsplit_once(':') {
                Some((host, published)) => (Some(host.to_owned()), Some(published.to_owned())),
                None if rest.contains('.') => (Some(rest.to_owned()), None),
                None => (None, Some(rest.to_owned())),
            },
        };
        let known = !scalar.is_unknown();
        return Some(Port { span: node.span, host, published, target: target.to_owned(), known });
    }
    let text = |key: &str| node.get(key).and_then(|value| value.as_str().map(str::to_owned));
    Some(Port {
        span: node.span,
        host: text("host_ip"),
        published: text("published"),
        target: text("target")?,
        known: true,
    })
}

fn mount(node: &Rc<Node>) -> Option<Mount> {
    let text = |key: &str| node.get(key).and_then(|value| value.as_str().map(str::to_owned));
    Some(Mount {
        span: node.span,
        kind: text("type").unwrap_or_else(|| "volume".to_owned()),
        source: text("source"),
        target: text("target")?.trim_end_matches('/').to_owned(),
        read_only: node.get("read_only").is_some_and(|value| value.is_true()),
    })
}

/// What a port is about: two of the same are one.
pub(super) fn port_identity(node: &Node) -> Option<String> {
    if let Some(text) = node.as_str() {
        return Some(text.trim_end_matches("/tcp").to_owned());
    }
    let text =
        |key: &str| node.get(key).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    Some(format!("{}:{}:{}/{}", text("host_ip"), text("published"), text("target"), text("protocol")))
}

/// What a mount is about: its place in the container.
pub(super) fn mount_target(node: &Node) -> Option<String> {
    node.get("target")
        .and_then(|target| target.as_str().map(|target| target.trim_end_matches('/').to_owned()))
}
