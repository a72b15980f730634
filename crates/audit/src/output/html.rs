//! A report as one HTML page that needs nothing else: the risk table, printable.

use eclusa_fault::{Language, Message};

use super::{evidence, markdown, summary};
use crate::report::Report;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8881}\
body{font:15px/1.45 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}\
.sum{font-size:1.05rem;margin:0 0 1.5rem}\
article{border:1px solid var(--line);border-left:.4rem solid var(--tone);border-radius:.4rem;margin:0 0 1rem;padding:.7rem 1rem;break-inside:avoid}\
.critical{--tone:#b00020}.high{--tone:#d9480f}.medium{--tone:#b8860b}.low{--tone:#4a7fb5}.info{--tone:#888}\
.tag{display:inline-block;background:var(--tone);color:#fff;border-radius:.3rem;padding:.05rem .5rem;font-size:.8rem;font-weight:600;margin-right:.5rem}\
.risk{font-weight:600;margin:0 0 .4rem}.risk ul{margin:.2rem 0 0;padding-left:1.2rem;font-weight:400}\
dl{display:grid;grid-template-columns:7rem 1fr;gap:.25rem .8rem;margin:0}dt{opacity:.7}dd{margin:0}\
code,pre{font:13px/1.4 ui-monospace,monospace}\
table{border-collapse:collapse}td{padding:.15rem 1.2rem .15rem 0;vertical-align:top}td:first-child{white-space:nowrap;opacity:.8}\
td code{white-space:pre-wrap;overflow-wrap:anywhere}\
@media(max-width:40rem){dl{grid-template-columns:1fr}dt{margin-top:.4rem}}";

/// The whole page.
#[must_use]
pub fn text(report: &Report, language: &Language) -> String {
    let say = |id: &str| escaped(&Message::new(id).render(language));
    let title = say("audit-report-title");
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p class=\"sum\">{}</p>\n",
        escaped(&summary(report, language))
    );
    for findings in report.risks() {
        let Some(first) = findings.first() else { continue };
        let observed = markdown::observed(&findings, language);
        let (single, list) = match observed.as_slice() {
            [one] => (escaped(one), String::new()),
            many => {
                let items: String = many.iter().map(|text| format!("<li>{}</li>", escaped(text))).collect();
                (escaped(&first.name.replace('-', " ")), format!("<ul>{items}</ul>"))
            }
        };
        let mut rows = String::new();
        for finding in findings.iter().take(markdown::MOST_PLACES) {
            rows.push_str(&format!(
                "<tr><td><code>{}</code></td><td><code>{}</code></td></tr>",
                escaped(&evidence(finding)),
                escaped(finding.excerpt.trim())
            ));
        }
        if findings.len() > markdown::MOST_PLACES {
            let more =
                Message::new("audit-report-more").with("count", findings.len() - markdown::MOST_PLACES);
            rows.push_str(&format!("<tr><td>{}</td><td></td></tr>", escaped(&more.render(language))));
        }
        out.push_str(&format!(
            "<article class=\"{0}\"><div class=\"risk\"><span class=\"tag\">{1} {0}</span>{single}{list}</div>\
             <dl><dt>{2}</dt><dd>{3}</dd><dt>{4}</dt><dd>{5}</dd><dt>{6}</dt><dd><table>{rows}</table></dd></dl></article>\n",
            first.severity.word(),
            first.code,
            say("audit-report-impact"),
            escaped(&first.risk.render(language)),
            say("audit-report-mitigation"),
            escaped(&first.remedy.render(language)),
            say("audit-report-evidence"),
        ));
    }
    if !report.suppressed.is_empty() {
        let items: String = report
            .suppressed
            .iter()
            .map(|one| {
                format!(
                    "<li><code>{} {}</code> {}</li>",
                    one.finding.code,
                    escaped(&evidence(&one.finding)),
                    escaped(&one.reason)
                )
            })
            .collect();
        out.push_str(&format!("<h2>{}</h2><ul>{items}</ul>\n", say("audit-report-allowed")));
    }
    out.push_str("</body></html>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
