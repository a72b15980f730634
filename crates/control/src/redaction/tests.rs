//! Redaction: every form, no ordinary words, nothing over the ends of lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;

fn knowing(values: &[&str]) -> Redaction {
    let mut redaction = Redaction::default();
    redaction.public.extend(["boutique".to_owned(), "web".to_owned()]);
    for value in values {
        redaction.add(value);
    }
    redaction.build();
    redaction
}

#[test]
fn a_value_is_found_in_every_form() {
    let value = "p@ss w$rd/\"7'&é";
    let redaction = knowing(&[value]);
    let json = serde_json::to_string(value).unwrap();
    let twice = serde_json::to_string(&json).unwrap();
    use base64::Engine;
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    for text in [
        format!("it is {value}!"),
        format!("{{\"a\":{json}}}"),
        twice,
        "postgres://u@p%40ss%20w%24rd%2F%227%27%26%C3%A9@db".to_owned(),
        "x=p%40ss+w%24rd%2f%227%27%26%c3%a9".replace("%2f", "%2F").replace("%c3%a9", "%C3%A9"),
        encode(value.to_owned()),
        encode(format!("u:{value}")),
        encode(format!("olga:{value}\n")),
        encode(format!("some:{value}")),
        value.replace('$', "$$"),
    ] {
        let shown = redaction.text(&text);
        assert!(shown.contains(DOTS), "{text} is shown as {shown}");
    }
}

#[test]
fn what_is_short_or_common_strikes_out_no_words() {
    let redaction = knowing(&["redis", "boutique", "abc", "hunter", "hunter22", "20261125"]);
    let text = "redis and boutique-web, abc, hunters of 120261125 bytes";
    assert_eq!(redaction.text(text), text);
    assert_eq!(redaction.text("it is hunter, or xhunter22x"), format!("it is {DOTS}, or x{DOTS}x"));
    // Where its place says what it is, it is struck out all the same.
    for text in
        ["password=redis", "PGPASSWORD: 'abc'", "redis://:abc@redis:6379/0", "\"db_password\": \"boutique\""]
    {
        assert!(redaction.text(text).contains(DOTS), "{text}");
    }
}

#[test]
fn what_is_split_over_lines_is_found() {
    let redaction = knowing(&["fb81-Ahz9-vdcMNq-kwe", "first line 1A\nsecond line 2B\nxyz"]);
    let mut lines: Vec<String> =
        ["token fb81-A", "   hz9-vdcM", "Nq-kwe and more", "first line 1A", "second line 2B", "xyz"]
            .map(String::from)
            .to_vec();
    assert!(
        redaction.is_open(&lines[..1]) && redaction.is_open(&lines[..2]) && !redaction.is_open(&lines[..3])
    );
    redaction.lines(&mut lines);
    let all = lines.join("\n");
    for part in ["fb81", "hz9", "Nq-kwe", "first line", "second", "xyz"] {
        assert!(!all.contains(part), "{part} in {all}");
    }
    assert!(all.contains("token ") && all.contains(" and more"), "{all}");
}

#[test]
fn what_is_left_of_a_cut_is_struck_out() {
    let redaction = knowing(&["fb81-Ahz9-vdcMNq-kwe"]);
    let cut = ["  9-vdcMNq-kwe and more", "whole", "begins with fb81-Ahz9-"].join("\n");
    let shown = redaction.text(&cut);
    assert!(!shown.contains("vdcMNq") && !shown.contains("Ahz9"), "{shown}");
    assert!(shown.contains(" and more\nwhole\nbegins with "), "{shown}");
    assert_eq!(redaction.text("-kwe is short"), "-kwe is short");
}

#[test]
fn shapes_are_known_without_their_values() {
    let redaction = Redaction::of_shapes();
    for (text, secret) in [
        ("postgres://u:hu/nt@er@db:5432/x", "hu/nt"),
        ("https://0123456789abcdef0123@errors.example.org/3", "0123456789abcdef0123"),
        ("curl -H 'Authorization: Bearer abc.def'", "abc.def"),
        ("authorization=Basic dTpw", "dTpw"),
        ("Cookie: sessionid=qwerty; a=b", "qwerty"),
        ("sent Bearer a1B2c3D4e5", "a1B2c3D4e5"),
        ("DJANGO_SECRET_KEY=x-y-z", "x-y-z"),
        ("{\\\"password\\\":\\\"in json\\\",\\\"a\\\":1}", "in json"),
        ("{\"password\":\"in \\\" json\"}", "json"),
        ("--token=s3cr3t --x", "s3cr3t"),
        ("ghp_0123456789abcdefghij", "ghp_0123456789abcdefghij"),
        ("read AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYS", "QQQSYQCYQ5RQ"),
        ("AKIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNOP"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----\nafter", "MIIE\nabcd"),
        ("key: -----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----", "MIIE"),
    ] {
        let shown = redaction.text(text);
        assert!(!shown.contains(secret), "{text} is shown as {shown}");
    }
    for text in [
        "unexpected token: {",
        "a basic configuration",
        "password = \"env:POSTGRES_PASSWORD\"",
        "secret: null",
        "http://127.0.0.1:8080/api?x=a",
        "no password was asked for",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    ] {
        assert_eq!(redaction.text(text), text);
    }
}

#[test]
fn what_looks_random_and_what_does_not() {
    for value in [
        "9f86d081884c7d659a2feaa0c55ad015",
        "wJalrXUtnFEMI7K7MDENGbPxRfiCY",
        "550e8400-e29b-41d4-a716-446655440000",
    ] {
        assert!(sources::looks_random(value), "{value}");
    }
    for value in
        ["boutique-production-2", "/var/lib/eclusa/data/1", "docker-compose-prod", "1234567890123456", "v2"]
    {
        assert!(!sources::looks_random(value), "{value}");
    }
    for name in ["POSTGRES_PASSWORD", "SMTP_PASS", "django-secret-key", "AWS_SECRET_ACCESS_KEY", "SENTRY_DSN"]
    {
        assert!(looks_secret(name), "{name}");
    }
    for name in ["SECRET_KEY_FILE", "PWD", "KEYBOARD", "PASSENGERS", "LOG_LEVEL"] {
        assert!(!looks_secret(name), "{name}");
    }
}

#[test]
fn json_stays_json() {
    let redaction = knowing(&["fb81-Ahz9-vdcMNq-kwe"]);
    let mut value = serde_json::json!({
        "password": "abc", "token": "env:T", "tokens": 5, "lines": ["fb81-Ahz9-vd", "cMNq-kwe"],
        "deep": [{"text": "is fb81-Ahz9-vdcMNq-kwe."}],
    });
    redaction.json(&mut value);
    assert_eq!(value["password"], DOTS);
    assert_eq!((&value["token"], &value["tokens"]), (&"env:T".into(), &5.into()));
    assert!(!value.to_string().contains("fb81"), "{value}");
}

#[test]
fn compose_files_are_read_without_docker() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("web.env"), "MAIL_PASSWORD=of-the-env-file-1\n").unwrap();
    std::fs::write(path("key"), "of-the-secret-file-2\n").unwrap();
    std::fs::write(
        path("docker-compose.yml"),
        "services:\n  web:\n    env_file: [web.env]\n    environment: {API_TOKEN: of-the-environment-3, A: plain-value-4}\n    \
         build: {args: [BUILD_SECRET=of-the-build-5]}\n  db:\n    environment:\n      - PGPASSWORD=of-the-list-6$$x\n      \
         - OTHER_PASSWORD=${OTHER}\nsecrets:\n  s: {file: ./key}\n",
    )
    .unwrap();
    let mut redaction = Redaction::of_shapes();
    redaction.directory(&path("eclusa.toml"));
    for value in [
        "of-the-env-file-1",
        "of-the-secret-file-2",
        "of-the-environment-3",
        "of-the-build-5",
        "of-the-list-6$x",
    ] {
        assert_eq!(redaction.text(&format!("it is {value}!")), format!("it is {DOTS}!"));
    }
    assert_eq!(redaction.text("a plain-value-4 and ${OTHER}"), "a plain-value-4 and ${OTHER}");
}
