//! What a person sees for a mistake in `eclusa.toml`: the line, what was expected, what to write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{COMPOSE, PROCESS, mistake};

/// A good configuration with something put behind it.
fn and(base: &str, more: &str) -> String {
    format!("{base}{more}\n")
}

/// A good configuration with something in it replaced.
fn but(base: &str, from: &str, to: &str) -> String {
    assert_eq!(base.matches(from).count(), 1, "{from:?} is not there exactly once");
    base.replace(from, to)
}

fn all(cases: &[(&str, String)]) -> String {
    cases.iter().map(|(name, text)| format!("== {name}\n{}\n", mistake(text))).collect()
}

/// The name of the test is the name of the golden file.
fn snapshot(text: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap().to_owned();
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

#[test]
fn the_bases_are_good() {
    support::parse(COMPOSE).unwrap();
    support::parse(PROCESS).unwrap();
}

#[test]
fn keys_and_types() {
    snapshot(&all(&[
        ("no TOML", but(COMPOSE, "source = \"git\"", "source = git")),
        ("unclosed list", and(COMPOSE, "[stacks.boutique.logs]\nignore = [\"x\"")),
        ("a key twice", and(COMPOSE, "[stacks.boutique.watch]\nfor = \"1h\"\nfor = \"2h\"")),
        ("misspelt key", and(COMPOSE, "[stacks.boutique.watch]\nerorr_rate = 0.1")),
        ("key of elsewhere", and(COMPOSE, "[stacks.boutique.watch]\ncolour = \"blue\"")),
        ("misspelt table", and(COMPOSE, "[stacks.boutique.prefligth]\ndisk_free_percent = 10")),
        ("misspelt word", but(COMPOSE, "\"django\"", "\"jango\"")),
        (
            "misspelt word in a table that sounds secret",
            and(COMPOSE, "[stacks.boutique.secure]\nproof = \"restord\""),
        ),
        ("foreign word", but(COMPOSE, "\"postgresql\"", "\"oracle\"")),
        ("missing key", but(COMPOSE, "files = [\"docker-compose.prod.yml\"]\n", "")),
        ("missing table", but(COMPOSE, "[stacks.boutique.release]\nsource = \"git\"\n", "")),
        ("number for text", and(COMPOSE, "[stacks.boutique.limits]\nbuild = 30")),
        ("text for number", and(COMPOSE, "[stacks.boutique.watch]\nslowdown = \"half\"")),
        ("text for list", and(COMPOSE, "[stacks.boutique.commands]\nmigrate = \"python manage.py migrate\"")),
        ("unquoted time", and(COMPOSE, "[stacks.boutique.window]\nfrom = 22:00")),
        ("period in months", and(COMPOSE, "[stacks.boutique.limits]\nbuild = \"2 months\"")),
        ("negative period", and(COMPOSE, "[stacks.boutique.limits]\nbuild = \"-3m\"")),
        ("port too high", and(COMPOSE, "[stacks.boutique.edge]\nside_door = 70000")),
        ("name like a flag", but(COMPOSE, "web = [\"web\"]", "web = [\"--rm\"]")),
        ("version", but(COMPOSE, "version = 1", "version = 2")),
        ("empty", String::new()),
    ]));
}

#[test]
fn services_and_releases() {
    snapshot(&all(&[
        ("no runtime table", but(PROCESS, "runtime = \"process\"", "runtime = \"compose\"")),
        ("both runtime tables", and(PROCESS, "[stacks.demo.compose]\nfiles = [\"a.yml\"]")),
        ("two roles", but(COMPOSE, "web = [\"web\"]", "web = [\"web\", \"db\"]")),
        ("unknown service", but(PROCESS, "web = [\"web\"]", "web = [\"wbe\"]")),
        ("port zero", but(PROCESS, "port = 8101\n", "port = 0\n")),
        ("port taken", but(PROCESS, "public_port = 8100", "public_port = 8101")),
        ("side door taken", and(PROCESS, "[stacks.demo.edge]\nside_door = 8100")),
        ("empty command", but(PROCESS, "[\"./shop\", \"serve\"]", "[]")),
        ("no web", but(COMPOSE, "web = [\"web\"]\n", "")),
        ("source of the other runtime", but(PROCESS, "\"directory\"", "\"image\"")),
        ("image without a variable", but(COMPOSE, "\"git\"", "\"image\"")),
        (
            "override is the user's",
            but(COMPOSE, "env_files", "override = \"docker-compose.prod.yml\"\nenv_files"),
        ),
        (
            "variable's name",
            but(PROCESS, "port = 8101\n", "port = 8101\nenvironment = { \"A-B\" = \"1\" }\n"),
        ),
    ]));
}

#[test]
fn data() {
    snapshot(&all(&[
        (
            "a mirror's name and directory",
            and(COMPOSE, "[[stacks.boutique.mirrors]]\nname = \"The NAS\"\ndirectory = \"nas\""),
        ),
        (
            "a mirror without a place, and one with two",
            and(
                COMPOSE,
                "[[stacks.boutique.mirrors]]\nname = \"nas\"\nsame_file_system = true\n[[stacks.boutique.mirrors]]\nname = \"two\"\n\
                 directory = \"/nas\"\ns3 = { endpoint = \"s3.example.org\", bucket = \"a/b\", prefix = \"/x\", \
                 access_key_id = \"A\", secret_access_key = \"env:S\" }",
            ),
        ),
        (
            "a mirror that ssh would misread",
            and(
                COMPOSE,
                "[[stacks.boutique.mirrors]]\nname = \"far\"\nsftp = { host = \"-oProxyCommand=x\", user = \"a@b\", \
                 directory = \"copies\", key = \"~/.ssh/id\", known_hosts = \"%h\" }",
            ),
        ),
        (
            "a secret of a mirror written out",
            and(
                COMPOSE,
                "[[stacks.boutique.mirrors]]\nname = \"s\"\ns3 = { endpoint = \"https://s3.example.org\", bucket = \"b\", \
                 access_key_id = \"A\", secret_access_key = \"written-out\" }",
            ),
        ),
        ("rules that keep nothing", and(COMPOSE, "[stacks.boutique.keep]\nsalvages = \"90d\"")),
        ("no database", but(PROCESS, "database = { engine = \"sqlite\", path = \"data/beta.db\" }\n", "")),
        ("shared database", but(PROCESS, "data/beta.db", "data/alpha.db")),
        ("shared domain", but(PROCESS, "beta.localhost", "ALPHA.localhost")),
        (
            "stack's and tenants' data",
            but(PROCESS, "runtime = \"process\"", "runtime = \"process\"\ndomains = [\"x\"]"),
        ),
        (
            "sqlite with a user",
            but(PROCESS, "path = \"data/beta.db\"", "path = \"data/beta.db\", user = \"x\""),
        ),
        ("postgresql without a user", but(COMPOSE, "user = \"boutique\"\n", "")),
        (
            "mariadb without a name",
            but(&but(COMPOSE, "\"postgresql\"", "\"mariadb\""), "name = \"env:POSTGRES_DB\"\n", ""),
        ),
        ("domain with a scheme", but(COMPOSE, "app =", "domains = [\"https://shop.example.org\"]\napp =")),
        ("files nowhere", and(COMPOSE, "[[stacks.boutique.files]]\nname = \"media\"\npath = \"/app/media\"")),
        (
            "files outside",
            and(
                COMPOSE,
                "[[stacks.boutique.files]]\nname = \"m\"\nservice = \"web\"\npath = \"/app/../etc\"",
            ),
        ),
    ]));
}

#[test]
fn gates_and_people() {
    snapshot(&all(&[
        ("error rate", and(COMPOSE, "[stacks.boutique.watch]\nerror_rate = 5.0")),
        ("error rate is no number", and(COMPOSE, "[stacks.boutique.watch]\nerror_rate = nan")),
        ("slowdown", and(COMPOSE, "[stacks.boutique.watch]\nslowdown = 0.5")),
        ("nothing to audit", and(PROCESS, "[stacks.demo.preflight]\naudit = \"high\"")),
        ("no level", and(COMPOSE, "[stacks.boutique.preflight]\naudit = \"severe\"")),
        ("watch too short", and(COMPOSE, "[stacks.boutique.watch]\nfor = \"5s\"")),
        (
            "probe twice",
            and(COMPOSE, &"[[stacks.boutique.probes]]\nname = \"home\"\npath = \"/\"\n".repeat(2)),
        ),
        ("probe's path", and(COMPOSE, "[[stacks.boutique.probes]]\nname = \"a\"\npath = \"http://shop/\"")),
        (
            "probe's tenant",
            and(PROCESS, "[[stacks.demo.probes]]\nname = \"a\"\npath = \"/\"\ntenant = \"alhpa\""),
        ),
        (
            "hook's phase",
            and(
                COMPOSE,
                "[[stacks.boutique.hooks]]\nname = \"a\"\nat = \"before.chnage\"\ncommand = [\"x\"]",
            ),
        ),
        (
            "hook's side",
            and(COMPOSE, "[[stacks.boutique.hooks]]\nname = \"a\"\nat = \"lunch\"\ncommand = [\"x\"]"),
        ),
        (
            "unknown person",
            and(COMPOSE, "[stacks.boutique.people.maria]\n[stacks.boutique.duties]\ndecide = [\"mario\"]"),
        ),
        ("nobody", and(COMPOSE, "[stacks.boutique.duties]\nemergency = [\"joao\"]")),
        (
            "time zone",
            and(
                COMPOSE,
                "[stacks.boutique.window]\nfrom = \"22:00\"\nto = \"05:00\"\ntime_zone = \"America/Sao_Paul\"",
            ),
        ),
        (
            "empty window",
            and(COMPOSE, "[stacks.boutique.window]\nfrom = \"22:00\"\nto = \"22:00\"\ntime_zone = \"UTC\""),
        ),
        ("webhook", and(COMPOSE, "[[stacks.boutique.webhooks]]\nurl = \"example.org\"")),
    ]));
}

#[test]
fn a_secret_is_never_shown() {
    let secret = "hunter2-and-more";
    let cases = [
        but(COMPOSE, "\"env:POSTGRES_PASSWORD\"", &format!("\"{secret}\"")),
        but(COMPOSE, "password = \"env:POSTGRES_PASSWORD\"", &format!("pasword = \"{secret}\"")),
        but(COMPOSE, "password = \"env:POSTGRES_PASSWORD\"", &format!("password = \"{secret}")),
        but(COMPOSE, "password = \"env:POSTGRES_PASSWORD\"", &format!("password = [\"{secret}\"]")),
        but(PROCESS, "port = 8101\n", &format!("port = 8101\nenvironment = {{ \"A-B\" = \"{secret}\" }}\n")),
        but(PROCESS, "port = 8101\n", &format!("port = 8101\nenvironment = {{ AB = \"{secret}\" \n")),
        but(PROCESS, "port = 8101\n", &format!("port = 8101\nenvironment = {{ AB = [\"{secret}\"] }}\n")),
        but(
            PROCESS,
            "port = 8101\n",
            &format!("port = 8101\nenvironment = {{ API_TOKEN = \"{secret}\" }}\n"),
        ),
        and(COMPOSE, &format!("[[stacks.boutique.webhooks]]\nurl = \"example.org/{secret}\"")),
        and(COMPOSE, &format!("[[stacks.boutique.webhooks]]\nurl = \"https://a.b\"\nsecret = \"{secret}\"")),
    ];
    let mut shown = String::new();
    for text in &cases {
        let fault = support::parse(text).unwrap_err();
        let whole = format!("{fault:?} {fault}");
        assert!(!whole.contains("hunter2"), "{whole}");
        shown.push_str(&support::shown(&fault));
        shown.push('\n');
    }
    snapshot(&shown);
    // A number where a secret belongs is one too.
    let fault = support::parse(&but(COMPOSE, "\"env:POSTGRES_PASSWORD\"", "123456")).unwrap_err();
    assert!(!format!("{fault:?}").contains("123456"), "{fault:?}");
}
