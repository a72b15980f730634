//! Files that cannot be read, and Compose files of a form that nothing starts any more.

use crate::context::Context;
use crate::discovery::is_compose_name;
use crate::finding::Findings;

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    let mut seen = Vec::new();
    for problem in &context.unreadable {
        if seen.contains(&problem.span) {
            continue;
        }
        seen.push(problem.span);
        let path = context.library.file(problem.span.file).path.clone();
        out.add("A001", problem.span, path).with("problem", &problem.problem);
    }
    for (path, file) in context.texts(is_compose_name) {
        let Ok(root) = crate::yaml::read(context.library, file) else { continue };
        let known = ["services", "include", "volumes", "networks", "configs", "secrets", "name"];
        let service = root.entries().iter().find(|entry| {
            (entry.value.get("image").is_some() || entry.value.get("build").is_some())
                && !entry.key.starts_with("x-")
        });
        if let (Some(service), false) = (service, known.iter().any(|key| root.get(key).is_some())) {
            let problem = "its services do not stand under services:, and Compose v2 reads no such file";
            out.add("A001", service.key_span, path).with("problem", problem);
        }
    }
}
