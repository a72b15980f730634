//! A stack of the shop with a canary in every place a secret can come from, whose commands print all of them, in
//! every form.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::{Canary, Nest, Shape, base64, json, percent};
use crate::common::{Ran, Setting, Shop};

/// Prints everything, and then becomes the command. `err` leaves standard output to it; `check` fails when a file
/// `fail` is there.
const NOISY: &str = r#"how=$1; shift
cat "LEAKS" >&2
[ "$how" = err ] || { cat "LEAKS"; env; tail -n 1 "LEAKS"; }
if [ "$how" = check ] && [ -e fail ]; then tail -n 30 "LEAKS"; exit 7; fi
exec "$@"
"#;

/// Names under which secrets stand in env files.
const NAMES: [&str; 10] = [
    "APP_PASSWORD",
    "API_TOKEN",
    "DJANGO_SECRET_KEY",
    "STRIPE_API_KEY",
    "CLIENT_SECRET",
    "SIGNING_SALT",
    "DB_PASSWD",
    "AWS_SECRET_ACCESS_KEY",
    "LICENSE_PRIVATE",
    "REGISTRY_CREDENTIAL",
];

/// A stack in which secrets are planted.
pub struct Planted {
    /// The stack.
    pub shop: Shop,
    /// The secrets.
    pub nest: Nest,
    /// What the service is given in its environment.
    pub of_service: BTreeSet<String>,
    /// The environment of whoever types the commands.
    pub operator: Vec<(String, String)>,
    /// Everything that was said so far.
    pub said: Vec<Ran>,
    holder: tempfile::TempDir,
}

impl Planted {
    /// Lays it; webhooks go to a receiver on this port.
    pub fn lay(receiver: u16) -> Self {
        let mut nest = Nest::default();
        let holder = tempfile::tempdir().unwrap();
        let (files, hooks) = hook_files(&mut nest);
        let (webhooks, webhook_files) = webhooks(&mut nest, receiver);
        let setting = Setting {
            logs: "patterns = [\"ERROR\"]\nmost = 1000000",
            tables: hooks + &webhooks,
            ..Setting::default()
        };
        let shop = Shop::lay(&setting);
        let mut planted =
            Self { shop, nest, of_service: BTreeSet::new(), operator: Vec::new(), said: Vec::new(), holder };
        for (name, content) in files.iter().chain(&webhook_files) {
            planted.private(name, content);
        }
        planted.environment();
        let leaks = planted.holder.path().join("leaks.txt");
        std::fs::write(&leaks, leaks_of(&planted.nest.canaries)).unwrap();
        // Of another project: nothing here prints what it has.
        planted.compose();
        planted.private("noisy.sh", &NOISY.replace("LEAKS", leaks.to_str().unwrap()));
        planted
    }

    fn private(&self, name: &str, content: &str) {
        let path = self.shop.directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).unwrap();
    }

    /// The operator's own, the env file, the service's, and the commands that print.
    fn environment(&mut self) {
        for number in 0..20 {
            let name = format!("OPERATOR_TOKEN_{number}");
            let value = self.nest.lay(&format!("operator's {name}"), Shape::ON_ONE_LINE[number % 6]);
            self.operator.push((name, value));
        }
        let mut file =
            String::from("# Settings of the shop.\nLOG_LEVEL=info\nCACHE_PASSWORD=redis\nADMIN_TOKEN=shop\n");
        for number in 0..130 {
            let shape = Shape::ON_ONE_LINE[number % 6];
            let name = format!("{}_{number}", NAMES[number % NAMES.len()]);
            let value = self.nest.lay(&format!("shop.env {name} ({shape:?})"), shape);
            writeln!(file, "{name}={}", quoted(&value, number)).unwrap();
        }
        for number in 0..6 {
            let value = self.nest.lay(&format!("shop.env TLS_PRIVATE_{number} (lines)"), Shape::Lines);
            writeln!(file, "TLS_PRIVATE_{number}=\"{value}\"").unwrap();
            let value = self.nest.lay(&format!("shop.env SMS_TOKEN_{number} (short)"), Shape::Short);
            writeln!(file, "SMS_TOKEN_{number}={value}").unwrap();
            let value = self.nest.lay(&format!("shop.env MAIL_{number}_PASS"), Shape::Random);
            writeln!(file, "MAIL_{number}_PASS={value}").unwrap();
            // A name that says nothing.
            let value = self.nest.lay(&format!("shop.env CHANNEL_{number}"), Shape::Random);
            writeln!(file, "CHANNEL_{number}={value}").unwrap();
        }
        for (number, scheme) in ["postgres", "redis", "amqp", "smtp", "https", "mysql"].iter().enumerate() {
            let value = self.nest.lay(&format!("shop.env SERVER_{number} (URL)"), Shape::ON_ONE_LINE[number]);
            writeln!(file, "SERVER_{number}='{scheme}://shop:{}@db.internal:5432/x?a=b'", percent(&value))
                .unwrap();
        }
        let mut service = String::new();
        for number in 0..12 {
            let name = format!("SERVICE_{number}");
            let value = self.nest.lay(&format!("environment of web {name}"), Shape::Random);
            self.of_service.insert(value.clone());
            if number % 2 == 0 {
                writeln!(file, "WEB_TOKEN_{number}={value}").unwrap();
                write!(service, "{name} = \"env:WEB_TOKEN_{number}\", ").unwrap();
            } else {
                write!(service, "{name} = \"{value}\", ").unwrap();
            }
        }
        self.private("shop.env", &file);
        self.shop.change_configuration(|text| {
            let web = "[stacks.shop.process.services.web]\ncommand = [";
            assert!(text.contains(web) && text.contains("name = \"books\"\ncommand = ["));
            text.replace("[stacks.shop.watch]\n", "[stacks.shop.watch]\nlog_errors = 1000000\n")
                .replace(web, &format!("[stacks.shop.process]\nenv_files = [\"shop.env\"]\n\n{web}\"sh\", \"noisy.sh\", \"both\", "))
                .replace("health = \"/healthz\"\n", &format!("health = \"/healthz\"\nenvironment = {{ {service} LOG = \"info\" }}\n"))
                .replace("migrate = [", "migrate = [\"sh\", \"noisy.sh\", \"both\", ")
                .replace("pending = [", "pending = [\"sh\", \"noisy.sh\", \"err\", ")
                .replace("name = \"books\"\ncommand = [", "name = \"books\"\ncommand = [\"sh\", \"noisy.sh\", \"check\", ")
        });
    }

    /// A Compose file beside it, which `adopt` reads.
    fn compose(&mut self) {
        let mut text =
            String::from("name: other\nservices:\n  web:\n    image: python:3\n    environment:\n");
        for number in 0..8 {
            let value = self.nest.lay(&format!("docker-compose.yml SECRET_KEY_{number}"), Shape::Random);
            writeln!(text, "      SECRET_KEY_{number}: \"{value}\"").unwrap();
        }
        self.private("docker-compose.yml", &text);
    }

    /// Runs a command as the operator does, with everything logged, and keeps what it says.
    pub fn run(&mut self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    /// The same with further variables.
    pub fn run_with(&mut self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.shop.command(arguments);
        command
            .envs(self.operator.iter().cloned())
            .env("ECLUSA_LOG", "trace")
            .envs(variables.iter().copied());
        let ran = Ran::of(&mut command);
        self.said.push(ran.clone());
        ran
    }

    /// Whether a file holds what was planted, or what cannot be without secrets: keys, and a service's own words.
    pub fn may_hold_secrets(&self, path: &Path) -> bool {
        let state = self.shop.state();
        let log = path.starts_with(state.join("process/shop/logs"))
            && !path.to_string_lossy().ends_with(".supervisor.log");
        path == state.join("keys") || path == state.join("fingerprint.key") || (log && path.is_file())
    }
}

/// Hooks whose secrets stand in files, in the env file and in the operator's environment.
fn hook_files(nest: &mut Nest) -> (Vec<(String, String)>, String) {
    let mut files = Vec::new();
    let mut variables = String::new();
    for number in 0..14 {
        let shape = if number < 4 { Shape::Lines } else { Shape::ON_ONE_LINE[number % 6] };
        let value = nest.lay(&format!("file secrets/{number}.key ({shape:?})"), shape);
        files.push((format!("secrets/{number}.key"), value + "\n"));
        write!(variables, "FILE_{number} = \"file:secrets/{number}.key\", ").unwrap();
    }
    for number in 0..4 {
        write!(variables, "OWN_{number} = \"env:OPERATOR_TOKEN_{number}\", ").unwrap();
        write!(variables, "FROM_{number} = \"env:CLIENT_SECRET_{}\", ", number * 10 + 4).unwrap();
    }
    let hooks = format!(
        "[[stacks.shop.hooks]]\nname = \"noise\"\nat = \"before.change\"\ncommand = [\"sh\", \"noisy.sh\", \"both\", \"true\"]\n\
         undo = [\"sh\", \"noisy.sh\", \"both\", \"true\"]\nenvironment = {{ {variables} LOG = \"info\" }}\n\
         [[stacks.shop.hooks]]\nname = \"late\"\nat = \"after.validate\"\ncommand = [\"sh\", \"noisy.sh\", \"check\", \"true\"]\n"
    );
    (files, hooks)
}

fn webhooks(nest: &mut Nest, receiver: u16) -> (String, Vec<(String, String)>) {
    let mut tables = String::new();
    let mut files = Vec::new();
    for number in 0..3 {
        let mut part = |what: &str, shape| nest.lay(&format!("webhook {number}, {what}"), shape);
        let (user, path) = (part("user", Shape::Symbols), part("path", Shape::Random));
        let (query, key) = (part("query", Shape::Random), part("key", Shape::Symbols));
        // The last one is answered by nobody.
        let port = if number == 2 { 1 } else { receiver };
        write!(
            tables,
            "[[stacks.shop.webhooks]]\nurl = \"http://eclusa:{}@127.0.0.1:{port}/hooks/{path}?token={query}\"\n\
             secret = \"file:secrets/webhook-{number}.key\"\n",
            percent(&user)
        )
        .unwrap();
        files.push((format!("secrets/webhook-{number}.key"), key));
    }
    (tables, files)
}

/// As it is written in an env file, in one of the ways in which it can be.
fn quoted(value: &str, number: usize) -> String {
    let plain = value.chars().all(|c| c.is_alphanumeric() || "+/=".contains(c));
    match number % 3 {
        0 if plain => value.to_owned(),
        1 => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$")),
        _ => format!("'{}'", value.replace('\'', "\\'")),
    }
}

/// Every secret in every form in which a program might print it.
pub fn leaks_of(canaries: &[Canary]) -> String {
    let mut text = String::new();
    for Canary { value, .. } in canaries {
        writeln!(text, "ERROR the value is {value} here").unwrap();
        if value.chars().count() <= 6 {
            continue;
        }
        writeln!(text, "ERROR cannot connect to postgres://shop:{}@db:5432/shop", percent(value)).unwrap();
        writeln!(text, "GET /login?user=a&p={}&x=1", percent(value).replace("%20", "+")).unwrap();
        writeln!(text, "{{\"detail\": \"{}\"}}", json(value)).unwrap();
        writeln!(text, "encoded {} and {}", base64(value), base64(&format!("shop:{value}"))).unwrap();
        writeln!(text, "Authorization: Basic {}", base64(&format!("a:{value}"))).unwrap();
        if !value.contains('\n') {
            let characters: Vec<char> = value.chars().collect();
            for at in [2, characters.len() / 2, characters.len() - 3] {
                let (one, two): (String, String) =
                    (characters[..at].iter().collect(), characters[at..].iter().collect());
                writeln!(text, "wrapped {one}\n    {two} and on").unwrap();
            }
        }
    }
    writeln!(text, "the last line is {}", canaries[0].value).unwrap();
    text
}
