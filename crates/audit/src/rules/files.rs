//! Files that cannot be read.

use crate::context::Context;
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
}
