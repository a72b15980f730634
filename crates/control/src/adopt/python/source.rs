//! Small pieces of Python recognised in a text: strings, balanced expressions, assignments, functions. Not a parser.

/// The string literals of a text, without prefixes and escapes; those in comments are left out.
pub(crate) fn strings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(at) = rest.find(['"', '\'', '#']) {
            let (_, from) = rest.split_at(at);
            let Some(quote) = from.chars().next() else { break };
            if quote == '#' {
                break;
            }
            let body = from.get(1..).unwrap_or("");
            let Some(end) = body.find(quote) else { break };
            let (inside, after) = body.split_at(end);
            found.push(inside.to_owned());
            rest = after.get(1..).unwrap_or("");
        }
    }
    found
}

/// The text up to where the brackets that it opens are closed again, at a line's end or at a comma outside them.
pub(crate) fn balanced(text: &str, stop_at_comma: bool) -> &str {
    let mut depth = 0_i32;
    let mut quote: Option<char> = None;
    let mut comment = false;
    for (at, c) in text.char_indices() {
        if comment {
            comment = c != '\n';
            if comment {
                continue;
            }
        }
        match (quote, c) {
            (Some(open), _) if c == open || c == '\n' => quote = None,
            (Some(_), _) => continue,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => comment = true,
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => {
                depth -= 1;
                if depth < 0 {
                    return text.get(..at).unwrap_or(text);
                }
            }
            (None, ',') if depth == 0 && stop_at_comma => return text.get(..at).unwrap_or(text),
            _ => {}
        }
        if c == '\n' && depth == 0 {
            return text.get(..at).unwrap_or(text);
        }
    }
    text
}

/// The arguments of a call, parted at the commas outside its brackets; `text` begins behind its opening bracket.
pub(crate) fn arguments(text: &str) -> Vec<&str> {
    let whole = inside(text);
    let mut found = Vec::new();
    let mut rest = whole;
    loop {
        let one = piece(rest);
        let trimmed = one.trim();
        if !trimmed.is_empty() {
            found.push(trimmed);
        }
        match rest.get(one.len() + 1..) {
            Some(tail) => rest = tail,
            None => return found,
        }
    }
}

/// The text up to the bracket that closes one opened before it.
pub(crate) fn inside(text: &str) -> &str {
    scan(text, |depth, _| depth < 0)
}

/// The text up to a comma outside brackets.
fn piece(text: &str) -> &str {
    scan(text, |depth, c| depth < 0 || (depth == 0 && c == ','))
}

fn scan(text: &str, stops: impl Fn(i32, char) -> bool) -> &str {
    let mut depth = 0_i32;
    let mut quote: Option<char> = None;
    let mut comment = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if comment => comment = c != '\n',
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => comment = true,
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if quote.is_none() && !comment && stops(depth, c) {
            return text.get(..at).unwrap_or(text);
        }
    }
    text
}

/// What is assigned to a name, at the beginning of a line or else deeper; the last one wins.
pub(crate) fn assigned<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut top = None;
    let mut deeper = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let after = trimmed.strip_prefix(name).map(str::trim_start);
        // A type may stand between: `NAME: str = …`.
        let value = after.and_then(|after| match after.strip_prefix(':') {
            Some(typed) => typed.split_once('=').map(|(_, value)| value),
            None => after.strip_prefix('=').filter(|value| !value.starts_with('=')),
        });
        if let Some(value) = value {
            let start = offset + line.len() - value.len();
            let expression = balanced(text.get(start..).unwrap_or(""), false).trim();
            if line.len() == trimmed.len() { top = Some(expression) } else { deeper = Some(expression) }
        }
        offset += line.len();
    }
    top.or(deeper)
}

/// What stands at a key of a dictionary: `"KEY": …`.
pub(crate) fn at_key<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    [format!("\"{key}\""), format!("'{key}'")].iter().find_map(|quoted| {
        let (_, after) = text.split_once(quoted.as_str())?;
        let value = after.trim_start().strip_prefix(':')?;
        Some(balanced(value.trim_start(), true).trim())
    })
}

/// Whether a text can be the name of an environment variable.
pub(crate) fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The environment variable that an expression reads, by the look of it: a call or an index whose first string is
/// written in capitals.
pub(crate) fn variable_of(expression: &str) -> Option<String> {
    let first = strings(expression).into_iter().next()?;
    let quoted = expression.find(['"', '\''])?;
    let before = expression.get(..quoted)?.trim_end();
    (is_variable(&first) && before.ends_with(['(', '['])).then_some(first)
}

/// A function or class of a file: its decorators and its body.
pub(crate) fn definition<'a>(text: &'a str, name: &str) -> Option<(Vec<&'a str>, &'a str)> {
    let mut decorators: Vec<&str> = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        if line.starts_with('@') {
            decorators.push(line.trim());
            continue;
        }
        let word = line.strip_prefix("async ").unwrap_or(line);
        let defined = word.strip_prefix("def ").or_else(|| word.strip_prefix("class "));
        let fits = defined
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(['(', ':', ' ']));
        if fits {
            let after = text.get(offset..).unwrap_or("");
            let mut end = after.len();
            let mut at = 0;
            for body in after.split_inclusive('\n') {
                if !body.starts_with([' ', '\t', '\n', ')', '\r']) {
                    end = at;
                    break;
                }
                at += body.len();
            }
            return Some((decorators, text.get(start..offset + end).unwrap_or("")));
        }
        if !line.trim().is_empty() && !line.starts_with([' ', '\t', ')']) {
            decorators.clear();
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_arguments_are_parted() {
        assert_eq!(strings("a('x', \"y, z\") # 'no'"), ["x", "y, z"]);
        assert_eq!(arguments("\"a\", f(b, c), d=[1, 2]) + rest"), ["\"a\"", "f(b, c)", "d=[1, 2]"]);
        assert_eq!(arguments(")"), Vec::<&str>::new());
    }

    #[test]
    fn assignments_are_found_where_they_end() {
        let text = "A = 1\nif x:\n    B = 2\nC: str = env(\n    'C', # x )\n)\nD = {\n  'k': e['V'],\n}\nA = 3\nA == 4\n";
        assert_eq!(assigned(text, "A"), Some("3"));
        assert_eq!(assigned(text, "B"), Some("2"));
        assert!(assigned(text, "C").unwrap().starts_with("env("));
        assert_eq!(at_key(assigned(text, "D").unwrap(), "k"), Some("e['V']"));
        assert_eq!(assigned(text, "E"), None);
    }

    #[test]
    fn variables_of_expressions() {
        assert_eq!(variable_of("os.environ[\"DB_NAME\"]").as_deref(), Some("DB_NAME"));
        assert_eq!(variable_of("words('HOSTS', 'localhost')").as_deref(), Some("HOSTS"));
        assert_eq!(variable_of("\"LITERAL\""), None);
        assert_eq!(variable_of("[\"localhost\"]"), None);
    }

    #[test]
    fn definitions_have_their_decorators_and_end() {
        let text = "@a\ndef one(r):\n    return 1\n\n\n@b(\"GET\")\n@c\ndef two(r):\n    x\n\n    y\n\ndef three():\n    z\n";
        let (decorators, body) = definition(text, "two").unwrap();
        assert_eq!(decorators, ["@b(\"GET\")", "@c"]);
        assert!(body.contains('y') && !body.contains('z'));
        assert!(definition(text, "tw").is_none());
    }
}
