//! Checks and generated pages of the repository itself: `cargo run -p xtask -- tidy`, `… -- errors-pages`, `… -- matrix`,
//! `… -- rules-pages`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::{matrix, pages, rules, tidy};

const USAGE: &str = "\
Usage: cargo run -p xtask -- COMMAND

Commands:
  tidy          Check the rules of the repository; ends with 1 and a list when something breaks one
  errors-pages  Write docs/errors/ from the message catalogue; what was added to a page by hand is kept
  matrix        Write the table of faults in docs/reliability.md from the tests
  matrix FILE   Print that table with what the output of a test run, in FILE, says of each cell; ends with 1 when one
                failed, with 3 when some did not run (`bin/test --matrix` calls it)
  rules-pages   Write docs/rules/ from the message catalogue and the cases of the audit's tests
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => {
            let findings = tidy::findings(&root);
            for finding in &findings {
                eprintln!("{finding}");
            }
            if findings.is_empty() {
                println!("tidy: every rule is kept");
                ExitCode::SUCCESS
            } else {
                eprintln!("tidy: {} findings", findings.len());
                ExitCode::FAILURE
            }
        }
        ["errors-pages"] => match pages::write(&root) {
            Ok(written) => {
                println!("errors-pages: {written} files written or changed in docs/errors");
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("errors-pages: {problem}");
                ExitCode::FAILURE
            }
        },
        ["matrix"] => match matrix::write(&root) {
            Ok((cells, changed)) => {
                println!(
                    "matrix: {cells} cells, {} {}",
                    matrix::PAGE,
                    if changed { "written" } else { "unchanged" }
                );
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("matrix: {problem}");
                ExitCode::FAILURE
            }
        },
        ["matrix", output] => {
            let read = std::fs::read_to_string(output).map_err(|error| format!("{output}: {error}"));
            match read.and_then(|text| matrix::print(&root, &text)) {
                Ok(matrix::Counts { failed: 0, not_run: 0, .. }) => ExitCode::SUCCESS,
                Ok(matrix::Counts { failed: 0, passed: 1.., .. }) => ExitCode::from(3),
                Ok(_) => ExitCode::FAILURE,
                Err(problem) => {
                    eprintln!("matrix: {problem}");
                    ExitCode::FAILURE
                }
            }
        }
        ["rules-pages"] => match rules::write(&root) {
            Ok(written) => {
                println!("rules-pages: {written} files written or changed in docs/rules");
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("rules-pages: {problem}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The repository: two levels above this crate.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
