//! A dump that other tools wrote, as it can be read by a server's administrator for one tenant.
//!
//! - The first line of newer `mariadb-dump`s, which puts the client into its sandbox mode and which older clients do not
//!   know, is left out.
//! - Views, triggers, routines and events name who defined them. That account need not exist here, and where it does it
//!   may be one with more rights than the tenant: they are defined by the tenant's own account instead.
//! - A dump that names another database, or accounts, is refused: it is read with an administrator's rights.
//! - A dump without the last line that `mariadb-dump` writes when it is done is refused.
//!
//! Rows are passed on as they are: in them a line break is never one.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::dump::COMPLETED;
use super::looking::{DEFINITION, Looking, OwnName};

/// Statements that a dump of one database does not have.
const REFUSED: [&str; 20] = [
    "use ",
    "use`",
    "create database",
    "create schema",
    "drop database",
    "drop schema",
    "alter database",
    "/*!40000 drop database",
    "grant ",
    "revoke ",
    "create user",
    "create or replace user",
    "alter user",
    "drop user",
    "rename user",
    "set password",
    "set global",
    "load data",
    "install ",
    "\\",
];

/// An account of the server: user and host.
pub type Account = (String, String);

/// Who defines views, triggers, routines and events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definers {
    /// Whom the dump names.
    Kept,
    /// This account.
    Own(Account),
    /// Whoever reads the dump.
    LeftOut,
}

/// What was changed of a dump on its way.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// Whether it began with the sandbox line.
    pub sandbox: bool,
    /// Who had defined what is defined by the tenant's own account now, as it stands in the dump.
    pub definers: BTreeSet<String>,
}

/// A dump on its way. Reading gives an error when it is not whole or holds what it must not.
pub struct ForeignDump<R> {
    looking: Looking<R>,
    changed: Arc<Mutex<Changed>>,
}

impl<R: BufRead> ForeignDump<R> {
    /// A dump whose definers become these.
    pub fn new(inner: R, definers: Definers) -> Self {
        let changed: Arc<Mutex<Changed>> = Arc::default();
        let mut rules =
            Rules { definers, changed: changed.clone(), last: Vec::new(), name: OwnName::default() };
        Self { looking: Looking::new(inner, Box::new(move |line| rules.look(line))), changed }
    }

    /// What was changed so far.
    #[must_use]
    pub fn changed(&self) -> Arc<Mutex<Changed>> {
        self.changed.clone()
    }
}

impl<R: BufRead> Read for ForeignDump<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.looking.read(buffer)
    }
}

struct Rules {
    definers: Definers,
    changed: Arc<Mutex<Changed>>,
    last: Vec<u8>,
    name: OwnName,
}

impl Rules {
    fn look(&mut self, line: Option<&mut Vec<u8>>) -> io::Result<()> {
        let Some(out) = line else {
            // An unfinished last line counts as one.
            if self.last.starts_with(COMPLETED) {
                return Ok(());
            }
            let problem = "it is not whole: its last line, “-- Dump completed”, is missing";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, problem));
        };
        let line = out.trim_ascii();
        if !line.is_empty() {
            self.last = line.get(..line.len().min(COMPLETED.len())).unwrap_or_default().to_vec();
        }
        if line.starts_with(b"/*!999999\\-") || line.starts_with(b"/*M!999999\\-") {
            self.note(|changed| changed.sandbox = true);
            out.clear();
            return Ok(());
        }
        let start: Vec<u8> = line.iter().take(64).map(u8::to_ascii_lowercase).collect();
        if let Some(refused) = REFUSED.iter().find(|refused| start.starts_with(refused.as_bytes())) {
            let shown =
                String::from_utf8_lossy(line.get(..line.len().min(80)).unwrap_or_default()).into_owned();
            let problem = format!("it holds more than one database's tables ({:?}): {shown}", refused.trim());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        self.name.look(out);
        if start.starts_with(DEFINITION) || start.starts_with(b"create definer") {
            self.define(out);
        }
        Ok(())
    }

    /// Puts the right account where one is named as the definer.
    fn define(&self, line: &mut Vec<u8>) {
        let Some((from, to)) = definer(line) else { return };
        let was = String::from_utf8_lossy(line.get(from..to).unwrap_or_default()).into_owned();
        match &self.definers {
            Definers::Kept => return,
            Definers::Own((user, host)) => {
                let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
                let own = format!("{}@{}", quoted(user), quoted(host));
                if was == own {
                    return;
                }
                line.splice(from..to, own.into_bytes());
            }
            Definers::LeftOut => {
                line.drain(from - WORD.len()..to);
            }
        }
        self.note(|changed| {
            changed.definers.insert(was);
        });
    }

    fn note(&self, note: impl FnOnce(&mut Changed)) {
        note(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

const WORD: &[u8] = b"DEFINER=";

/// Where the account of ``DEFINER=`user`@`host` `` stands in a line.
fn definer(line: &[u8]) -> Option<(usize, usize)> {
    let from = line.windows(WORD.len()).position(|window| window == WORD)? + WORD.len();
    let user = quoted_end(line, from)?;
    (line.get(user) == Some(&b'@')).then_some(())?;
    Some((from, quoted_end(line, user + 1)?))
}

/// Behind the backquote that ends the name which begins here.
fn quoted_end(line: &[u8], from: usize) -> Option<usize> {
    (line.get(from) == Some(&b'`')).then_some(())?;
    let mut at = from + 1;
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'`', Some(b'`')) => at += 2,
            (b'`', _) => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(dump: &str) -> io::Result<(String, Changed)> {
        read_with(dump, Definers::Own(("_1bd".to_owned(), "%".to_owned())))
    }

    fn read_with(dump: &str, definers: Definers) -> io::Result<(String, Changed)> {
        // Small pieces, so that lines come in parts.
        let mut foreign = ForeignDump::new(io::BufReader::with_capacity(7, dump.as_bytes()), definers);
        let mut text = String::new();
        foreign.read_to_string(&mut text)?;
        let changed = foreign.changed().lock().unwrap().clone();
        Ok((text, changed))
    }

    const END: &str = "-- Dump completed on 2026-11-25 20:00:00\n";

    #[test]
    fn the_sandbox_line_is_left_out_wherever_the_header_puts_it() {
        for line in
            ["/*!999999\\- enable the sandbox mode */ \n", "/*M!999999\\- enable the sandbox mode */ \n"]
        {
            let head = "-- begin frappe metadata\n-- version = 15.1.0\n";
            let (text, changed) = read(&format!("{head}{line}SELECT 1;\n{END}")).unwrap();
            assert_eq!(text, format!("{head}SELECT 1;\n{END}"));
            assert!(changed.sandbox);
        }
    }

    #[test]
    fn definers_become_the_tenants_own_account_and_rows_stay_as_they_are() {
        let rows = "INSERT INTO `t` VALUES\n(1,'/*!50017 DEFINER=`a`@`b`*/'),\n(2,'USE x');\n";
        let dump = format!(
            "/*!50003 CREATE*/ /*!50017 DEFINER=`gone`@`10.0.0.1`*/ /*!50003 TRIGGER t BEFORE INSERT ON t FOR EACH ROW\n\
             SET NEW.a = 'DEFINER=`x`@`y`' */;;\n/*!50013 DEFINER=`ro``ot`@`localhost` SQL SECURITY DEFINER */\n\
             CREATE DEFINER=`_1bd`@`%` PROCEDURE `p`()\n{rows}{END}"
        );
        let (text, changed) = read(&dump).unwrap();
        let expected =
            dump.replace("`gone`@`10.0.0.1`", "`_1bd`@`%`").replace("`ro``ot`@`localhost`", "`_1bd`@`%`");
        assert_eq!(text, expected);
        assert_eq!(
            changed.definers.into_iter().collect::<Vec<_>>(),
            ["`gone`@`10.0.0.1`", "`ro``ot`@`localhost`"]
        );
    }

    #[test]
    fn without_definers_whoever_reads_the_dump_is_one() {
        let dump = format!(
            "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t */;;\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n\
             CREATE DEFINER=`a`@`%` PROCEDURE `p`()\n{END}"
        );
        let (text, _) = read_with(&dump, Definers::LeftOut).unwrap();
        assert_eq!(text, dump.replace("DEFINER=`a`@`%`", ""));
        assert_eq!(read_with(&dump, Definers::Kept).unwrap().0, dump);
    }

    #[test]
    fn a_dump_that_is_not_whole_is_no_end_but_an_error() {
        for cut in ["", "SELECT 1;\n", "-- Dump comple", "-- Dump completed\nSELECT 1;\n"] {
            assert_eq!(read(cut).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{cut:?}");
        }
        // The last line break may be missing, and blank ones may follow.
        read("SELECT 1;\n-- Dump completed").unwrap();
        read("-- Dump completed on x\n\n\n").unwrap();
    }

    #[test]
    fn what_reaches_beyond_one_database_is_refused() {
        for line in [
            "USE `mysql`;",
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `x`;",
            "/*!40000 DROP DATABASE IF EXISTS `x`*/;",
            "grant all on *.* to x;",
            "\\! rm -rf /",
            "  Set Global x = 1;",
        ] {
            let error = read(&format!("{line}\n{END}")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{line}");
        }
    }

    #[test]
    fn views_name_no_database() {
        let head = "-- Host: db    Database: _a1\n";
        let view = "/*!50001 VIEW `v` AS select `_a1`.`t`.`name` AS `name`,`_a10`.`x` from `t` */;\n";
        let (text, _) = read(&format!("{head}{view}{END}")).unwrap();
        assert_eq!(text, format!("{head}{}{END}", view.replace("`_a1`.`t`", "`t`")));
    }

    #[test]
    fn long_lines_pass_unchanged() {
        let long = format!("INSERT INTO t VALUES ('{}');\n", "USE x ".repeat(40_000));
        let (text, _) = read(&format!("{long}{END}")).unwrap();
        assert_eq!(text, format!("{long}{END}"));
    }
}
