//! The report as one HTML file that needs nothing else: styles and pictures are inside, nothing is loaded, no script
//! runs.

use askama::Template;

use crate::model::ReportModel;
use crate::view::{self, View};
use crate::words::word;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    model: &'a ReportModel,
    view: View,
}

impl Page<'_> {
    fn word(&self, id: &str) -> String {
        word(id, &self.model.language)
    }
}

/// The report as one self-contained HTML file. Everything that came from outside is escaped.
///
/// # Errors
/// When the page cannot be written, which would be a fault in its template.
pub fn html(model: &ReportModel) -> Result<String, std::fmt::Error> {
    let page = Page { model, view: view::of(model) };
    page.render().map_err(|_| std::fmt::Error)
}
