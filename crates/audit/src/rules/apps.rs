//! `apps.json`: the apps that are built into an image of Frappe, each with its address and branch.

use std::rc::Rc;

use crate::context::Context;
use crate::discovery::{Stage, stage_of_path};
use crate::finding::Findings;
use crate::library::name_of;
use crate::secrets::could_be_secret;
use crate::yaml::{self, Node};

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    for (path, file) in context.texts(is_apps) {
        // JSON is YAML, and this way every value knows its place.
        let Ok(root) = yaml::read(context.library, file) else { continue };
        // Other things are called so as well: what is listed here is git repositories.
        let lists_repositories = !root.items().is_empty()
            && root.items().iter().all(|item| text(item, "url").is_some_and(is_repository));
        if !lists_repositories || stage_of_path(&path) == Some(Stage::Development) {
            continue;
        }
        root.items().iter().for_each(|item| app(context, &path, item, out));
    }
}

fn is_apps(path: &str) -> bool {
    let name = name_of(path);
    name == "apps.json"
        || (name.ends_with(".json")
            && (name.starts_with("apps-") || name.starts_with("apps.") || name.ends_with("-apps.json")))
}

fn text<'n>(item: &'n Rc<Node>, key: &str) -> Option<&'n str> {
    item.get(key).and_then(|node| node.as_str())
}

/// Whether an address is one of a git repository.
fn is_repository(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, rest)| rest);
    url.starts_with("git@")
        || url.starts_with("ssh://")
        || url.trim_end_matches('/').ends_with(".git")
        || ["github.com/", "gitlab.com/", "bitbucket.org/", "codeberg.org/"].iter().any(|known| {
            host.strip_prefix(known).is_some_and(|path| path.trim_matches('/').split('/').count() == 2)
        })
}

/// Whether a branch is a tag or a commit. Numbers with a dot are taken for a tag, `version-15` is a branch.
fn is_fixed(branch: &str) -> bool {
    let commit = (7..=40).contains(&branch.len())
        && branch.chars().all(|c| c.is_ascii_hexdigit())
        && branch.chars().any(|c| c.is_ascii_digit());
    let number = branch.rsplit('/').next().unwrap_or(branch).trim_start_matches(['v', 'V']);
    let tag = number.starts_with(|c: char| c.is_ascii_digit())
        && number.contains('.')
        && !number.contains(['x', '*']);
    commit || tag
}

fn app(context: &Context<'_>, path: &str, item: &Rc<Node>, out: &mut Findings) {
    let Some((url, node)) = item.get("url").and_then(|node| Some((node.as_str()?, node))) else { return };
    let name = name_of(url.trim_end_matches('/')).trim_end_matches(".git").to_owned();
    let unknown = |text: &str| text.contains("${") || text.contains("{{") || text.starts_with('$');
    match item.get("branch").and_then(|branch| Some((branch.as_str()?, branch.span))) {
        Some((branch, span)) if !branch.is_empty() => {
            if !is_fixed(branch) && !unknown(branch) {
                out.add("A109", span, path).with("what", &name).with("tag", branch);
            }
        }
        _ => {
            out.add("A109", node.span, path).with("what", &name).with("tag", "the default one");
        }
    }
    if url.starts_with("http://") {
        let span = context.library.within(node.span, "http://");
        out.add("A110", span, path).with("what", &name);
    }
    let credentials = url
        .split_once("://")
        .filter(|(scheme, _)| scheme.starts_with("http"))
        .and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'))
        .map(|(credentials, _)| credentials.rsplit_once(':').map_or(credentials, |(_, token)| token));
    if let Some(token) = credentials.filter(|token| {
        could_be_secret(token) && !unknown(token) && !token.contains(['<', '[']) && *token != "git"
    }) {
        let span = context.library.within(node.span, token);
        out.add("A210", span, path).with("what", &name);
        out.secrets.push(token.to_owned());
    }
}
