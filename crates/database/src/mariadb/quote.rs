//! The one place where names and texts become part of SQL.

/// An identifier: in backquotes, with those inside it doubled. MariaDB names hold no zero byte.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\0', "").replace('`', "``"))
}

/// The name of a database in a grant, in which `_` and `%` stand for any letters.
pub(crate) fn granted(database: &str) -> String {
    identifier(&database.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%"))
}

/// A text: in single quotes, under the session's own SQL mode, in which a backslash escapes.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\\', "\\\\").replace('\'', "''"))
}

/// What the client in batch mode writes for one value, as it was: a line break, a tab, a zero byte and a backslash are
/// escaped.
pub(crate) fn unescaped(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('0') => text.push('\0'),
            Some(other) => text.push(other),
            None => text.push('\\'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_nothing() {
        assert_eq!(identifier("a`; DROP DATABASE b; -- "), "`a``; DROP DATABASE b; -- `");
        assert_eq!(literal(r"it's \'; x"), r"'it''s \\''; x'");
        assert_eq!(unescaped(r"a\nb\\n\tc"), "a\nb\\n\tc");
    }
}
