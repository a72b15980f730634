//! A Django project's routes without parameters, and what their views look like.

use std::path::{Path, PathBuf};

use super::PythonProject;
use super::source::{arguments, assigned, at_key, definition, strings};

/// How deep one list of routes may include another.
const DEEPEST: usize = 5;

/// Decorators that let anyone through.
const HARMLESS: [&str; 12] = [
    "csrf",
    "require_GET",
    "require_safe",
    "require_http_methods",
    "cache",
    "transaction",
    "gzip",
    "api_view",
    "vary_on",
    "condition",
    "etag",
    "never_cache",
];

/// A route that can be asked for by GET, by the look of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Its path, beginning with `/`.
    pub(crate) path: String,
    /// The file in which it stands.
    pub(crate) file: PathBuf,
    /// What is known of its view.
    pub(crate) view: View,
}

/// What a view looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Whether it answers GET at all.
    pub(crate) only_writes: bool,
    /// Whether it asks who is there.
    pub(crate) guarded: bool,
    /// Whether it says that anyone may ask.
    pub(crate) open: bool,
    /// The first key of the JSON that it answers, with its value where that is written out.
    pub(crate) json: Option<(String, String)>,
    /// A text that it answers.
    pub(crate) text: Option<String>,
}

/// The routes of the module that `ROOT_URLCONF` names.
pub(crate) fn routes(project: &PythonProject, root: &str) -> Vec<Route> {
    let mut found = Vec::new();
    if let Some(file) = project.module(root) {
        collect(project, &file, "/", 0, &mut found);
    }
    found
}

fn collect(project: &PythonProject, file: &Path, prefix: &str, depth: usize, found: &mut Vec<Route>) {
    let text = project.text(file);
    let Some(list) = assigned(text, "urlpatterns") else { return };
    if depth > DEEPEST {
        return;
    }
    for (call, is_pattern) in calls(list) {
        let parts = arguments(call);
        let (Some(first), Some(second)) = (parts.first(), parts.get(1)) else { continue };
        let Some(route) =
            strings(first).into_iter().next().or_else(|| first.ends_with("\"\"").then(String::new))
        else {
            continue;
        };
        let route = if is_pattern { pattern(&route) } else { Some(route) };
        let Some(route) = route.filter(|route| !route.contains(['<', '(', ' '])) else { continue };
        let path = format!("{prefix}{}", route.trim_start_matches('/'));
        if let Some((_, included)) = second.split_once("include(") {
            let module = strings(included).into_iter().next();
            if let Some(file) = module.and_then(|module| project.module(&module)) {
                collect(project, &file, &path, depth + 1, found);
            }
            continue;
        }
        if second.contains(".site.urls") {
            continue;
        }
        found.push(Route { path, file: file.to_owned(), view: view(project, file, second) });
    }
}

/// The calls of `path`, `re_path` and `url`: the text behind the opening bracket, and whether it is a pattern.
fn calls(list: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut rest = list;
    while let Some(at) = rest.find('(') {
        let (before, after) = rest.split_at(at);
        let after = after.get(1..).unwrap_or("");
        let word: String = {
            let reversed: String =
                before.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            reversed.chars().rev().collect()
        };
        let line = before.rsplit('\n').next().unwrap_or("");
        if !line.trim_start().starts_with('#') {
            match word.as_str() {
                "path" => found.push((after, false)),
                "re_path" | "url" => found.push((after, true)),
                _ => {}
            }
        }
        rest = after;
    }
    found
}

/// A regular expression that means one path, as that path.
fn pattern(expression: &str) -> Option<String> {
    let bare = expression
        .trim_start_matches('^')
        .trim_end_matches('$')
        .replace("/?", "/")
        .replace("\\.", ".")
        .replace("\\-", "-");
    let plain = bare.chars().all(|c| c.is_alphanumeric() || "/-_.~".contains(c));
    plain.then_some(bare)
}

/// What the view of a route looks like: `views.home`, `HomeView.as_view()`, `home`.
fn view(project: &PythonProject, file: &Path, expression: &str) -> View {
    let guarded_here = expression.contains("login_required") || expression.contains("permission");
    let inner = expression.rsplit_once("cache_page").map_or(expression, |(_, rest)| rest);
    let named: String = inner
        .trim_start_matches(|c: char| !c.is_alphabetic() && c != '_')
        .chars()
        .take_while(|c| c.is_alphanumeric() || "._".contains(*c))
        .collect();
    let named = named.trim_end_matches(".as_view");
    let (module, name) = named.rsplit_once('.').unwrap_or(("", named));
    let source = defined_in(project, file, module, name);
    let Some((decorators, body)) = source.as_deref().and_then(|path| definition(project.text(path), name))
    else {
        return View { guarded: guarded_here, ..View::default() };
    };
    let marks = decorators.join("\n");
    let has = |signs: &[&str]| signs.iter().any(|sign| marks.contains(sign) || body.contains(sign));
    let writes = marks.contains("require_POST") || (marks.contains("\"POST\"") && !marks.contains("\"GET\""));
    let open = marks.contains("login=False")
        || marks.contains("require_GET")
        || marks.contains("require_safe")
        || has(&["AllowAny"]);
    // What a decorator of the project's own does is not known; it may well ask who is there.
    let unknown = decorators
        .iter()
        .any(|mark| !HARMLESS.iter().any(|known| mark.trim_start_matches('@').contains(known)));
    let guarded = guarded_here
        || unknown
        || has(&[
            "login_required",
            "LoginRequiredMixin",
            "PermissionRequired",
            "permission_required",
            "IsAuthenticated",
            "staff_member_required",
        ]);
    View { only_writes: writes, guarded: guarded && !open, open, json: json_of(body), text: text_of(body) }
}

/// The file in which a view is defined, by the imports of the file that names it.
fn defined_in(project: &PythonProject, file: &Path, module: &str, name: &str) -> Option<PathBuf> {
    let text = project.text(file);
    let wanted = if module.is_empty() { name } else { module.rsplit('.').next().unwrap_or(module) };
    for line in text.lines() {
        let Some((from, names)) =
            line.trim().strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
        else {
            continue;
        };
        let imports = names.split([',', '(', ')']).map(str::trim).any(|imported| {
            let known_as = imported.rsplit(" as ").next().unwrap_or(imported);
            known_as == wanted
        });
        if !imports {
            continue;
        }
        let from = from.trim();
        let path = if module.is_empty() {
            project.imported(file, from)
        } else {
            let dotted =
                if from.ends_with('.') { format!("{from}{wanted}") } else { format!("{from}.{wanted}") };
            project.imported(file, &dotted)
        };
        if path.is_some() {
            return path;
        }
    }
    if module.is_empty() { Some(file.to_owned()) } else { project.module(module) }
}

/// The first key of the JSON that a view answers.
fn json_of(body: &str) -> Option<(String, String)> {
    let calls = body.split("Response(").skip(1);
    // An answer with a status of its own is about something that was made or refused.
    let after = calls.into_iter().find(|call| {
        let plain = call.trim_start().starts_with('{');
        plain && !arguments(call).iter().any(|argument| argument.starts_with("status"))
    })?;
    let object = after.trim_start().strip_prefix('{')?;
    let key = strings(object.get(..object.find(':')?)?).into_iter().next()?;
    let value = at_key(object, &key)?;
    let literal = match value.trim_end_matches('}').trim() {
        "True" => "true".to_owned(),
        "False" => "false".to_owned(),
        quoted if quoted.starts_with(['"', '\'']) => strings(quoted).into_iter().next().unwrap_or_default(),
        _ => String::new(),
    };
    Some((key, literal))
}

/// A short text that a view answers.
fn text_of(body: &str) -> Option<String> {
    let (before, after) = body.split_once("HttpResponse(")?;
    if before.ends_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let first = *arguments(after).first()?;
    let text = first.starts_with(['"', '\'', 'b']).then(|| strings(first).into_iter().next())??;
    (!text.is_empty() && text.len() <= 40 && !text.contains('\\')).then_some(text)
}
