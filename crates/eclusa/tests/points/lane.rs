//! One stack that is worked on by one thread, and brought back to a known state between interruptions.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use eclusa_model::RunId;
use eclusa_ports::JournalStore;
use eclusa_runbook::{Entry, Event};
use eclusa_shop::Census;

use crate::common::{Ran, Run, Shop, TENANTS, processes, wait_for};
use crate::scenario::{Ground, Scenario};

/// After so many interrupted runs everything is laid anew: vault and journal would grow without end.
const RUNS_UNTIL_LAID_ANEW: usize = 12;
/// A process that has not ended after this long hangs.
const HANGS_AFTER: Duration = Duration::from_secs(180);
/// After this long a run may be asking because it has too few samples on a busy machine.
const ASKS_AFTER: Duration = Duration::from_secs(12);

/// A stack.
pub struct Lane {
    pub shop: Shop,
    pub ground: Ground,
    /// What every tenant has under v1, and has again after every rollback.
    pub base: Vec<Census>,
    /// A restore point of `alpha` with that data.
    pub point: String,
    /// The release that runs.
    pub release: &'static str,
    copy: tempfile::TempDir,
    runs: usize,
}

fn copy(from: &Path, to: &Path) {
    // What ends just now may take a file away that was listed already; then it is all copied again.
    let done = (0..5).any(|_| {
        let _ = std::fs::remove_dir_all(to);
        let done = Command::new("cp").arg("-a").arg(from).arg(to).stderr(Stdio::null()).status().unwrap();
        if !done.success() {
            std::thread::sleep(Duration::from_millis(200));
        }
        done.success()
    });
    assert!(done, "{} to {}", from.display(), to.display());
}

impl Lane {
    /// Lays a stack under v1 with the edge in front and a proved backup.
    pub fn new(ground: Ground) -> Self {
        let shop = Shop::open(&ground.setting());
        // The code of v1 under another name: no schema changes with it.
        let defect = eclusa_shop::Defect { error_share: 0.0, slow_milliseconds: 0, after_requests: 0 };
        let second = eclusa_shop::ReleaseFile { version: "v1".to_owned(), defect: Some(defect) };
        second.write(&shop.directory.join("releases/v1b")).unwrap();
        shop.change_configuration(|text| {
            text.replace("[stacks.shop.limits]\n", "[stacks.shop.limits]\nparallel = 1\n")
        });
        shop.run(&["backup", "--prove"]).must(0);
        let listed = shop.run(&["backups", "--json"]).must(0).json();
        let tenants = listed["tenants"].as_array().unwrap();
        let alpha = tenants.iter().find(|tenant| tenant["tenant"] == "alpha").unwrap();
        let point = alpha["points"][0]["id"].as_str().unwrap().to_owned();
        shop.run(&["stop", "--yes"]).must(0);
        let holder = tempfile::Builder::new().prefix("ecl-copy").tempdir().unwrap();
        for part in ["data", "state"] {
            copy(&shop.directory.join(part), &holder.path().join(part));
        }
        let base = shop.censuses();
        let mut lane = Self { shop, ground, base, point, release: "v1", copy: holder, runs: 0 };
        lane.lay_anew();
        lane
    }

    /// Everything as it was at first, and running.
    pub fn lay_anew(&mut self) {
        self.shop.kill_everything();
        for part in ["data", "state"] {
            std::fs::remove_dir_all(self.shop.directory.join(part)).unwrap();
            copy(&self.copy.path().join(part), &self.shop.directory.join(part));
        }
        self.shop.run(&["start", "--yes"]).must(0);
        self.release = "v1";
        self.runs = 0;
    }

    /// Brings the stack to where a scenario begins.
    pub fn prepare(&mut self, scenario: &Scenario) {
        self.runs += 1;
        let other = self.release != scenario.from;
        if self.runs > RUNS_UNTIL_LAID_ANEW || (other && self.release != "v1") {
            self.lay_anew();
        }
        if self.release != scenario.from {
            self.shop.run(&["release", scenario.from, "--yes"]).must(0);
            self.release = scenario.from;
        }
        if scenario.is_restore() {
            let connection =
                rusqlite::Connection::open(self.shop.directory.join("data/alpha/shop.sqlite")).unwrap();
            connection.busy_timeout(Duration::from_secs(10)).unwrap();
            connection.execute("UPDATE customers SET name = name || ' *'", []).unwrap();
            std::fs::write(self.shop.directory.join("data/alpha/receipts/stray.txt"), "new since").unwrap();
        }
        let _ = std::fs::remove_file(self.told());
    }

    /// What the hook that must not be done twice writes into.
    pub fn told(&self) -> PathBuf {
        self.shop.directory.join("told")
    }

    fn trace(&self) -> PathBuf {
        self.shop.directory.join("trace")
    }

    /// The points that the newest process has passed, in order.
    pub fn passed(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.trace()).unwrap_or_default();
        // What the command that began the run passed has no step before it.
        text.lines().filter(|line| !line.starts_with("/command")).map(str::to_owned).collect()
    }

    /// Begins a scenario with a runner that is killed at a point, and waits until it is gone.
    pub fn begin(&self, scenario: &Scenario, at: Option<&str>, left_out: &str) -> Run {
        let mut words = scenario.begin.to_vec();
        if scenario.is_restore() {
            words.extend(["--point", &self.point]);
        }
        words.extend(["--yes", "--detach"]);
        let mut command = self.shop.command(&words);
        self.disturb(&mut command, at, left_out);
        let ran = Ran::of(&mut command).must(0);
        let run = Run { id: ran.out.lines().last().unwrap().trim().to_owned() };
        let began = Instant::now();
        self.wait(&run, scenario, || {
            let text = run.runner(&self.shop)?;
            let (pid, started) = text.trim().split_once(' ')?;
            (!processes::lives(pid, started)).then_some(())
        });
        assert!(began.elapsed() < HANGS_AFTER);
        run
    }

    /// Takes a run up with a runner that `strace` kills on entering a system call on the journal's files for the N-th
    /// time; gives how that ended.
    pub fn take_up_under_strace(
        &self,
        run: &Run,
        scenario: &Scenario,
        call: &str,
        number: usize,
    ) -> ExitStatus {
        let mut command = Command::new("strace");
        command.current_dir(&self.shop.directory).env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"));
        self.disturb(&mut command, None, "");
        // As a grandchild, so that the runner is ours to wait for.
        command.args(["-D", "-I", "2", "-f", "-qq", "-o"]).arg("/dev/null");
        for ending in ["", "-wal", "-shm"] {
            command.arg("-P").arg(self.shop.state().join(format!("journal.db{ending}")));
        }
        command.args(["-e", &format!("trace={call}")]);
        command.args(["-e", &format!("inject={call}:signal=SIGKILL:when={number}")]);
        command.arg(&self.shop.binary).args(["own-run", &run.id, "--resume", "olga"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is not installed (apt-get install strace)");
        let status = self.wait(run, scenario, || child.try_wait().unwrap());
        // It would go on watching the services that the runner has started.
        wait_for("strace lets go", 20, || {
            let all = self.shop.processes();
            let mut watching = all.iter().filter(|process| process.command.starts_with("strace")).peekable();
            let gone = watching.peek().is_none();
            watching.for_each(processes::terminate);
            gone.then_some(())
        });
        status
    }

    fn disturb(&self, command: &mut Command, at: Option<&str>, left_out: &str) {
        let _ = std::fs::remove_file(self.trace());
        command.env("ECLUSA_CRASH_TRACE", self.trace()).env("ECLUSA_MUTANT", left_out);
        if let Some(at) = at {
            command.env("ECLUSA_CRASH_AT", at);
        }
    }

    /// Takes a run up with a runner that is killed at a point; gives how that ended.
    pub fn take_up(&self, run: &Run, scenario: &Scenario, at: Option<&str>, left_out: &str) -> ExitStatus {
        let mut command = self.shop.command(&["own-run", &run.id, "--resume", "olga"]);
        self.disturb(&mut command, at, left_out);
        let complaints = std::fs::File::create(self.shop.directory.join("complaints")).unwrap();
        let mut child = command.stdout(Stdio::null()).stderr(complaints).spawn().unwrap();
        self.wait(run, scenario, || child.try_wait().unwrap())
    }

    /// Waits; answers what is asked meanwhile.
    fn wait<T>(&self, run: &Run, scenario: &Scenario, mut over: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        let mut answer_at = began + ASKS_AFTER;
        loop {
            if let Some(over) = over() {
                return over;
            }
            assert!(began.elapsed() < HANGS_AFTER, "{} hangs", run.id);
            if Instant::now() >= answer_at {
                self.shop.run(&["answer", &run.id, scenario.answer, "--reason", "a busy machine"]);
                answer_at = Instant::now() + Duration::from_secs(2);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a run that another process owns has ended.
    pub fn wait_for_end(&self, run: &Run, scenario: &Scenario) {
        self.wait(run, scenario, || self.outcome(run));
    }

    /// The entries of a run, checked against their hashes.
    ///
    /// # Errors
    /// What the journal says.
    pub fn entries(&self, run: &Run) -> Result<Vec<Entry>, String> {
        let journal = self.journal()?;
        let id = RunId::new(run.id.clone()).map_err(|error| error.to_string())?;
        journal.read(&id).map_err(|fault| format!("the journal cannot be read: {fault}"))
    }

    /// How a run has ended, if it has.
    pub fn outcome(&self, run: &Run) -> Option<String> {
        let entries = self.entries(run).ok()?;
        entries.iter().rev().find_map(|entry| match &entry.event {
            Event::Ended { outcome } => serde_json::to_value(outcome).ok()?.as_str().map(str::to_owned),
            _ => None,
        })
    }

    /// The journal, for reading.
    ///
    /// # Errors
    /// What it says.
    pub fn journal(&self) -> Result<eclusa_journal::SqliteJournal, String> {
        let path = self.shop.state().join("journal.db");
        eclusa_journal::SqliteJournal::open(path, eclusa_journal::OpenMode::ReadOnly)
            .map_err(|fault| fault.to_string())
    }

    /// How many restore points each tenant's repository holds.
    pub fn points(&self) -> Vec<usize> {
        let of = |tenant: &&str| {
            let snapshots = self.shop.state().join("vault/shop").join(tenant).join("snapshots");
            std::fs::read_dir(snapshots).map(Iterator::count).unwrap_or_default()
        };
        TENANTS.iter().map(of).collect()
    }

    /// Takes away what a restore or a rollback keeps for the operator.
    pub fn let_go_of_what_is_kept(&self) {
        for path in self.files("data") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".old") {
                let _ = std::fs::remove_file(&path);
            } else if name.starts_with(".eclusa-") && name.ends_with("-old") {
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }

    /// Every file and directory below a place of the stack.
    pub fn files(&self, place: &str) -> Vec<PathBuf> {
        let listed = Command::new("find").arg(self.shop.directory.join(place)).output().unwrap();
        String::from_utf8(listed.stdout).unwrap().lines().map(PathBuf::from).collect()
    }
}
