//! The one place where names and texts become part of SQL.

/// An identifier: in double quotes, with those inside it doubled.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A setting's name, whose parts between dots are identifiers: `app.tenant`.
pub(crate) fn setting(name: &str) -> String {
    name.split('.').map(identifier).collect::<Vec<_>>().join(".")
}

/// A text: in single quotes, with those inside it doubled; where it has backslashes, in the form whose meaning
/// does not depend on `standard_conforming_strings`, with them doubled too. PostgreSQL texts cannot hold a zero
/// byte, so it is left out. psql replaces no variables inside quotes.
pub(crate) fn literal(text: &str) -> String {
    let text = text.replace('\0', "").replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_nothing() {
        assert_eq!(identifier(r#"a"; DROP DATABASE b; --"#), r#""a""; DROP DATABASE b; --""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"\'; \!"), r" E'\\''; \\!'");
        assert_eq!(setting("app.te\"nant"), "\"app\".\"te\"\"nant\"");
    }
}
