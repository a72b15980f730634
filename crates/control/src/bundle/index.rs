//! `INDEX.md`: what is in the bundle and what was left out, for a person who checks it before it is sent.

use eclusa_fault::{Language, Message};
use jiff::Timestamp;

use super::{Missing, Part, words};
use crate::VERSION;

pub(super) fn of(parts: &[Part], missing: &[Missing], at: Timestamp, language: &Language) -> String {
    let say = |id: &str| words(Message::new(id), language);
    let made = Message::new("bundle-index-made")
        .with("version", VERSION)
        .with("at", at.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let mut text = format!("# {}\n\n{}\n\n", say("bundle-index-title"), words(made, language));
    text.push_str(&format!("{}\n\n{}\n\n", say("bundle-index-check"), say("bundle-index-never")));
    text.push_str(&format!("## {}\n\n", say("bundle-index-parts")));
    text.push_str(&format!(
        "| {} | {} | {} |\n|---|---|---|\n",
        say("bundle-index-file"),
        say("bundle-index-what"),
        say("bundle-index-bytes")
    ));
    for part in parts {
        text.push_str(&format!(
            "| `{}` | {} | {} |\n",
            part.path,
            words(part.what.clone(), language),
            part.text.len()
        ));
    }
    text.push_str(&format!("\n## {}\n\n", say("bundle-index-missing")));
    if missing.is_empty() {
        text.push_str(&format!("{}\n", say("bundle-index-nothing-missing")));
    }
    for missing in missing {
        let why = missing.why.replace('\n', "\n      ");
        text.push_str(&format!("- `{}`\n\n      {why}\n\n", missing.path));
    }
    text
}
