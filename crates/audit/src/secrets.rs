//! What is a secret by its name, what is a placeholder, what is a weak password, and a text without secrets.

/// Words that, as a part of a name, make its value a secret.
const SECRET_WORDS: [&str; 13] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "API_KEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
    "ENCRYPTION_KEY",
    "CREDENTIALS",
    "AUTH_KEY",
    "_PASS",
];
/// Endings that say that the value is about a secret and none itself.
const ABOUT_SECRETS: [&str; 22] = [
    "_FILE",
    "_PATH",
    "_NAME",
    "_HEADER",
    "_URL",
    "_URI",
    "_EXPIRY",
    "_LIFETIME",
    "_TTL",
    "_LENGTH",
    "_ENABLED",
    "_AGE",
    "_VALIDATORS",
    "_TIMEOUT",
    "_DIR",
    "_MINUTES",
    "_SECONDS",
    "_HOURS",
    "_DAYS",
    "_ALGORITHM",
    "_TYPE",
    "_VERSION",
];
/// Beginnings of the same kind.
const ABOUT_SECRETS_FIRST: [&str; 5] = ["ALLOW_EMPTY", "USE_", "ENABLE_", "DISABLE_", "CSRF_"];

/// What a placeholder looks like.
const PLACEHOLDERS: [&str; 22] = [
    "CHANGE_ME",
    "CHANGEME",
    "CHANGE-ME",
    "CHANGE_THIS",
    "CHANGETHIS",
    "CHANGE-THIS",
    "REPLACE_ME",
    "REPLACEME",
    "REPLACE-ME",
    "REPLACE_THIS",
    "REPLACE_WITH",
    "YOUR_",
    "YOUR-",
    "<YOUR",
    "INSERT_",
    "FILL_ME",
    "FILLME",
    "TODO_",
    "SET_ME",
    "PLACEHOLDER",
    "PUT_YOUR",
    "XXXXXX",
];

/// Passwords that everyone tries.
const WEAK: [&str; 34] = [
    "admin",
    "password",
    "passwd",
    "pass",
    "root",
    "postgres",
    "mysql",
    "mariadb",
    "secret",
    "123",
    "1234",
    "12345",
    "123456",
    "12345678",
    "123456789",
    "test",
    "django",
    "frappe",
    "erpnext",
    "guest",
    "user",
    "redis",
    "default",
    "changeit",
    "toor",
    "qwerty",
    "letmein",
    "pwd",
    "demo",
    "example",
    "db",
    "mongo",
    "minioadmin",
    "password123",
];

/// Whether a variable of this name holds a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase().replace('-', "_");
    let secret =
        SECRET_WORDS.iter().any(|word| upper.contains(word)) || upper == "PGPASSWORD" || upper == "PASS";
    secret
        && !ABOUT_SECRETS.iter().any(|ending| upper.ends_with(ending))
        && !ABOUT_SECRETS_FIRST.iter().any(|beginning| upper.starts_with(beginning))
}

/// Whether a value still has to be filled in.
#[must_use]
pub fn is_placeholder(value: &str) -> bool {
    let upper = value.to_ascii_uppercase();
    let shouting = PLACEHOLDERS.iter().any(|word| {
        upper.starts_with(word)
            || upper.contains("CHANGE_ME")
            || upper.contains("CHANGEME")
            || upper.contains("CHANGE-ME")
            || upper.contains("CHANGE-THIS")
            || upper.contains("CHANGE_THIS")
            || upper.contains("REPLACE-ME")
    });
    let bracketed = value.len() > 2 && value.starts_with('<') && value.ends_with('>');
    shouting || bracketed
}

/// Whether a password is among the first that anyone tries.
#[must_use]
pub fn is_weak(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    lower.len() < 4 || WEAK.contains(&lower.as_str())
}

/// Whether a value may be a secret at all: not empty, no switch, no number of digits only, no path.
#[must_use]
pub fn could_be_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    !value.is_empty()
        && !matches!(
            lower.as_str(),
            "true" | "false" | "yes" | "no" | "none" | "null" | "on" | "off" | "0" | "1"
        )
        && !value.starts_with("/run/secrets")
        && !value.starts_with('/')
        && !value.starts_with("$(")
        && !value.contains("{{")
}

/// The user's password in `scheme://user:password@host`, and the user.
#[must_use]
pub fn in_url(value: &str) -> Option<(&str, &str)> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (credentials, _) = authority.rsplit_once('@')?;
    let (user, password) = credentials.split_once(':')?;
    (!password.is_empty()).then_some((user, password))
}

/// How much of a text is looked at, in characters.
const LONGEST: usize = 4096;

/// A line in which no secret stands: what is given to a variable with a secret's name is hidden, and so is every one
/// of these values. Words that everyone tries are hidden only as a variable's value: they also stand in names of
/// images and directories, and hiding them there would only make the line unreadable.
#[must_use]
pub fn masked(text: &str, secrets: &[String]) -> String {
    // Much longer than anything that is shown, so that no secret is cut in two where it is.
    let text: String = text.chars().take(LONGEST).collect();
    let mut shown = without_assigned(&text);
    for secret in secrets.iter().filter(|secret| secret.len() >= 8 && !is_weak(secret)) {
        let plain = secret.chars().all(|c| c.is_ascii_lowercase() || "-_.".contains(c));
        if !plain && shown.contains(secret.as_str()) {
            shown = shown.replace(secret.as_str(), "…");
        }
    }
    shown
}

/// Hides the value behind `NAME=` and `NAME:` where the name is a secret's. What is a variable itself stays.
fn without_assigned(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':', '@']) {
        let (before, after) = rest.split_at(at);
        let sign = after.chars().next().unwrap_or(' ');
        let after = after.get(sign.len_utf8()..).unwrap_or("");
        shown.push_str(before);
        shown.push(sign);
        rest = after;
        let name: String = {
            let backwards: String =
                before.chars().rev().take_while(|c| c.is_alphanumeric() || "_-".contains(*c)).collect();
            backwards.chars().rev().collect()
        };
        let name = name.trim_start_matches('-');
        // `${NAME:-default}` has its value behind the dash.
        let operator = if sign == ':' { usize::from(after.starts_with('-')) } else { 0 };
        let gap =
            after.len() - after.get(operator..).unwrap_or("").trim_start_matches([' ', '"', '\'']).len();
        let value = after.get(gap..).unwrap_or("");
        let length = value.find([' ', '"', '\'', ',', '}']).unwrap_or(value.len());
        let word = value.get(..length).unwrap_or("");
        let required = sign == ':' && after.starts_with(['?', '+']);
        let secret = !required && (is_secret_name(name) || matches!(name, "password" | "requirepass"));
        if secret && !word.starts_with('$') && could_be_secret(word) {
            shown.push_str(after.get(..gap).unwrap_or(""));
            shown.push('…');
            rest = value.get(length..).unwrap_or("");
        } else if sign == ':' && after.starts_with("//") {
            let hidden = in_url(&format!("x:{after}")).map(|(_, password)| password.to_owned());
            if let Some(password) = hidden.filter(|password| !password.starts_with('$')) {
                let (head, tail) = after.split_once(&format!(":{password}@")).unwrap_or((after, ""));
                shown.push_str(head);
                shown.push_str(":…@");
                rest = tail;
            }
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_shows_a_secret() {
        let none: [String; 0] = [];
        for (line, shown) in [
            ("      - POSTGRES_PASSWORD=postgres", "      - POSTGRES_PASSWORD=…"),
            ("      POSTGRES_PASSWORD: \"zammad\"", "      POSTGRES_PASSWORD: \"…\""),
            ("      PASSWORD: ${DB_PASSWORD:-hunter2}", "      PASSWORD: ${DB_PASSWORD:-…}"),
            ("      PASSWORD: ${DB_PASSWORD:?}", "      PASSWORD: ${DB_PASSWORD:?}"),
            ("    image: postgres:15", "    image: postgres:15"),
            ("  url: postgres://shop:s3cret@db/shop", "  url: postgres://shop:…@db/shop"),
            ("mysqladmin ping --password=${X} -u root", "mysqladmin ping --password=${X} -u root"),
            ("redis-server --requirepass=abcd", "redis-server --requirepass=…"),
        ] {
            assert_eq!(masked(line, &none), shown);
        }
        assert_eq!(masked("command: run Zx81-spectrum", &["Zx81-spectrum".to_owned()]), "command: run …");
    }
}
