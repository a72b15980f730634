//! Every command line in the documentation is one that the program takes: the commands exist, and so does each
//! option that is used, as the program's own help says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the documentation is, below the repository.
const PLACES: [&str; 4] = ["README.md", "ARCHITECTURE.md", "docs", "examples"];

/// A command line in a fenced block of a page.
#[derive(Debug)]
struct Shown {
    place: String,
    words: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut inside: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        inside.sort();
        inside.iter().for_each(|path| pages(path, found));
    } else if path.extension().is_some_and(|extension| extension == "md") {
        found.push(path.to_owned());
    }
}

/// The words of a line as a shell would part them, up to a comment, a pipe or a redirection; quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => word.push(character),
            (None, '"' | '\'') => (quote, begun) = (Some(character), true),
            (None, '|' | '>' | '<' | ';' | '&') => break,
            (None, '#') if !begun => break,
            (None, _) if character.is_whitespace() => {
                if begun {
                    found.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None, _) => {
                word.push(character);
                begun = true;
            }
        }
    }
    if begun {
        found.push(word);
    }
    found
}

/// The command lines of a page: lines in fenced blocks that begin with `eclusa`, also after `$`, `sudo` or variables.
fn shown_in(page: &Path) -> Vec<Shown> {
    let text = fs::read_to_string(page).unwrap();
    let mut fenced = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = line.trim_start();
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let mut words: Vec<String> = words(line);
        let prefix = words
            .iter()
            .take_while(|word| {
                let variable = word.split_once('=').is_some_and(|(name, _)| {
                    !name.is_empty()
                        && name.chars().all(|character| character.is_ascii_uppercase() || character == '_')
                });
                variable || word.as_str() == "sudo"
            })
            .count();
        words.drain(..prefix);
        if fenced && words.first().is_some_and(|word| word == "eclusa") {
            found.push(Shown {
                place: format!("{}:{}", page.display(), index + 1),
                words: words.split_off(1),
            });
        }
    }
    found
}

/// Of an option that takes any number of values, or none.
const ANY_OR_NONE: usize = usize::MAX - 1;

/// What the program's help says of a command.
struct Help {
    subcommands: BTreeSet<String>,
    /// Each option, and whether it takes a value.
    options: BTreeMap<String, usize>,
    /// The most arguments that are no options; none: any number.
    most_arguments: Option<usize>,
}

fn help(path: &[String]) -> Help {
    let output = Command::new(env!("CARGO_BIN_EXE_eclusa")).args(path).arg("--help").output().unwrap();
    assert!(output.status.success(), "eclusa {} --help: {output:?}", path.join(" "));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut help = Help { subcommands: BTreeSet::new(), options: BTreeMap::new(), most_arguments: Some(0) };
    let mut section = "";
    for line in text.lines() {
        if let Some(usage) = line.strip_prefix("Usage: ") {
            let arguments: Vec<&str> = usage
                .split_whitespace()
                .filter(|word| word.starts_with('<') || word.starts_with('['))
                .collect();
            let many = arguments.iter().any(|word| word.contains("..."));
            let count = arguments
                .iter()
                .filter(|word| !["[OPTIONS]", "<COMMAND>", "[COMMAND]"].contains(word))
                .count();
            help.most_arguments = (!many).then_some(count);
        }
        if line.is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            section = line.trim_end_matches(':');
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if section == "Commands" && indent == 2 {
            help.subcommands.extend(line.split_whitespace().next().map(str::to_owned));
        }
        // Options stand at 2 with a short form and at 6 without; what they mean stands further to the right.
        if section == "Options" && indent <= 6 && line.trim_start().starts_with('-') {
            let signature = line.trim_start().split("  ").next().unwrap_or_default();
            let many = signature.contains("...");
            let values = if many && signature.contains("[<") {
                ANY_OR_NONE
            } else if many {
                usize::MAX
            } else {
                signature.matches(" <").count() + signature.matches(" [").count()
            };
            for word in signature.split([' ', ',', '=']).filter(|word| word.starts_with('-')) {
                help.options.insert(word.to_owned(), values);
            }
        }
    }
    help
}

/// What is wrong with a command line.
fn problem(words: &[String], known: &mut BTreeMap<Vec<String>, Help>) -> Option<String> {
    let mut path: Vec<String> = Vec::new();
    let mut given = 0;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        // What follows is a command of somebody else's.
        if word == "--" {
            break;
        }
        let help = known.entry(path.clone()).or_insert_with(|| help(&path));
        if word.starts_with('-') && word != "-" {
            let (option, value) =
                word.split_once('=').map_or((word.as_str(), None), |(option, value)| (option, Some(value)));
            match help.options.get(option) {
                None => return Some(format!("eclusa {} has no option {option}", path.join(" "))),
                Some(most @ 1..) if value.is_none() => {
                    if *most != ANY_OR_NONE && rest.next().is_none() {
                        return Some(format!("{option} has no value"));
                    }
                    // One that may have several takes what follows, up to the next option.
                    for _ in 1..*most {
                        if rest.clone().next().is_none_or(|word| word.starts_with('-')) {
                            break;
                        }
                        rest.next();
                    }
                }
                Some(_) => {}
            }
        } else if help.subcommands.contains(word) {
            path.push(word.clone());
        } else if !help.subcommands.is_empty() {
            return Some(format!("eclusa {} has no command {word}", path.join(" ")));
        } else {
            given += 1;
            if help.most_arguments.is_some_and(|most| given > most) {
                return Some(format!("eclusa {} takes fewer arguments", path.join(" ")));
            }
        }
    }
    None
}

#[test]
fn every_command_in_the_documentation_is_one_that_the_program_takes() {
    let mut all = Vec::new();
    for place in PLACES {
        pages(&root().join(place), &mut all);
    }
    let mut known = BTreeMap::new();
    let shown: Vec<Shown> = all.iter().flat_map(|page| shown_in(page)).collect();
    assert!(shown.len() > 30, "only {} command lines were found: the search is broken", shown.len());
    let wrong: Vec<String> = shown
        .iter()
        .filter_map(|shown| {
            problem(&shown.words, &mut known).map(|problem| format!("{}: {problem}", shown.place))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_command_is_found() {
    let mut known = BTreeMap::new();
    let mut check = |line: &str| problem(&words(line), &mut known);
    assert_eq!(check("release v2 --yes # and then"), None);
    assert_eq!(check("answer r-1 go --reason 'we looked'"), None);
    assert!(check("relaese v2").unwrap().contains("no command relaese"));
    assert!(check("release v2 --force").unwrap().contains("no option --force"));
    assert!(check("release v2 v3").unwrap().contains("fewer arguments"));
    assert!(check("edge close").unwrap().contains("no command close"));
}

#[test]
fn every_exit_code_is_documented() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/exit.rs")).unwrap();
    let page = fs::read_to_string(root().join("docs/exit-codes.md")).unwrap();
    let codes: Vec<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => ")?.1.strip_suffix(','))
        .filter(|code| code.chars().all(|character| character.is_ascii_digit()))
        .collect();
    assert!(codes.len() >= 7, "{codes:?}");
    for code in codes {
        assert!(page.contains(&format!("| {code} |")), "docs/exit-codes.md says nothing of {code}");
    }
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut all = Vec::new();
    for place in PLACES {
        pages(&root().join(place), &mut all);
    }
    let mut broken = Vec::new();
    for page in all {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let outside = target.is_empty() || target.contains("://") || target.contains(' ');
            if !outside && !page.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
