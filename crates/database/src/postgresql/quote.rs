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

/// The identifier with which a text of the server's programs begins, and what stands behind it. Without quotes they write
/// small letters, digits and underscores alone.
pub(crate) fn unquoted(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
        let end = text.find(|sign| !plain(sign)).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    loop {
        let (part, behind) = rest.split_once('"')?;
        name.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, behind)),
        }
    }
}

/// The name of a table or the like with which such a text begins, schema and name, and what stands behind it.
pub(crate) fn qualified(text: &str) -> Option<((String, String), &str)> {
    let (schema, rest) = unquoted(text)?;
    let (name, rest) = unquoted(rest.strip_prefix('.')?)?;
    Some(((schema, name), rest))
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

    #[test]
    fn what_was_quoted_is_read_back() {
        for name in ["plain_1", "Sales \"Q1\".x", "\"", "ä$"] {
            assert_eq!(unquoted(&format!("{}.rest", identifier(name))), Some((name.to_owned(), ".rest")));
        }
        assert_eq!(unquoted("plain_1 (a)"), Some(("plain_1".to_owned(), " (a)")));
        for nothing in ["", "Upper", "\"open", "\"open\"\""] {
            assert_eq!(unquoted(nothing), None, "{nothing}");
        }
    }
}
