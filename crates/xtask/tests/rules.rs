//! Each rule against a small repository that keeps it, and against the same with one thing wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use tempfile::TempDir;
use xtask::{matrix, pages, tidy};

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn manifest(name: &str, description: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\ndescription = \"{description}\"\n{rest}\n")
}

const CODES: &str = "//! Codes.\ncodes! {\n    /// The file is\n    /// broken.\n    Broken = 101,\n\n    /// A bug.\n    Internal = 1,\n}\n";
const TEXTS: &str = "# Texts.\nE0001 = A bug: { $what }\nE0101 = { $path } is broken\n    and stays so\nE0101-hint = Mend { $path }.\n";

/// A repository in which every rule is kept.
fn good() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    put(root, "crates/model/Cargo.toml", &manifest("eclusa-model", "L0: words.", ""));
    put(root, "crates/model/src/lib.rs", "//! Words.\n");
    put(root, "crates/fault/Cargo.toml", &manifest("eclusa-fault", "L0: faults.", ""));
    put(root, "crates/fault/src/code.rs", CODES);
    put(root, "crates/fault/locales/en/faults.ftl", TEXTS);
    let down = "[dependencies]\neclusa-model.workspace = true\nserde = \"1\"\n[dev-dependencies]\neclusa-testkit.workspace = true\n";
    put(root, "crates/vault/Cargo.toml", &manifest("eclusa-vault", "L3: points.", down));
    put(root, "crates/vault/src/deep/part.rs", "//! A part.\n");
    put(root, "crates/journal/Cargo.toml", &manifest("eclusa-journal", "L3: the journal.", ""));
    let fakes = "[dependencies]\neclusa-model.workspace = true\n";
    put(root, "crates/testkit/Cargo.toml", &manifest("eclusa-testkit", "Fakes.", fakes));
    let top = "[dependencies]\neclusa-vault.workspace = true\neclusa-shop.workspace = true\n";
    put(root, "crates/eclusa/Cargo.toml", &manifest("eclusa", "L6: the command.", top));
    put(root, "crates/shop/Cargo.toml", &manifest("eclusa-shop", "A shop.", ""));
    put(root, "crates/runbook/Cargo.toml", &manifest("eclusa-runbook", "L1: plans.", ""));
    pages::write(root).unwrap();
    directory
}

fn problems(root: &Path) -> Vec<String> {
    tidy::findings(root).iter().map(ToString::to_string).collect()
}

/// Changes the good repository and expects exactly one finding with these words.
fn one_problem(change: impl FnOnce(&Path), words: &str) {
    let directory = good();
    change(directory.path());
    let found = problems(directory.path());
    assert_eq!(found.len(), 1, "expected one finding about {words:?}: {found:#?}");
    assert!(found[0].contains(words), "{words:?} is not in {:?}", found[0]);
}

#[test]
fn a_good_repository_has_no_findings() {
    let directory = good();
    assert_eq!(problems(directory.path()), Vec::<String>::new());
}

#[test]
fn this_repository_keeps_its_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found: Vec<String> = xtask::layers::check(&root).iter().map(ToString::to_string).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn dependencies_go_down_only() {
    let vault = |dependencies: &'static str| {
        move |root: &Path| {
            put(root, "crates/vault/Cargo.toml", &manifest("eclusa-vault", "L3: points.", dependencies));
        }
    };
    one_problem(vault("[dependencies]\neclusa.workspace = true"), "above it (L6)");
    one_problem(vault("[dependencies]\neclusa-journal.workspace = true"), "of the same level L3");
    one_problem(
        vault("[dependencies]\nx = { path = \"../journal\", package = \"eclusa-journal\" }"),
        "same level L3",
    );
    one_problem(vault("[build-dependencies]\neclusa-journal = \"*\""), "same level L3");
    one_problem(vault("[target.'cfg(unix)'.dependencies]\neclusa-journal = \"*\""), "same level L3");
    one_problem(vault("[dev-dependencies]\neclusa-journal = \"*\""), "same level L3");
    one_problem(vault("[dependencies]\neclusa-testkit.workspace = true"), "only for tests and the top");
    one_problem(vault("[dependencies"), "crates/vault/Cargo.toml");
}

#[test]
fn every_crate_says_its_level() {
    one_problem(
        |root| put(root, "crates/new/Cargo.toml", &manifest("eclusa-new", "Something.", "")),
        "does not begin with its level",
    );
    one_problem(
        |root| put(root, "crates/shop/Cargo.toml", &manifest("eclusa-shop", "L2: A shop.", "")),
        "a crate without a level",
    );
    one_problem(
        |root| put(root, "crates/new/Cargo.toml", &manifest("eclusa-new", "L7: Something.", "")),
        "the top is 6",
    );
}

#[test]
fn source_files_are_short_and_say_what_they_are_for() {
    one_problem(
        |root| put(root, "crates/vault/src/new.rs", "use std::fmt;\n"),
        "new.rs:1: it does not begin",
    );
    one_problem(|root| put(root, "crates/vault/src/new.rs", ""), "new.rs:1: it does not begin");
    let lines = |number: usize| format!("//! Long.\n{}", "// more\n".repeat(number - 1));
    one_problem(|root| put(root, "crates/vault/src/deep/part.rs", &lines(501)), "it has 501 lines");
    let directory = good();
    put(directory.path(), "crates/vault/src/deep/part.rs", &lines(500));
    put(directory.path(), "crates/vault/tests/long.rs", &lines(900));
    assert_eq!(problems(directory.path()), Vec::<String>::new());
    // A file that may be longer, but no longer is, leaves the list.
    one_problem(|root| put(root, "crates/runbook/src/run.rs", &lines(10)), "take it from the list");
    one_problem(|root| put(root, "crates/runbook/src/run.rs", &lines(2000)), "it has 2000 lines");
}

#[test]
fn every_code_has_a_text_and_a_true_page() {
    let codes = |text: String| move |root: &Path| put(root, "crates/fault/src/code.rs", &text);
    one_problem(codes(CODES.replace("Internal = 1,", "Internal = 1,\n    New = 2,")), "E0002 has no text");
    one_problem(
        |root| std::fs::remove_file(root.join("docs/errors/E0101.md")).unwrap(),
        "the page is missing",
    );
    one_problem(|root| put(root, "docs/errors/E0102.md", "# Old\n"), "there is no code of this name");
    let texts = |text: String| move |root: &Path| put(root, "crates/fault/locales/en/faults.ftl", &text);
    one_problem(
        texts(TEXTS.replace("Mend { $path }", "Replace { $path }")),
        "says something else than the program",
    );
    one_problem(texts(format!("{TEXTS}E0300 = Nothing\n")), "faults.ftl:6: there is no code E0300");
    one_problem(
        |root| {
            let page = std::fs::read_to_string(root.join("docs/errors/E0101.md")).unwrap();
            put(root, "docs/errors/E0101.md", &page.replace(pages::MARK, ""));
        },
        "separates what was written by hand is gone",
    );
}

#[test]
fn a_page_says_what_the_program_says_and_keeps_what_people_wrote() {
    let directory = good();
    let root = directory.path();
    let path = root.join("docs/errors/E0101.md");
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page.starts_with("# E0101: PATH is broken and stays so\n\n## What happened\n\nThe file is broken.\n"),
        "{page}"
    );
    assert!(page.contains("## What to do\n\nMend PATH.\n"), "{page}");
    std::fs::write(&path, format!("{page}\n## An example\n\nOnce upon a time.\n")).unwrap();
    put(root, "crates/fault/locales/en/faults.ftl", &TEXTS.replace("Mend", "Replace"));
    assert_eq!(pages::write(root).unwrap(), 1);
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page.contains("Replace PATH.") && page.ends_with("## An example\n\nOnce upon a time.\n"),
        "{page}"
    );
    assert_eq!(problems(root), Vec::<String>::new());
    assert_eq!(pages::write(root).unwrap(), 0);
    // A page without the mark is not overwritten: nobody knows what in it is a person's work.
    std::fs::write(&path, "all mine\n").unwrap();
    assert!(pages::write(root).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "all mine\n");
}

#[test]
fn paths_of_a_machine_are_found() {
    let home = concat!("/ho", "me/ana/x");
    let folder = concat!("/wo", "rk/main");
    one_problem(
        |root| put(root, "tests/a.sh", &format!("# fine\ncd {home}\n")),
        "tests/a.sh:2: the home folder of \"ana\"",
    );
    one_problem(|root| put(root, "docs/a.md", &format!("see {folder}")), "docs/a.md:1:");
    one_problem(|root| put(root, "crates/model/src/lib.rs", &format!("//! At {folder}.\n")), "lib.rs:1:");
    one_problem(|root| put(root, ".cargo/config.toml", concat!("replace", "-with = \"x\"")), "a mirror");
    let directory = good();
    put(directory.path(), "docs/a.md", home);
    put(directory.path(), "tests/a.sh", &format!("ls app{folder} build{home} {}", concat!("/ho", "me/")));
    put(directory.path(), "target/a.txt", folder);
    put(directory.path(), ".git/a.txt", folder);
    assert_eq!(problems(directory.path()), Vec::<String>::new());
}

const FAULT: &str = "//! Fault: the disk is full\n\nfn help() {}\n\n/// Ends no-go (3);\n/// nothing has changed.\n///\n/// More of it.\n#[test]\nfn release_code_only() {}\n\n/// It waits.\npub fn restore_of_a_large_one() {}\n";

#[test]
fn the_matrix_is_what_the_tests_say() {
    let folder = "crates/eclusa/tests/faults";
    let with = |root: &Path| {
        put(root, &format!("{folder}/main.rs"), "mod disk;\n");
        put(root, &format!("{folder}/support/mod.rs"), "//! Help.\n");
        put(root, &format!("{folder}/disk.rs"), FAULT);
        put(
            root,
            "crates/eclusa/tests/boutique_faults/engine.rs",
            "//! Fault: The engine is gone.\n/// It stops.\npub fn backup() {}\n",
        );
        put(
            root,
            matrix::PAGE,
            "By hand.\n<!-- Generated by `cargo run -p xtask -- matrix`: -->\n<!-- Here the generated part ends. -->\nAlso.\n",
        );
        assert_eq!(matrix::write(root), Ok((3, true)));
    };
    let directory = good();
    with(directory.path());
    assert_eq!(problems(directory.path()), Vec::<String>::new());
    let page = std::fs::read_to_string(directory.path().join(matrix::PAGE)).unwrap();
    assert!(page.starts_with("By hand.\n") && page.ends_with("\nAlso.\n"), "{page}");
    for row in [
        "2 faults, 3 cells.",
        "| the disk is full | embedded | release, code only | Ends no-go (3); nothing has changed. |",
        "|  |  | restore: of a large one | It waits. |",
        "| The engine is gone | Docker | backup | It stops. |",
    ] {
        assert!(page.contains(&format!("\n{row}\n")), "{row}:\n{page}");
    }
    assert_eq!(matrix::write(directory.path()), Ok((3, false)));
    let changed = |from: &'static str, to: &'static str| {
        move |root: &Path| {
            with(root);
            put(root, &format!("{folder}/disk.rs"), &FAULT.replace(from, to));
        }
    };
    one_problem(changed("It waits.", "It stops."), "run cargo run -p xtask -- matrix");
    let directory = good();
    changed("fn release_code_only", "fn reelease")(directory.path());
    assert!(problems(directory.path())[0].contains("not named after a runbook"));
    changed("//! Fault: ", "//! ")(directory.path());
    assert!(problems(directory.path())[0].contains("does not open with"));
    changed("/// It waits.\n", "")(directory.path());
    assert!(problems(directory.path())[0].contains("does not say"));
}
