//! What several rules ask.

use crate::context::{Context, Known, Project};
use crate::finding::Findings;
use crate::library::Span;

/// The services of production that are not only for developers, with their project.
pub(super) fn production<'c>(context: &'c Context<'_>) -> impl Iterator<Item = (&'c Project, &'c Known)> {
    context
        .production()
        .flat_map(|project| project.services.iter().map(move |known| (project, known)))
        .filter(|(_, known)| !known.development)
}

/// Names as people list them.
pub(super) fn listed(names: &[&str]) -> String {
    const MOST: usize = 6;
    let mut text = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    text
}

/// One finding about several services: it stands at the first, and the others are further places.
pub(super) fn grouped<'f>(
    out: &'f mut Findings,
    code: &str,
    services: &[&Known],
    place: impl Fn(&Known) -> Span,
) -> Option<&'f mut crate::finding::Raw> {
    let first = services.first()?;
    let names: Vec<&str> = services.iter().map(|known| known.name()).collect();
    let raw = out.add(code, place(first), listed(&names));
    raw.with("count", services.len());
    for other in services.iter().skip(1) {
        raw.related(place(other));
    }
    Some(raw)
}

/// Whether a project is for Swarm, where restarts are the default.
pub(super) fn is_swarm(project: &Project) -> bool {
    let named = project.files.iter().any(|file| file.contains("stack") || file.contains("swarm"));
    named
        || project.services.iter().any(|known| {
            let deploy = known.service.get("deploy");
            deploy.is_some_and(|deploy| {
                ["placement", "update_config", "mode", "endpoint_mode"]
                    .iter()
                    .any(|key| deploy.get(key).is_some())
            })
        })
}

/// Where to insert lines of a service, and the indentation of its keys: before its first key.
pub(super) fn key_place(context: &Context<'_>, known: &Known) -> Option<(Span, String)> {
    let entries = known.service.node.entries();
    let first = entries
        .iter()
        .filter(|entry| {
            entry.key_span.file == known.service.name_span.file
                && entry.key_span.start > known.service.name_span.end
        })
        .min_by_key(|entry| entry.key_span.start)?;
    let file = context.library.file(first.key_span.file);
    let (line, _) = file.position(first.key_span.start);
    let start = file.line_start(line);
    let indent = file.text.get(start..first.key_span.start)?;
    // A service in one line (`{image: x}`), or one whose keys come from an anchor, is left to its owner.
    if !indent.chars().all(|c| c == ' ') || indent.is_empty() {
        return None;
    }
    Some((Span { file: first.key_span.file, start, end: start }, indent.to_owned()))
}

/// Whether a text contains any of the words.
pub(super) fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}
