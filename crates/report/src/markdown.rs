//! The report as Markdown (GitHub's tables), for tickets and repositories.

use std::fmt::Write as _;

use crate::model::ReportModel;
use crate::rows::{DecisionRow, GateView, KeptRow};
use crate::view::{self, View};
use crate::words::word;

/// The report as Markdown. Everything that came from outside is escaped, so that it cannot become markup.
#[must_use]
pub fn markdown(model: &ReportModel) -> String {
    let view = view::of(model);
    let mut writer = Writer { model, text: String::new() };
    writer.head(&view);
    writer.tenants(&view);
    writer.failures(&view);
    writer.steps(&view);
    writer.gates(&view);
    writer.decisions("report-decisions", &view.decisions);
    writer.decisions("report-checklist", &view.checklist);
    writer.customizations(&view);
    writer.kept(&view.kept);
    writer.notes(&view);
    writer.heading(2, "report-journal");
    writer.line(&format!("{} {}", escape(&view.journal), escape(&view.times_in)));
    writer.text
}

struct Writer<'a> {
    model: &'a ReportModel,
    text: String,
}

impl Writer<'_> {
    fn word(&self, id: &str) -> String {
        word(id, &self.model.language)
    }

    /// A line and the empty one that ends its paragraph.
    fn line(&mut self, text: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{text}\n");
    }

    fn heading(&mut self, level: usize, id: &str) {
        let title = escape(&self.word(id));
        self.line(&format!("{} {title}", "#".repeat(level)));
    }

    fn table(&mut self, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let heads: Vec<String> = heads.iter().map(|id| escape(&self.word(id))).collect();
        let _ = writeln!(self.text, "| {} |", heads.join(" | "));
        let _ = writeln!(self.text, "|{}", " --- |".repeat(heads.len()));
        for row in rows {
            let _ = writeln!(self.text, "| {} |", row.join(" | "));
        }
        self.text.push('\n');
    }

    fn lines(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        // A fence longer than any run of backticks inside cannot be closed from inside.
        let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = writeln!(self.text, "{fence}text");
        for line in lines {
            let _ = writeln!(self.text, "{line}");
        }
        let _ = writeln!(self.text, "{fence}\n");
    }

    fn head(&mut self, view: &View) {
        let model = self.model;
        self.line(&format!("# {}", escape(&model.title)));
        self.line(&format!("**{}.** {}", escape(&model.verdict), escape(&model.meaning)));
        for reason in &view.reasons {
            let _ = writeln!(self.text, "- {}", escape(reason));
        }
        if !view.reasons.is_empty() {
            self.text.push('\n');
        }
        let _ =
            writeln!(self.text, "| {} | {} |\n| --- | --- |", self.word("report-product"), code(&model.run));
        for about in &view.about {
            let value = if about.is_code { code(&about.value) } else { escape(&about.value) };
            let _ = writeln!(self.text, "| {} | {value} |", escape(&about.label));
        }
        if !view.turned_back.is_empty() {
            let _ = writeln!(
                self.text,
                "| {} | {} |",
                self.word("report-turned-back"),
                escape(&view.turned_back)
            );
        }
        self.text.push('\n');
    }

    fn tenants(&mut self, view: &View) {
        if view.tenants.is_empty() {
            return;
        }
        self.heading(2, "report-tenants");
        let heads = [
            "report-tenant",
            "report-closed",
            "report-expected",
            "report-data",
            "report-rows",
            "report-files",
            "report-secured",
            "report-salvage",
        ];
        let rows = view.tenants.iter().map(|tenant| {
            let closed = match tenant.closed_note.as_str() {
                "" => escape(&tenant.closed),
                note => format!("{} ({})", escape(&tenant.closed), escape(note)),
            };
            vec![
                escape(&tenant.name),
                closed,
                escape(&tenant.expected),
                escape(&tenant.data),
                tenant.rows.clone(),
                tenant.files.clone(),
                code(&tenant.point),
                code(&tenant.salvage),
            ]
        });
        self.table(&heads, rows.collect::<Vec<_>>());
    }

    fn failures(&mut self, view: &View) {
        if view.failures.is_empty() {
            return;
        }
        self.heading(2, "report-failures");
        for failure in &view.failures {
            let times = if failure.times.is_empty() {
                String::new()
            } else {
                format!(" ({})", escape(&failure.times))
            };
            self.line(&format!("**{}**{times}: {}", code(&failure.step), escape(&failure.headline)));
            for text in [&failure.state, &failure.hint].into_iter().filter(|text| !text.is_empty()) {
                self.line(&escape(text));
            }
            self.lines(&failure.causes);
        }
    }

    fn steps(&mut self, view: &View) {
        self.heading(2, "report-steps");
        for phase in &view.phases {
            self.line(&format!("### {}", escape(&phase.title)));
            let heads = [
                "report-step",
                "report-step-began",
                "report-step-took",
                "report-expected",
                "report-step-tries",
                "report-step-result",
            ];
            let rows = phase.steps.iter().map(|step| {
                let told: Vec<String> = [&step.status, &step.results, &step.undo]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .map(|text| escape(text))
                    .collect();
                vec![
                    format!("{}<br>{}", escape(&step.title), code(&step.name)),
                    step.began.clone(),
                    step.took.clone(),
                    step.expected.clone(),
                    step.tries.clone(),
                    told.join(" · "),
                ]
            });
            self.table(&heads, rows.collect::<Vec<_>>());
        }
    }

    fn gates(&mut self, view: &View) {
        if view.gates.is_empty() {
            return;
        }
        self.heading(2, "report-gates");
        self.line(&escape(&view.gates_summary));
        for gate in &view.gates {
            self.gate(gate);
        }
    }

    fn gate(&mut self, gate: &GateView) {
        self.line(&format!("### {}: {}", escape(&gate.title), escape(&gate.verdict)));
        self.line(&format!("{} · {}", code(&gate.step), escape(&gate.asks)));
        for fact in &gate.facts {
            let _ = writeln!(self.text, "- **{}** {}", escape(&fact.verdict), escape(&fact.text));
        }
        if !gate.facts.is_empty() {
            self.text.push('\n');
        }
        if !gate.samples.is_empty() {
            self.line(&escape(&gate.samples));
        }
        for plot in &gate.plots {
            for legend in &plot.legend {
                let _ = writeln!(self.text, "- {}: {}", escape(&plot.title), escape(&legend.text));
            }
        }
        if !gate.plots.is_empty() {
            self.text.push('\n');
        }
        self.lines(&gate.lines);
    }

    fn decisions(&mut self, title: &str, rows: &[DecisionRow]) {
        if rows.is_empty() {
            return;
        }
        self.heading(2, title);
        let rows = rows.iter().map(|row| {
            vec![
                row.when.clone(),
                escape(&row.who),
                escape(&row.what),
                format!("**{}**", escape(&row.verdict)),
                escape(&row.why),
            ]
        });
        let heads = ["report-when", "report-who", "report-what", "report-step-result", "report-why"];
        self.table(&heads, rows.collect::<Vec<_>>());
    }

    fn customizations(&mut self, view: &View) {
        if view.customizations.is_empty() && view.customizations_about.is_empty() {
            return;
        }
        self.heading(2, "report-customizations");
        if !view.customizations_about.is_empty() {
            self.line(&escape(&view.customizations_about));
        }
        for one in &view.customizations {
            self.line(&format!("**{}**: {}", escape(&one.tenant), escape(&one.about)));
            self.lines(&one.lines);
        }
    }

    fn kept(&mut self, kept: &[KeptRow]) {
        self.heading(2, "report-kept");
        if kept.is_empty() {
            let none = escape(&self.word("report-kept-none"));
            self.line(&none);
            return;
        }
        let heads = [
            "report-kept-what",
            "report-tenant",
            "report-kept-id",
            "report-rows",
            "report-files",
            "report-kept-size",
            "report-kept-proof",
        ];
        let rows = kept.iter().map(|row| {
            vec![
                escape(&row.what),
                escape(&row.tenant),
                code(&row.id),
                row.rows.clone(),
                row.files.clone(),
                row.size.clone(),
                escape(&row.proof),
            ]
        });
        self.table(&heads, rows.collect::<Vec<_>>());
    }

    fn notes(&mut self, view: &View) {
        self.heading(2, "report-notes");
        if view.notes.is_empty() {
            self.line(&escape(&view.notes_none));
            return;
        }
        for note in &view.notes {
            let head = format!("**{}** ({}, {})", escape(&note.kind), note.when, escape(&note.who));
            let _ = writeln!(self.text, "- {head}: {}", escape(&note.text));
        }
        self.text.push('\n');
    }
}

/// Takes away what Markdown or HTML would read as markup. Newlines become spaces, so that a table stays one.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut previous = ' ';
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            // Inside a word an underscore is only that.
            '_' if !previous.is_alphanumeric() => escaped.push_str("\\_"),
            '&' => escaped.push_str("&amp;"),
            '#' if previous == ' ' => escaped.push_str("\\#"),
            character if character.is_whitespace() || character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
        previous = character;
    }
    escaped
}

/// Text as code. Ids and names hold no backticks; where one does, it is shown as plain text.
fn code(text: &str) -> String {
    if text.contains(['`', '|', '\n']) { escape(text) } else { format!("`{text}`") }
}

fn longest_run(line: &str) -> usize {
    line.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_outside_is_no_markup() {
        assert_eq!(escape("a|b\n<script> **x** [l](u) _y_ z_z & `c`"), {
            "a\\|b \\<script\\> \\*\\*x\\*\\* \\[l\\](u) \\_y_ z_z &amp; \\`c\\`"
        });
    }
}
