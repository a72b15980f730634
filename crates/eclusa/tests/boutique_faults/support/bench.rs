//! A boutique to break: what a cell may do to it, and what must be so again after each.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use eclusa_testkit::free_port;
use serde_json::Value;

use crate::boutique_stack::{Boutique, get};
use crate::proxy::{Network, Proxy};

/// How big the file system of the database's volume is.
const VOLUME: &str = "size=600m";

/// A watch of two seconds, whose limits a healthy boutique on a busy machine keeps.
const WATCH: &str = r#"for = "2s"
warm_up = "0s"
interval = "1s"
synthetic_per_second = 10.0
minimum_samples = 5
error_rate = 0.6
slowdown = 50.0
latency = "5s"
after_open = "restore"
"#;

/// The boutique, with a network and a disk that can be broken.
pub struct Bench {
    pub shop: Boutique,
    pub proxy: Proxy,
    /// The disk that the database lies on.
    pub volume: Volume,
    configuration: String,
}

/// The file system of the database's volume: in memory, so that it can be full and is fast.
pub struct Volume(PathBuf, #[allow(dead_code)] tempfile::TempDir);

impl Volume {
    fn mount() -> Self {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pgdata");
        std::fs::create_dir(&path).unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", VOLUME, "eclusa-test"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success(), "this test mounts a small file system, so it needs root");
        Self(path, place)
    }

    /// The shell line that fills it.
    pub fn filling(&self) -> String {
        format!("cat /dev/zero >{}/filler 2>/dev/null; true", self.0.display())
    }

    pub fn fill(&self) {
        let status = Command::new("sh").args(["-c", &self.filling()]).status().unwrap();
        assert!(status.success());
    }

    /// Takes away what it was filled with.
    pub fn free_up(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// What a command came to.
pub struct Said {
    pub code: i32,
    pub text: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Self { code: output.status.code().unwrap_or(-1), text }
    }

    /// It must have ended with this code.
    #[track_caller]
    pub fn must(self, code: i32) -> Self {
        assert_eq!(self.code, code, "it said:\n{}", self.text);
        self
    }

    /// It must have said this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.text.contains(text), "{text:?} is not said:\n{}", self.text);
        self
    }

    /// It must not have said this.
    #[track_caller]
    pub fn lacks(self, text: &str) -> Self {
        assert!(!self.text.contains(text), "{text:?} is said:\n{}", self.text);
        self
    }
}

/// How the stack stands; equal before and after a cell.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    books: String,
    databases: String,
    version: String,
    gates: String,
    containers: BTreeSet<String>,
    leftovers: BTreeSet<String>,
    /// What `status` says is wrong.
    troubles: String,
    status: i32,
}

impl Bench {
    /// Lays it: v1 with demo data and the edge in front, the application behind the proxy, one proved restore point.
    pub fn lay(name: &str) -> Self {
        let project = format!("eclusa-test-{name}-{}", std::process::id());
        let proxy = Proxy::to_database_of(&project);
        let volume = Volume::mount();
        let overlay = tempfile::tempdir().unwrap();
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/boutique/app");
        let text = std::fs::read_to_string(app.join("docker-compose.prod.yml")).unwrap();
        let host = format!(
            "POSTGRES_HOST: database.proxy\n    POSTGRES_PORT: \"{}\"\n    REDIS_HOST: redis\n  extra_hosts: [\"database.proxy:host-gateway\"]\n",
            proxy.port
        );
        let disk = format!(
            "  pgdata:\n    driver_opts: {{type: none, o: bind, device: {:?}}}\n  media:",
            volume.0.display()
        );
        let text = replaced(&text, "POSTGRES_HOST: db\n    REDIS_HOST: redis\n", &host);
        let text = replaced(&text, "  pgdata:\n  media:", &disk);
        std::fs::write(overlay.path().join("docker-compose.prod.yml"), text).unwrap();
        let shop = Boutique::lay_with(name, free_port(), Some(overlay.path()));
        assert_eq!(shop.project, project);
        let text = std::fs::read_to_string(shop.directory.join("eclusa.toml")).unwrap();
        let (head, _) = text.split_once("[stacks.boutique.watch]\n").unwrap();
        let (before, after) = head.split_once("[[stacks.boutique.checks]]").unwrap();
        let (_, after) = after.split_once("[stacks.boutique.preflight]\n").unwrap();
        let (commands, probes) = before.split_once("[stacks.boutique.commands]\n").unwrap();
        let (_, probes) = probes.split_once("[stacks.boutique.edge]\n").unwrap();
        let configuration = format!(
            "{commands}[stacks.boutique.commands]\ncheck = []\n\n[stacks.boutique.edge]\ndrain = \"3s\"\n{probes}\
             [stacks.boutique.limits]\nhealthy = \"25s\"\ndrain = \"5s\"\nmigrate = \"20s\"\n\n\
             [stacks.boutique.preflight]\nlong_transaction = \"10s\"\n{after}\
             [stacks.boutique.watch]\n{WATCH}"
        );
        shop.query("create role colleague superuser login");
        let bench = Self { shop, proxy, volume, configuration };
        bench.configure(|text| text);
        bench.eclusa(&["edge", "install", "--yes"]).must(0);
        bench.eclusa(&["backup", "--prove"]).must(0);
        bench
    }

    /// What `eclusa.toml` says of a command on the host at a point of a run.
    pub fn hook(name: &str, at: &str, line: &str) -> String {
        assert!(!line.contains('\''), "{line}");
        format!(
            "\n[[stacks.boutique.hooks]]\nname = \"{name}\"\nat = \"{at}\"\ncommand = [\"sh\", \"-c\", '{line}']\n"
        )
    }

    /// What it says of a check of its own.
    pub fn check(name: &str, command: &[&str]) -> String {
        format!("\n[[stacks.boutique.checks]]\nname = \"{name}\"\ncommand = {command:?}\n")
    }

    /// What the public gets: the status of the answer, 0 when there is none.
    pub fn public(&self) -> u16 {
        get(self.shop.port, "/api/v1/products/").status
    }

    pub fn directory(&self) -> &Path {
        &self.shop.directory
    }

    /// Changes the configuration from what the bench has; the next call begins with that again.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        std::fs::write(self.directory().join("eclusa.toml"), change(self.configuration.clone())).unwrap();
    }

    /// Runs something while a file of the shop has another content.
    pub fn with_file(&self, name: &str, change: impl FnOnce(String) -> String, run: impl FnOnce()) {
        let kept = Kept::of(self.directory().join(name));
        std::fs::write(&kept.path, change(String::from_utf8(kept.content.clone()).unwrap())).unwrap();
        run();
    }

    /// Runs something while a file of the shop is gone.
    pub fn without_file(&self, name: &str, run: impl FnOnce()) {
        let kept = Kept::of(self.directory().join(name));
        std::fs::remove_file(&kept.path).unwrap();
        run();
    }

    pub fn eclusa(&self, arguments: &[&str]) -> Said {
        let began = Instant::now();
        let said = Said::of(&self.shop.eclusa(arguments));
        if std::env::var_os("ECLUSA_SHOW").is_some() && !arguments.contains(&"--json") {
            // What the plan says is for another test to read.
            let from = said.text.find("; begun by").and_then(|at| said.text[..at].rfind('\n')).unwrap_or(0);
            let seconds = began.elapsed().as_secs_f64();
            println!(
                "$ eclusa {} ({seconds:.1} s)\n{}(code {})",
                arguments.join(" "),
                &said.text[from..],
                said.code
            );
        }
        said
    }

    /// A version that is v1 with one file changed, as a tag of the repository.
    pub fn version(&self, tag: &str, file: &str, change: impl FnOnce(String) -> String) {
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.args(["-c", "user.name=Boutique", "-c", "user.email=boutique@example.org"]);
            let output = command.args(arguments).current_dir(self.directory()).output().unwrap();
            assert!(output.status.success(), "git {arguments:?}: {}", Said::of(&output).text);
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        // Through an index of its own, so that the work tree stays as it is.
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("content");
        let mut content = git(&["show", &format!("v1:{file}")]);
        content.push('\n');
        std::fs::write(&source, change(content)).unwrap();
        let blob = git(&["hash-object", "-w", source.to_str().unwrap()]);
        let index = self.directory().join(".git/index");
        let kept = std::fs::read(&index).unwrap();
        git(&["read-tree", "v1"]);
        git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{file}")]);
        let tree = git(&["write-tree"]);
        std::fs::write(index, kept).unwrap();
        let commit = git(&["commit-tree", &tree, "-p", "v1", "-m", tag]);
        git(&["tag", "--force", tag, &commit]);
    }

    /// Begins a run and comes back; gives its id.
    pub fn begin(&self, arguments: &[&str]) -> String {
        let said = self.eclusa(&[arguments, &["--yes", "--detach"]].concat()).must(0);
        said.text
            .lines()
            .rev()
            .find(|line| line.starts_with("r-") || !line.contains(' '))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Follows a run to its end.
    pub fn attach(&self, run: &str) -> Said {
        self.eclusa(&["attach", run])
    }

    /// The events of a run.
    pub fn events(&self, run: &str) -> Vec<Value> {
        let said = self.eclusa(&["history", run, "--json"]);
        said.text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until a step of a run was begun.
    pub fn until_begun(&self, run: &str, step: &str) {
        wait_for(&format!("{run} begins {step}"), 180, || {
            let events = self.events(run);
            if let Some(end) = events.iter().find(|event| event["event"] == "ended") {
                panic!("{run} ended before {step}: {end}");
            }
            events.iter().any(|event| event["event"] == "intended" && event["step"] == step)
        });
    }

    /// Waits until a run is on its way back.
    pub fn until_undoing(&self, run: &str) {
        wait_for(&format!("{run} goes back"), 120, || {
            self.events(run)
                .iter()
                .any(|event| event["event"] == "turned-back" || event["event"] == "undo-intended")
        });
    }

    /// Follows a run whose watch has seen a fault to its end. On a busy machine the watch may have seen too little to be
    /// sure, and asks: the answer is no.
    pub fn attach_on_no_go(&self, run: &str) -> Said {
        let is = |kind: &str| self.events(run).iter().any(|event| event["event"] == kind);
        wait_for(&format!("the watch of {run} asks or goes back"), 120, || is("asked") || is("turned-back"));
        if !is("turned-back") {
            self.eclusa(&["answer", run, "no-go", "--reason", "nobody gets an answer"]).must(0);
        }
        self.attach(run)
    }

    /// Begins a release whose migration waits for a colleague. The colleague comes after preflight, which would ask about a
    /// transaction that is open as long as preflight takes on a busy machine.
    pub fn release_held_in_its_migration(&self) -> (String, Colleague) {
        let run = self.begin(&["release", "v2"]);
        self.until_begun(&run, "change.stop");
        let colleague = self.colleague("lock table sales_sale in access share mode");
        self.until_waiting("");
        (run, colleague)
    }

    /// Breaks something in the middle of the dump of a backup: gives what the backup said; no point of it is listed, and the
    /// next one is taken.
    pub fn backup_broken_in_its_dump(&self, breaking: impl FnOnce()) -> Said {
        let points = self.points();
        let colleague = self.colleague("lock table sales_sale");
        let run = self.begin(&["backup"]);
        self.until_waiting("eclusa");
        breaking();
        let said = self.attach(&run).must(3);
        drop(colleague);
        self.until_database();
        assert_eq!(self.points(), points);
        self.eclusa(&["backup"]).must(0);
        said
    }

    /// Every restore point by its id.
    pub fn points(&self) -> usize {
        self.eclusa(&["backups", "--json"]).must(0).text.matches("\"taken_at\"").count()
    }

    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).output().unwrap();
        let said = Said::of(&output);
        assert!(output.status.success(), "docker {arguments:?}: {}", said.text);
        said.text.trim().to_owned()
    }

    /// The container of a service, running or not.
    pub fn container(&self, service: &str) -> String {
        let project = format!("label=com.docker.compose.project={}", self.shop.project);
        let service = format!("label=com.docker.compose.service={service}");
        let ids = self.docker(&[
            "ps",
            "-aq",
            "--filter",
            &project,
            "--filter",
            &service,
            "--filter",
            "label=com.docker.compose.oneoff=False",
        ]);
        ids.lines().next().unwrap_or_default().to_owned()
    }

    /// Kills what a service's container runs, as a crash does: the engine brings it back, where its policy says so.
    pub fn crash(&self, service: &str) {
        let pid = self.docker(&["inspect", "--format", "{{.State.Pid}}", &self.container(service)]);
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// Takes a service off the stack's network, until the value is dropped.
    pub fn disconnected(&self, service: &str) -> Disconnected {
        let container = self.container(service);
        let network = format!("{}_default", self.shop.project);
        self.docker(&["network", "disconnect", &network, &container]);
        Disconnected { network, container, service: service.to_owned() }
    }

    /// Waits until the database answers.
    pub fn until_database(&self) {
        wait_for("the database answers", 30, || self.try_sql("select 1").is_ok());
    }

    fn try_sql(&self, sql: &str) -> Result<String, String> {
        let output = self.psql(self.container("db").as_str(), &["-c", sql]).output().unwrap();
        let said = Said::of(&output);
        if said.code == 0 { Ok(said.text.trim().to_owned()) } else { Err(said.text) }
    }

    /// A query's answer, from the live database.
    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn psql(&self, container: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .args(["exec", "-i", "-e", "PGAPPNAME=a colleague", "-e", "PGOPTIONS=-c post_auth_delay=0"])
            .args([
                container,
                "psql",
                "-X",
                "-q",
                "-At",
                "-U",
                "colleague",
                "-d",
                "boutique",
                "-v",
                "ON_ERROR_STOP=1",
            ])
            .args(arguments);
        command
    }

    /// A session of a colleague's that has done something and stays in its transaction.
    pub fn colleague(&self, sql: &str) -> Colleague {
        let mut child = self
            .psql(&self.container("db"), &[])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "BEGIN; {sql}; SELECT 'done';").unwrap();
        let mut seen = [0; 4];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut seen).unwrap();
        Colleague(child)
    }

    /// Waits until somebody waits for a lock in a database whose name begins so; gives who that is.
    pub fn until_waiting(&self, application: &str) {
        let sql = format!(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and application_name like '{application}%'"
        );
        wait_for("somebody waits for a lock", 180, || self.try_sql(&sql).is_ok_and(|count| count != "0"));
    }

    /// How the stack stands now.
    pub fn picture(&self) -> Picture {
        let filter = format!("name={}", self.shop.project);
        let containers = self.docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}} {{.State}}"]);
        let said = self.eclusa(&["status", "--json"]);
        let status: Value = serde_json::from_str(&said.text).unwrap_or_default();
        let all = self.try_sql(
            "select (select count(*) || ':' || coalesce(sum(hashtext(id::text || total::text)), 0) from sales_sale) || ' ' || \
             (select count(*) || ':' || coalesce(sum(hashtext(id::text || amount::text)), 0) from sales_payment) || '/' || \
             (select string_agg(datname, ' ' order by datname) from pg_database)",
        );
        let all = all.unwrap_or_else(|error| error);
        let (books, databases) = all.split_once('/').unwrap_or((&all, ""));
        Picture {
            books: books.to_owned(),
            databases: databases.to_owned(),
            version: self.shop.version(),
            gates: status["observation"]["edge"]["gates"].to_string(),
            containers: containers.lines().map(str::to_owned).collect(),
            leftovers: self.leftovers(),
            troubles: if status.is_null() { said.text } else { status["troubles"].to_string() },
            status: said.code,
        }
    }

    /// Files that a run makes for a while.
    fn leftovers(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let media = format!("{}_media", self.shop.project);
        let media = self.docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &media]);
        let mut places = vec![self.shop.state(), self.directory().to_owned(), PathBuf::from(media)];
        while let Some(place) = places.pop() {
            for entry in std::fs::read_dir(&place).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let temporary = name.starts_with("candidate-")
                    || name.starts_with(".eclusa-")
                    || name.contains(".tmp")
                    || name.contains(".part")
                    || place.ends_with("checkouts");
                if temporary {
                    found.insert(entry.path().display().to_string());
                } else if entry.path().is_dir() && !["vault", "runs", ".git"].contains(&name.as_str()) {
                    places.push(entry.path());
                }
            }
        }
        found
    }

    /// Ends every fault of the bench's own that a cell may have left.
    pub fn mend(&self) {
        self.proxy.set(Network::Whole, Duration::ZERO);
        self.configure(|text| text);
    }

    /// After a cell: everything is as it was, and nothing is wrong. Services get their time to be healthy again.
    pub fn is_as_it_was(&self, before: &Picture) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let after = self.picture();
            if &after == before {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("it is\n{after:#?}\nand was\n{before:#?}"));
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

impl Drop for Bench {
    /// A run that a failed cell has left goes with its stack.
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.shop.state().join("runs")).into_iter().flatten().flatten() {
            let runner = std::fs::read_to_string(entry.path().join("runner")).unwrap_or_default();
            let Some(pid) = runner.split_whitespace().next().and_then(|pid| pid.parse().ok()) else {
                continue;
            };
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if command.contains(&entry.file_name().to_string_lossy().into_owned())
                && let Some(pid) = rustix::process::Pid::from_raw(pid)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// A file that has its content again when this is dropped.
struct Kept {
    path: PathBuf,
    content: Vec<u8>,
}

impl Kept {
    fn of(path: PathBuf) -> Self {
        let content = std::fs::read(&path).unwrap();
        Self { path, content }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.path, &self.content);
    }
}

/// A session that holds its transaction until it is dropped.
pub struct Colleague(Child);

impl Drop for Colleague {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A container that is off its network until this is dropped.
pub struct Disconnected {
    network: String,
    container: String,
    service: String,
}

impl Drop for Disconnected {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["network", "connect", "--alias", &self.service, &self.network, &self.container])
            .status();
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not there");
    text.replacen(from, to, 1)
}

/// Waits until something is so.
#[track_caller]
pub fn wait_for(what: &str, seconds: u64, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !so() {
        assert!(Instant::now() < deadline, "{what}: not within {seconds} s");
        // To ask costs a process each time, on a machine that has other things to do.
        std::thread::sleep(Duration::from_millis(300));
    }
}
