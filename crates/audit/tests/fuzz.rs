//! A fuzz target of bolero for each reader: whatever stands in its files, an audit shows no panic, ends within seconds,
//! keeps a bounded amount, and asks for no path that leads out of the tree. Each runs as a test for two seconds, on
//! inputs made of what the readers know and of the corpus's files; `AUDIT_FUZZ_SECONDS=600 cargo nextest run …` looks
//! longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eclusa_audit::output::{html, json, markdown, sarif, text};
use eclusa_audit::{Library, MemoryTree, Request, Tree, fixing};
use jiff::civil::date;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The longest input, in bytes of the fuzzer; each may become a piece of some words.
const LONGEST_INPUT: usize = 400;
/// How long one input may take, in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(5);
/// What one input may keep at its worst, in MiB.
const MOST: f32 = 64.0;

/// What the readers know, and what they stumble over. A byte above 127 stands for one of these.
const PIECES: [&str; 128] = [
    "services:\n",
    "  web:\n",
    "  db:\n",
    "    image: postgres:11\n",
    "    build: .\n",
    "    <<: *a\n",
    "    &a\n",
    "*a",
    "    command: sh -c \"",
    "    ports:\n",
    "      - \"5432:5432\"\n",
    "${A:-",
    "${",
    "$$",
    "}",
    "!reset ",
    "!override ",
    "    healthcheck:\n      test: ",
    "    environment:\n",
    "      PASSWORD: x\n",
    "      - A=b\n",
    "\t",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "---\n",
    "- ",
    ": ",
    "{",
    "[",
    "]",
    ",",
    "#",
    "\n",
    "  ",
    "include:\n",
    "  - ../../../etc/passwd\n",
    "  - /etc/hostname\n",
    "    extends:\n      file: ../x.yaml\n      service: db\n",
    "    extends: {service: web}\n",
    "  - compose.yaml\n",
    "    env_file: ../../.env\n",
    "    volumes: ['../..:/x', './a:/b']\n",
    "    dockerfile_inline: |\n",
    "x-a: &a\n",
    "    deploy:\n",
    "    depends_on: [db]\n",
    "FROM python:3.8 AS x\n",
    "FROM x\n",
    "RUN ",
    "<<EOF\n",
    "EOF\n",
    "\\\n",
    "HEALTHCHECK CMD curl x\n",
    "ENV SECRET=",
    "COPY --from=x . .\n",
    "ENTRYPOINT [\"/start.sh\"]\n",
    "ARG A=1\n",
    "USER root\n",
    "CMD [",
    "ADD http://x /\n",
    "# syntax=x\n",
    "ONBUILD ",
    "if ",
    "then\n",
    "fi\n",
    "$(",
    ")",
    "`",
    "pip install x\n",
    "bench new-site a\n",
    "bench worker --queue ",
    "case x in\n",
    "esac\n",
    ";;\n",
    "<<-'X'\n",
    "&& ",
    "|| ",
    "set -e\n",
    "* * * * * ",
    "[program:web]\n",
    "command=",
    "environment=A=\"",
    "stdout_logfile_maxbytes=0\n",
    "autorestart=false\n",
    "user=root\n",
    "[supervisord]\n",
    "DEBUG = True\n",
    "ALLOWED_HOSTS = ['*']\n",
    "MIDDLEWARE = [\n",
    "os.environ.get('",
    "\"\"\"",
    "SECRET_KEY = '",
    "DATABASES = {\n",
    "default=",
    "server {\n",
    "listen 80;\n",
    "location / {\n",
    "proxy_pass http://flower:5555;\n",
    "upstream x {\n",
    "}\n",
    "http {\n",
    "return 301 https://x;\n",
    "auth_basic off;\n",
    "stream {\n",
    "include x;\n",
    "server_name a b;\n",
    "${X}",
    "\\;",
    "if ($a) {\n",
    ";",
    "{\"url\": \"https://a:b@x/y.git\", \"branch\": \"main\"}",
    "\"developer_mode\": 1",
    "\"redis_cache\": \"x\"",
    "http://",
    "@",
    "null",
    "\\u0000",
    "[{",
    "# eclusa: allow A301",
    " reason\n",
    "\u{feff}",
    "é",
    "\0",
    "\r\n",
    "jobs:\n",
    "🦀",
];

/// A tree that knows of every path whether it may be asked for.
struct Watched(MemoryTree);

impl Tree for Watched {
    fn paths(&self) -> &[String] {
        self.0.paths()
    }

    fn read(&self, path: &str) -> Option<String> {
        let leads_out = path.starts_with(['/', '~']) || path.split('/').any(|part| part == "..");
        assert!(!leads_out, "{path} was asked for");
        self.0.read(path)
    }

    fn tracked(&self, path: &str) -> Option<bool> {
        Some(path.contains(".env") || path.ends_with(".json"))
    }
}

/// Ends the process when an input takes too long, after it was shown: a loop without an end is no failed assertion.
struct Watch {
    input: Mutex<Option<(Instant, String)>>,
    began: AtomicBool,
}

static WATCH: Watch = Watch { input: Mutex::new(None), began: AtomicBool::new(false) };

impl Watch {
    fn begin(&self, text: &str) {
        *self.input.lock().unwrap() = Some((Instant::now(), text.to_owned()));
        if !self.began.swap(true, Ordering::SeqCst) {
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(Duration::from_millis(200));
                    if let Some((began, text)) = &*WATCH.input.lock().unwrap()
                        && began.elapsed() > LONGEST
                    {
                        eprintln!("this takes more than {LONGEST:?}:\n{text}");
                        std::process::abort();
                    }
                }
            });
        }
    }
}

/// One audit of one set of files at a time: the allocator counts for all threads.
static ONE: Mutex<()> = Mutex::new(());

fn survived(files: Vec<(String, String)>, shown: &str) {
    let _alone = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    WATCH.begin(shown);
    let tree = Watched(MemoryTree::new(files));
    let before = ALLOCATOR.current_usage_as_mb();
    ALLOCATOR.reset_peak_usage();
    let library = Library::new(&tree);
    let report = eclusa_audit::report::report(&library, &Request::default(), date(2026, 11, 25), None);
    let english = eclusa_fault::Language::default();
    let _ = (
        text::lines(&report, &english, 80),
        html::text(&report, &english),
        markdown::text(&report, &english),
        json::value(&report, &english),
        sarif::value(&report, &english, "0.1.0"),
        fixing::patch(&fixing::fix(&library, &report.findings)),
    );
    let peak = ALLOCATOR.peak_usage_as_mb() - before;
    assert!(peak < MOST, "{peak} MiB were kept of:\n{shown}");
    *WATCH.input.lock().unwrap() = None;
}

/// Files of the corpus of a kind, from which inputs begin.
fn seeds(wanted: &dyn Fn(&str) -> bool) -> Vec<String> {
    fn walk(directory: &Path, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<String>) {
        let mut entries: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, wanted, found);
            } else if wanted(&path.to_string_lossy()) {
                found.extend(std::fs::read_to_string(&path).ok());
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/audit"), wanted, &mut found);
    assert!(!found.is_empty());
    found
}

/// The text that an input stands for: pieces one after another, or a file of the corpus with pieces put in, parts
/// taken out and parts doubled.
fn written(input: &[u8], seeds: &[String]) -> String {
    let piece = |byte: u8| match byte {
        0..128 => char::from(byte).to_string(),
        _ => PIECES[usize::from(byte - 128)].to_owned(),
    };
    let [first, second, rest @ ..] = input else { return String::new() };
    if first % 2 == 0 {
        return rest.iter().map(|byte| piece(*byte)).collect();
    }
    let mut text: Vec<char> = seeds[usize::from(*second) % seeds.len()].chars().collect();
    for edit in rest.chunks_exact(4) {
        let at = (usize::from(edit[0]) << 8 | usize::from(edit[1])) * text.len() / 65_536;
        let end = (at + usize::from(edit[3] % 32)).min(text.len());
        match edit[2] % 4 {
            0 => drop(text.drain(at..end)),
            1 => {
                let again: Vec<char> = text[at..end].to_vec();
                text.splice(at..at, again);
            }
            _ => drop(text.splice(at..at, piece(edit[3]).chars().collect::<Vec<_>>())),
        }
    }
    text.into_iter().collect()
}

/// Fuzzes the files of these names, which all hold the same text, beside others that do not change.
fn fuzz(names: &[&str], beside: &[(&str, &str)], wanted: &dyn Fn(&str) -> bool) {
    let seeds = seeds(wanted);
    for seed in &seeds {
        check(names, beside, seed);
    }
    let seconds = std::env::var("AUDIT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let target = bolero::check!().with_max_len(LONGEST_INPUT).with_iterations(u32::MAX as usize);
    target
        .with_test_time(Duration::from_secs(seconds))
        .for_each(|input| check(names, beside, &written(input, &seeds)));
}

fn check(names: &[&str], beside: &[(&str, &str)], text: &str) {
    let files = names.iter().map(|name| (*name, text)).chain(beside.iter().copied());
    survived(files.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(), text);
}

const BASE: &str = "services:\n  web:\n    image: x:1\n    build: .\n    env_file: [.env, other.env]\n    command: /start.sh\n    volumes: ['.:/srv', './start.sh:/start.sh']\n  db:\n    image: postgres:16\n";

#[test]
fn compose() {
    let over = "include: [other.yaml]\nservices:\n  web:\n    extends: {file: other.yaml, service: web}\n";
    fuzz(
        &["compose.yaml", "other.yaml", "a/compose.override.yaml"],
        &[
            ("a/compose.yaml", BASE),
            ("b/compose.yaml", over),
            ("b/other.yaml", BASE),
            (".env", "A=1\nB=${A}\n"),
        ],
        &|path| path.ends_with(".yaml") && !path.contains(".github"),
    );
}

#[test]
fn dockerfile() {
    fuzz(&["Dockerfile", "Dockerfile.prod"], &[("compose.yaml", BASE)], &|path| path.ends_with("Dockerfile"));
}

#[test]
fn shell() {
    let files = ["start.sh", "deploy.sh", "rollback.sh", "backup.sh", "docker/entrypoint.sh"];
    fuzz(&files, &[("compose.yaml", BASE)], &|path| path.ends_with(".sh"));
}

#[test]
fn environment() {
    fuzz(&[".env", "other.env", ".env.production"], &[("compose.yaml", BASE)], &|path| path.contains(".env"));
}

#[test]
fn nginx() {
    fuzz(&["nginx.conf", "sites-available/shop"], &[("compose.yaml", BASE)], &|path| {
        path.contains("nginx.conf")
    });
}

#[test]
fn supervisor_and_cron() {
    fuzz(&["supervisord.conf", "crontab"], &[], &|path| {
        path.contains("supervisor") || path.contains("crontab")
    });
}

#[test]
fn settings() {
    fuzz(&["shop/settings.py", "shop/settings/base.py"], &[("manage.py", "")], &|path| path.ends_with(".py"));
}

#[test]
fn json_of_sites_and_apps() {
    let files = ["sites/common_site_config.json", "sites/shop.example/site_config.json", "apps.json"];
    fuzz(&files, &[("compose.yaml", BASE)], &|path| path.ends_with(".json") && !path.contains("schema"));
}

#[test]
fn workflows() {
    fuzz(&[".github/workflows/deploy.yml"], &[], &|path| path.contains(".github"));
}
