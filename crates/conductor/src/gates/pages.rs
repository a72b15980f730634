//! Pages and what they name: a page that is answered while its style sheet is not is a broken page.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eclusa_fault::{Message, Result};
use eclusa_runbook::{AssetSource, Evidence, Fact, HttpProbe, PageProbe, ProbeRoute, unmet};
use html5gum::{DefaultEmitter, Token, Tokenizer};

use super::fact;
use super::probes::base;
use crate::context::Context;
use crate::effects::run_command;

/// How long a page or a file may take, in milliseconds. Whether they are fast is for other probes.
const WITHIN: u64 = 30_000;

/// How many files of a page are asked for: a page that names more is no page of an application.
const MOST: usize = 500;

pub(super) async fn ask_all(
    context: &Context,
    pages: &[PageProbe],
    route: ProbeRoute,
    attempts: u32,
    sources: &[AssetSource],
) -> Result<Evidence> {
    let base = base(context, route).await?;
    let mut evidence = Evidence::default();
    for page in pages {
        let mut found = ask(context, page, &base).await;
        for _ in 1..attempts.max(1) {
            if found.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            found = ask(context, page, &base).await;
        }
        let text = Message::new(if found.is_ok() { "fact-page" } else { "fact-page-broken" })
            .with("tenant", &page.tenant)
            .with("path", &page.path)
            .with("files", found.as_ref().copied().unwrap_or_default())
            .with("problem", found.as_ref().err().map_or("", |broken| broken.problem.as_str()));
        evidence.facts.push(fact(found.is_ok(), text));
        if let Err(Broken { path: Some(path), .. }) = &found {
            evidence.facts.extend(who_knows(context, path, sources).await);
        }
    }
    Ok(evidence)
}

/// What is wrong with a page.
struct Broken {
    problem: String,
    /// The file that it names and that is not answered.
    path: Option<String>,
}

impl From<String> for Broken {
    fn from(problem: String) -> Self {
        Self { problem, path: None }
    }
}

/// Which of those who should know a file know it: a page that names one that is gone has it from somewhere.
async fn who_knows(context: &Context, path: &str, sources: &[AssetSource]) -> Vec<Fact> {
    let bare = path.split(['?', '#']).next().unwrap_or(path);
    let mut known = (Vec::new(), Vec::new());
    let mut facts = Vec::new();
    for source in sources {
        let mut exec = source.exec.clone();
        for argument in &mut exec.argv {
            *argument = argument.replace("{path}", bare);
        }
        match run_command(context, &exec).await {
            Ok(result) => {
                let ended = unmet(&exec.expect, result.code, &result.tail).is_none();
                let knows = ended && (!source.listed || result.stdout.contains(bare));
                if knows { known.0.push(source.name.as_str()) } else { known.1.push(source.name.as_str()) }
            }
            Err(fault) => {
                let text = Message::new("fact-asset-not-asked").with("source", &source.name);
                facts.push(fact(false, text.with("problem", &fault)));
            }
        }
    }
    let joined = |names: &[&str]| if names.is_empty() { "–".to_owned() } else { names.join(", ") };
    if !sources.is_empty() {
        let text = Message::new("fact-asset-known")
            .with("path", bare)
            .with("known", joined(&known.0))
            .with("unknown", joined(&known.1));
        facts.push(fact(false, text));
    }
    facts
}

/// Asks for a page and everything it names; gives how much that was, or what is wrong.
async fn ask(context: &Context, page: &PageProbe, base: &str) -> std::result::Result<usize, Broken> {
    let probe = |path: &str| HttpProbe {
        name: "page".to_owned(),
        tenant: page.tenant.clone(),
        host: page.host.clone(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        status: 200,
        headers: BTreeMap::new(),
        json: BTreeMap::new(),
        contains: None,
        maximum_milliseconds: WITHIN,
    };
    let (sample, body) = context.ports.http.fetch(&probe(&page.path), base).await;
    if let Some(problem) = sample.problem {
        return Err(problem.into());
    }
    let paths = named(&body, &page.asset_prefix);
    if paths.is_empty() {
        return Err(format!("it names nothing below {}", page.asset_prefix).into());
    }
    for path in &paths {
        if let Some(problem) = context.ports.http.ask(&probe(path), base).await.problem {
            return Err(Broken { problem: format!("{path}: {problem}"), path: Some(path.clone()) });
        }
    }
    Ok(paths.len())
}

/// The paths below a prefix that a page names in `src` and `href`.
fn named(body: &[u8], prefix: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    // So that what stands inside scripts is text and no page.
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(body, emitter) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        for (name, value) in &tag.attributes {
            if !matches!(name.as_slice(), b"src" | b"href") {
                continue;
            }
            let value = String::from_utf8_lossy(value);
            if value.starts_with(prefix) && !value.contains(char::is_whitespace) && paths.len() < MOST {
                paths.insert(value.into_owned());
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_names_is_found() {
        let page = br#"<!doctype html><link rel=stylesheet href="/assets/a.css?v=1&amp;x=2"><img src='/assets/b.png'>
            <a href="/app">no</a><!-- <script src="/assets/gone.js"></script> --><script src=/assets/c.js></script>
            <script>var t = '<img src="/assets/text.png">';</script><link href="https://cdn/assets/x.css">"#;
        let found: Vec<String> = named(page, "/assets/").into_iter().collect();
        assert_eq!(found, ["/assets/a.css?v=1&x=2", "/assets/b.png", "/assets/c.js"]);
        assert!(named(b"\xff<<<", "/assets/").is_empty());
    }
}
