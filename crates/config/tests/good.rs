//! Good configurations: defaults, paths, tenants, and that no text makes the reader fall over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eclusa_config::{
    AfterOpen, CommandLine, Configuration, EnvironmentFile, EnvironmentFiles, Period, ProcessEnvironment,
    Proof,
};
use eclusa_fault::Code;
use eclusa_model::{DatabasePlace, Environment, FilesPlace, ServiceRole};
use proptest::prelude::*;

#[test]
fn what_is_left_out_has_the_defaults_of_the_documentation() {
    let configuration = support::parse(support::COMPOSE).unwrap();
    let (name, stack) = configuration.stack(None).unwrap();
    assert_eq!(name.as_str(), "boutique");
    assert_eq!(stack.environment, Environment::Production);
    assert_eq!(stack.watch.length, Period::minutes(30));
    assert_eq!(stack.watch.after_open, AfterOpen::Hold);
    assert_eq!(stack.secure.proof, Proof::ReadBack);
    assert_eq!(stack.release.keep, 2);
    assert_eq!(stack.commands.manage.argv(), ["python", "manage.py"]);
    assert_eq!(stack.compose.as_ref().unwrap().override_file, Path::new("docker-compose.eclusa.yml"));
    assert_eq!(stack.environment_paths(), [PathBuf::from("/srv/shop/.env.production")]);
    assert_eq!(stack.release_env_file(), Some(PathBuf::from("/srv/shop/.env.production")));
    assert_eq!(stack.vault_directory(Path::new("/state")), Path::new("/state/vault/boutique"));
    assert_eq!(stack.migrate_service().unwrap().as_str(), "web");
    let role = |service: &str| stack.role(&service.parse().unwrap());
    assert_eq!(
        (role("frontend"), role("db"), role("mail")),
        (ServiceRole::Frontend, ServiceRole::Database, ServiceRole::Other)
    );
}

#[test]
fn the_one_tenant_of_a_plain_stack_is_named_like_it() {
    let text = format!(
        "{}\n[[stacks.boutique.files]]\nname = \"media\"\nservice = \"web\"\npath = \"/app/media\"\n",
        support::COMPOSE.replace(
            "app =",
            "configuration = [\"./.env.production\"]\ndomains = [\"shop.example.org\"]\napp ="
        )
    );
    let configuration = support::parse(&text).unwrap();
    let (_, stack) = configuration.stack(Some("boutique")).unwrap();
    let file = EnvironmentFile::parse_with("POSTGRES_DB=shop\n", Path::new("x.env"), &|_| None).unwrap();
    let environment = EnvironmentFiles::new(vec![file], ProcessEnvironment::Given(BTreeMap::new()));
    let tenants = stack.tenants(&environment).unwrap();
    let [tenant] = tenants.as_slice() else { panic!("{tenants:?}") };
    assert_eq!(tenant.name.as_str(), "boutique");
    assert_eq!(tenant.domains, ["shop.example.org"]);
    assert_eq!(tenant.configuration, ["/srv/shop/.env.production"]);
    assert_eq!(
        tenant.database,
        DatabasePlace::Postgresql {
            service: "db".parse().unwrap(),
            name: String::from("shop"),
            user: String::from("boutique"),
            password: Some(String::from("env:POSTGRES_PASSWORD")),
        }
    );
    assert!(
        matches!(&tenant.files[..], [FilesPlace::Service { name, path, .. }] if name == "media" && path == "/app/media")
    );
    let nothing = EnvironmentFiles::new(Vec::new(), ProcessEnvironment::Given(BTreeMap::new()));
    assert_eq!(stack.tenants(&nothing).unwrap_err().code, Code::SecretMissing);
}

#[test]
fn tenants_have_absolute_places() {
    let configuration = support::parse(support::PROCESS).unwrap();
    let (_, stack) = configuration.stack(None).unwrap();
    let tenants = stack.tenants(&EnvironmentFiles::default()).unwrap();
    let places: Vec<_> = tenants.iter().map(|tenant| (tenant.name.as_str(), &tenant.database)).collect();
    let sqlite = |path: &str| DatabasePlace::Sqlite { path: path.to_owned() };
    assert_eq!(
        places,
        [("alpha", &sqlite("/srv/shop/data/alpha.db")), ("beta", &sqlite("/srv/shop/data/beta.db"))]
    );
    assert_eq!(stack.public_port(), Some(8100));
}

#[test]
fn a_stack_must_be_named_when_there_are_several() {
    let both = format!("{}{}", support::COMPOSE, support::PROCESS.replace("version = 1\n", ""));
    let configuration = support::parse(&both).unwrap();
    assert_eq!(configuration.stack(Some("demo")).unwrap().0.as_str(), "demo");
    for name in [None, Some("shop")] {
        let fault = configuration.stack(name).unwrap_err();
        assert_eq!(fault.code, Code::ConfigStack);
        assert_eq!(fault.args["known"], "boutique, demo");
    }
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_said_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("eclusa.toml");
    assert_eq!(Configuration::load(&path).unwrap_err().code, Code::ConfigUnreadable);
    std::fs::write(&path, b"version = 1\n# \xff\n").unwrap();
    let fault = Configuration::load(&path).unwrap_err();
    assert_eq!((fault.code, fault.args["line"].as_str()), (Code::ConfigInvalid, "2"));
    std::fs::write(&path, support::COMPOSE).unwrap();
    assert_eq!(Configuration::load(&path).unwrap().directory, directory.path());
}

#[test]
fn a_placeholder_in_a_command_is_filled_in_once() {
    let argv = ["x", "--site={tenant}", "{release}", "{\"json\": {}}", "{tenant}{tenant}"]
        .map(String::from)
        .to_vec();
    let command = CommandLine::new(argv).unwrap();
    let filled = command.filled(&[("tenant", "{release}"), ("release", "v2")]);
    assert_eq!(filled, ["x", "--site={release}", "v2", "{\"json\": {}}", "{release}{release}"]);
}

#[test]
fn periods_read_and_print() {
    for (text, seconds, printed) in
        [("30m", 1800, "30m"), ("7d", 604_800, "168h"), ("1h 30m", 5400, "1h 30m"), ("0s", 0, "0s")]
    {
        let period = Period::parse(text).unwrap();
        assert_eq!((period.as_seconds(), period.to_string().as_str()), (seconds, printed), "{text}");
        assert_eq!(Period::parse(printed).unwrap(), period);
    }
    assert_eq!(Period::parse("500ms").unwrap().as_milliseconds(), 500);
    assert_eq!(Period::parse("500ms").unwrap().as_seconds(), 1);
    for bad in ["", "30", "-1s", "2 months", "soon", "1y"] {
        assert!(Period::parse(bad).is_err(), "{bad:?} was taken");
    }
}

/// Pieces that get the reader further in than random characters would.
fn pieces() -> impl Strategy<Value = String> {
    let lines: Vec<String> =
        format!("{}{}", support::COMPOSE, support::PROCESS).lines().map(String::from).collect();
    let odd = [
        "[",
        "]]",
        "=",
        "\"\"\"",
        "'",
        "…",
        "\u{0}",
        "a.b.c = 1",
        "password = \"é…",
        "environment = { A = 1",
        "= \"x\"",
        "\r",
    ];
    let line = prop_oneof![
        4 => prop::sample::select(lines),
        1 => prop::sample::select(odd.map(String::from).to_vec()),
        1 => "\\PC{0,12}",
    ];
    prop::collection::vec(line, 0..24).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_fall_over(text in prop_oneof![pieces(), any::<String>()]) {
        if let Err(fault) = Configuration::parse(&text, Path::new("eclusa.toml")) {
            prop_assert_eq!(fault.code, Code::ConfigInvalid);
            prop_assert!(fault.excerpt.is_some());
        }
    }

    /// A good file with one character changed is read or refused, and then shown where.
    #[test]
    fn a_slip_of_the_finger_is_shown(at in 0..support::COMPOSE.len(), slip in any::<char>()) {
        let mut text = support::COMPOSE.to_owned();
        text.replace_range(at..=at, &slip.to_string());
        if let Err(fault) = Configuration::parse(&text, Path::new("eclusa.toml")) {
            let line: usize = fault.args["line"].parse().unwrap();
            prop_assert!(line >= 1 && line <= text.lines().count() + 1);
        }
    }
}
