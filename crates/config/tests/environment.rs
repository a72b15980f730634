//! Env files as Docker Compose reads them, and references into them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use eclusa_config::{EnvironmentFile, EnvironmentFiles, ProcessEnvironment, Secrets, Value};
use eclusa_fault::Code;
use proptest::prelude::*;
use secrecy::ExposeSecret;

const PATH: &str = "/srv/shop/.env.production";

fn read(text: &str) -> EnvironmentFile {
    EnvironmentFile::parse_with(text, Path::new(PATH), &|_| None).unwrap()
}

fn value(file: &EnvironmentFile, name: &str) -> String {
    file.get(name).unwrap_or_else(|| panic!("{name} has no value")).expose_secret().to_owned()
}

/// The values are those that `docker compose --env-file FILE config` (2.26) showed for the same text.
#[test]
fn values_are_those_of_compose() {
    let file = read(concat!(
        "# a comment\n\n",
        "A=#abc\n",
        "B= #abc\n",
        "C=x #y\n",
        "D=x#y\n",
        "F=\"a\\$B \\\"q\\\" \\t.\"\n",
        "G=${Z:-d f}\n",
        "H=$$x\n",
        "I='a\\'b'\n",
        "J: yaml\n",
        "K=a$-b\n",
        "export L = spaced\n",
        "M=\"multi\nline\"\n",
        "N=$C\n",
        "O=\"\\a\\0123\\q\\'\"\n",
        "P=${x:-${y:-z}}\n",
        "Q=x\t#y\n",
        "1R=a$\n",
        "S=\\$x\n",
        "T=\"${x:-\\$}\"\n",
    ));
    for (name, expected) in [
        ("A", "#abc"),
        ("B", "#abc"),
        ("C", "x"),
        ("D", "x#y"),
        ("F", "a$B \"q\" \t."),
        ("G", "d f"),
        ("H", "$x"),
        ("I", "a'b"),
        ("J", "yaml"),
        ("K", "a$-b"),
        ("L", "spaced"),
        ("M", "multi\nline"),
        ("N", "x"),
        ("O", "\u{7}S\\q\\'"),
        ("P", "z"),
        ("Q", "x\t#y"),
        ("1R", "a$"),
        ("S", "\\"),
        ("T", "$"),
    ] {
        assert_eq!(value(&file, name), expected, "{name}");
    }
    let line = |name: &str| file.variables.iter().find(|variable| variable.name == name).unwrap().line;
    assert_eq!((line("A"), line("M"), line("N")), (3, 14, 16));
}

#[test]
fn values_are_filled_in_and_the_last_line_wins() {
    let outside = |name: &str| (name == "HOME_TAG").then(|| String::from("v7"));
    let text = "A=1\nA=2\nB=${A}-${HOME_TAG}\nC='${A}'\nD=${EMPTY-x}${EMPTY:-y}${A:+z}\nEMPTY=\nE=${EMPTY:-${A}}\nHOME_TAG\nGONE\r\nF=last\r\n";
    let file = EnvironmentFile::parse_with(text, Path::new(PATH), &outside).unwrap();
    assert_eq!(value(&file, "A"), "2");
    assert_eq!(value(&file, "B"), "2-v7");
    assert_eq!(value(&file, "C"), "${A}");
    assert_eq!(value(&file, "D"), "xyz");
    assert_eq!(value(&file, "E"), "2");
    assert_eq!(value(&file, "HOME_TAG"), "v7");
    assert!(file.get("GONE").is_none());
    assert_eq!(value(&file, "F"), "last");
}

#[test]
fn placeholders_are_found_with_their_lines() {
    let file = read(concat!(
        "DEBUG=False\n",
        "SECRET_KEY=CHANGE_ME_long_random\n",
        "# OTHER=CHANGE_ME\n",
        "DATABASE_URL=\"postgres://shop:CHANGE_ME@db/shop\"\n",
        "COPY=${SECRET_KEY}\n",
        "DONE=xKq9\n",
    ));
    let texts = [String::from("CHANGE_ME")];
    let expected = vec![(2, String::from("SECRET_KEY")), (4, String::from("DATABASE_URL"))];
    assert_eq!(file.placeholders(&texts), expected);
    assert!(file.placeholders(&[]).is_empty());
    assert!(file.placeholders(&[String::new()]).is_empty());
}

#[test]
fn a_malformed_line_is_shown_without_its_value() {
    let cases = [
        ("no equals sign", "GOOD=1\nDEBUG hunter2\n"),
        ("no name", "=hunter2\n"),
        ("name with a space", "MY KEY=hunter2\n"),
        ("open quote", "A=1\nPASSWORD=\"hunter2\nB=2\n"),
        ("after the quote", "PASSWORD='hunter2'hunter2\n"),
        ("open brace", "PASSWORD=${hunter2\n"),
        ("no such operation", "A=${B/hunter2}\n"),
        ("needed", "URL=${HOST:?hunter2}\n"),
        ("rest of a key", "KEY=-----BEGIN\nMIIEvQIBADANBgkqhkiG9w0BAQEFhunter2AASCBKcwggSjAgEAAoIBAQC7+/\n"),
    ];
    let mut shown = String::new();
    for (name, text) in cases {
        let fault = EnvironmentFile::parse_with(text, Path::new(PATH), &|_| None).unwrap_err();
        assert_eq!(fault.code, Code::ConfigInvalid, "{name}");
        assert!(!format!("{fault:?}").contains("hunter2"), "{name}: {fault:?}");
        shown.push_str(&format!("== {name}\n{}\n", support::shown(&fault)));
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(shown) });
}

#[test]
fn nothing_shows_a_value_by_accident() {
    let file = read("PASSWORD=hunter2\n");
    let files = EnvironmentFiles::new(vec![file.clone()], ProcessEnvironment::default());
    let secrets = Secrets::new(files.clone(), "/srv/shop");
    assert!(!format!("{file:?} {files:?} {secrets:?}").contains("hunter2"));
}

#[test]
fn a_reference_looks_into_the_files_and_then_into_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("a.env"), directory.path().join("b.env"));
    fs::write(&first, "NAME=one\nTOKEN=first\n").unwrap();
    fs::write(&second, "TOKEN=${NAME}-second\nEMPTY=\n").unwrap();
    fs::write(directory.path().join("key"), "from-file\n").unwrap();
    let process = BTreeMap::from(
        [("TOKEN", "process"), ("ONLY", "process")].map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    let files = EnvironmentFiles::load_with(&[first, second], ProcessEnvironment::Given(process)).unwrap();
    let secrets = Secrets::new(files, directory.path());
    let found = |reference: &str| secrets.resolve(reference).map(|secret| secret.expose_secret().to_owned());
    assert_eq!(found("env:TOKEN").unwrap(), "one-second");
    assert_eq!(found("env:ONLY").unwrap(), "process");
    assert_eq!(found("file:key").unwrap(), "from-file");
    for absent in ["env:NOBODY", "env:EMPTY", "file:absent", "env:", "file:"] {
        assert_eq!(found(absent).unwrap_err().code, Code::SecretMissing, "{absent}");
    }
    let value = |text: &str| secrets.value(&Value::new(text)).map(|secret| secret.expose_secret().to_owned());
    assert_eq!(
        (value("plain").unwrap(), value("env:ONLY").unwrap()),
        ("plain".to_owned(), "process".to_owned())
    );
    let fault = found("hunter2").unwrap_err();
    assert!(!format!("{fault:?}").contains("hunter2"));
    let fault = found("env:NOBODY").unwrap_err();
    assert!(fault.to_string().contains("b.env"), "{fault}");
}

#[test]
fn a_secret_file_that_everyone_may_read_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "x").unwrap();
    let secrets = Secrets::new(EnvironmentFiles::default(), directory.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(secrets.warning("file:key").is_some());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(secrets.warning("file:key").is_none());
    assert!(secrets.warning("env:TOKEN").is_none());
}

#[test]
fn an_env_file_that_is_not_there_is_named() {
    let fault = EnvironmentFiles::load(&["/nowhere/.env".into()]).unwrap_err();
    assert_eq!(fault.code, Code::ConfigUnreadable);
    assert!(support::shown(&fault).contains("/nowhere/.env"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|[=\"'$\\{\\}#:\\-\\\\\n\r ])*") {
        let _ = EnvironmentFile::parse_with(&text, Path::new(PATH), &|_| None);
    }

    /// What is put into single quotes comes out as it was.
    #[test]
    fn a_quoted_value_comes_back(value in "[^'\\\\]*") {
        let file = read(&format!("A='{value}'\nB=2\n"));
        prop_assert_eq!(file.get("A").unwrap().expose_secret(), value.as_str());
        prop_assert_eq!(file.get("B").unwrap().expose_secret(), "2");
    }
}
