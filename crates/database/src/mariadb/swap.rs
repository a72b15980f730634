//! Swapping what two databases hold. MariaDB cannot rename a database; the live one stays where it is (grants are by its
//! name), and its tables are renamed out of it and others into it.
//!
//! | | what is taken out | goes to | what is put in | comes from |
//! |---|---|---|---|---|
//! | in | the live tables | `..._old` | the restored ones | `..._new` |
//! | back | the live tables | `..._new` | the kept ones | `..._old` |
//!
//! Each way has the same steps, and the comment of `..._old` says which one is under way, so that a crash is seen through:
//!
//! 1. *saving*: the definitions of views, triggers, routines and events of both sides, which cannot be renamed along, are
//!    written into a table of `..._old`;
//! 2. *out*: they are dropped from the live database, all its tables are renamed out of it by one statement, and they
//!    are made again where the tables are now;
//! 3. *in*: the same from the other side into the live database. It is empty when this begins, so whatever is in it
//!    later was put in;
//! 4. *clearing*: what the swap no longer needs goes, the table of definitions among it. Nothing is read from here on, so
//!    however much of it is gone, the rest is removed the same way.
//!
//! Where only some tables take part (see [`swap_part`]), the others stay where they are; there is nothing to save then.
//!
//! One statement that renames many tables is undone by the server if it fails; if the server is killed, some are
//! renamed and some are not, and the step is simply done again for what is left.

use std::collections::BTreeSet;
use std::time::Duration;

use eclusa_ports::SwapState;
use tokio::io::AsyncReadExt;

use super::catalogue::{self, UNFINISHED, WHOLE};
use super::looking::OwnName;
use super::quote::{identifier, literal};
use super::restore::feed_text;
use super::session::{Access, Failure, Names as Programs, Session, end};
use super::swap_part;
use crate::names::{Part, part_name};

type Outcome<T> = Result<T, Failure>;

/// The comment of a database that holds what was live before.
const KEPT: &str = "eclusa: kept";
/// What the comment of `..._old` begins with while a swap is under way.
const UNDER_WAY: &str = "eclusa: swapping ";
/// The table that holds the definitions while a swap is under way.
const DEFINITIONS: &str = "eclusa_definitions";
/// How long a rename waits for a table each time, in seconds, and how often it is tried.
const LOCK_WAIT: u64 = 5;
const ATTEMPTS: usize = 5;
/// Lock wait timeout.
const BUSY: &[u32] = &[1205];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Back,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Saving,
    Out,
    In,
    Clearing,
}

const STAGES: [Stage; 4] = [Stage::Saving, Stage::Out, Stage::In, Stage::Clearing];

/// Where a swap stands, by the comments of the two copies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Nothing,
    /// Restored beside.
    Beside,
    /// Swapped in, the old one kept.
    Kept,
    UnderWay(Way, Stage),
    /// What no swap leaves behind.
    Strange(String),
}

fn words(way: Way, stage: Stage) -> String {
    let way = match way {
        Way::In => "in",
        Way::Back => "back",
    };
    let stage = match stage {
        Stage::Saving => "saving",
        Stage::Out => "out",
        Stage::In => "in",
        Stage::Clearing => "clearing",
    };
    format!("{UNDER_WAY}{way}, {stage}")
}

fn under_way(comment: &str) -> Option<(Way, Stage)> {
    let all =
        [Way::In, Way::Back].into_iter().flat_map(|way| STAGES.into_iter().map(move |stage| (way, stage)));
    all.into_iter().find(|(way, stage)| words(*way, *stage) == comment)
}

/// The names of what takes part.
struct Names {
    live: String,
    new: String,
    old: String,
}

impl Names {
    fn of(name: &str, suffix: &str) -> Self {
        Self {
            live: name.to_owned(),
            new: part_name(name, suffix, Part::New),
            old: part_name(name, suffix, Part::Old),
        }
    }

    /// Where what is live goes.
    fn out(&self, way: Way) -> &str {
        if way == Way::In { &self.old } else { &self.new }
    }

    /// Where what becomes live comes from.
    fn from(&self, way: Way) -> &str {
        if way == Way::In { &self.new } else { &self.old }
    }
}

async fn look(session: &mut Session, names: &Names) -> Outcome<Standing> {
    let new = catalogue::comment(session, &names.new).await?;
    let old = catalogue::comment(session, &names.old).await?;
    Ok(match (new.as_deref(), old.as_deref()) {
        (None | Some(UNFINISHED), None) => Standing::Nothing,
        (Some(WHOLE), None) => Standing::Beside,
        // A way back that had not begun may have made the other one.
        (None | Some(UNFINISHED), Some(KEPT)) => Standing::Kept,
        (_, Some(comment)) => match under_way(comment) {
            Some((way, stage)) => Standing::UnderWay(way, stage),
            None => Standing::Strange(format!("{} is there with the comment {comment:?}", names.old)),
        },
        (Some(comment), None) => {
            Standing::Strange(format!("{} is there with the comment {comment:?}", names.new))
        }
    })
}

pub(crate) async fn state(session: &mut Session, name: &str, suffix: &str) -> Outcome<SwapState> {
    let names = Names::of(name, suffix);
    Ok(match look(session, &names).await? {
        Standing::Nothing => SwapState::Nothing,
        Standing::Beside => SwapState::Beside,
        Standing::Kept => SwapState::SwappedIn,
        Standing::UnderWay(..) => SwapState::Halfway,
        Standing::Strange(what) => return Err(Failure::Said(what)),
    })
}

pub(crate) async fn swap(access: &Access, name: &str, suffix: &str, way: Way) -> Outcome<()> {
    let names = Names::of(name, suffix);
    let mut session = Session::open(access).await?;
    settled(&mut session, &names).await?;
    if catalogue::comment(&mut session, name).await?.is_none() {
        return Err(Failure::Said(format!("the database {name:?} does not exist")));
    }
    let nothing = |what: &str| Err(Failure::Said(format!("nothing can be swapped {what}")));
    match (look(&mut session, &names).await?, way) {
        (Standing::Kept, Way::In) | (Standing::Beside | Standing::Nothing, Way::Back) => Ok(()),
        (Standing::Beside, Way::In) => {
            alone(&mut session, name).await?;
            let comment = words(Way::In, Stage::Saving);
            catalogue::create_like(&mut session, &names.old, name, &comment).await?;
            finish(access, &names, Way::In, Stage::Saving).await
        }
        (Standing::Kept, Way::Back) => {
            alone(&mut session, name).await?;
            catalogue::drop_database(&mut session, &names.new).await?;
            catalogue::create_like(&mut session, &names.new, name, UNFINISHED).await?;
            catalogue::set_comment(&mut session, &names.old, &words(Way::Back, Stage::Saving)).await?;
            finish(access, &names, Way::Back, Stage::Saving).await
        }
        (Standing::UnderWay(begun, stage), wanted) => {
            // Whichever way it was going, it is finished that way first: only then it is known what is where.
            finish(access, &names, begun, stage).await?;
            if begun == wanted { Ok(()) } else { Box::pin(swap(access, name, suffix, wanted)).await }
        }
        (Standing::Nothing, Way::In) => nothing("in: no copy lies beside"),
        (Standing::Strange(what), _) => Err(Failure::Said(what)),
    }
}

/// Refuses to begin while other databases refer to the live tables.
pub(crate) async fn alone(session: &mut Session, name: &str) -> Outcome<()> {
    let referring = catalogue::referring(session, name).await?;
    if referring.is_empty() {
        return Ok(());
    }
    Err(Failure::Said(format!(
        "tables of other databases refer to tables of {name:?}, and would follow them out of it: {}; drop these keys \
         first, and make them again afterwards",
        referring.join(", ")
    )))
}

/// A process that was killed leaves its client running where the server is, and what it was told already may still be
/// carried out: it is waited for, since only after it the state is the state.
async fn settled(session: &mut Session, names: &Names) -> Outcome<()> {
    for _ in 0..150 {
        let renaming = session
            .text(&format!(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() \
                 AND INFO REGEXP '^(RENAME|ALTER|CREATE|DROP|INSERT) ' AND LOCATE({}, INFO) > 0;",
                literal(&names.old)
            ))
            .await?;
        if renaming == "0" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Failure::Said("another session is still swapping the tables of this database".to_owned()))
}

async fn finish(access: &Access, names: &Names, way: Way, stage: Stage) -> Outcome<()> {
    let mut session = Session::open(access).await?;
    if stage == Stage::Saving {
        let copy = if way == Way::In { &names.new } else { &names.old };
        match swap_part::read(&mut session, copy).await? {
            Some(tables) => swap_part::write(&mut session, &names.old, &tables).await?,
            None => save(access, &mut session, names, way).await?,
        }
        eclusa_crash::point("mariadb.swap.saved");
        catalogue::set_comment(&mut session, &names.old, &words(way, Stage::Out)).await?;
    }
    let part = swap_part::read(&mut session, &names.old).await?;
    if stage <= Stage::Out {
        // From here on it is read from the other copy alone.
        swap_part::clear(&mut session, &names.new).await?;
        let taking = Transfer { from: &names.live, to: names.out(way), side: "out" };
        transfer(access, &mut session, names, taking, part.as_ref()).await?;
        eclusa_crash::point("mariadb.swap.out");
        catalogue::set_comment(&mut session, &names.old, &words(way, Stage::In)).await?;
    }
    if stage <= Stage::In {
        let putting = Transfer { from: names.from(way), to: &names.live, side: "in" };
        transfer(access, &mut session, names, putting, part.as_ref()).await?;
        eclusa_crash::point("mariadb.swap.in");
        catalogue::set_comment(&mut session, &names.old, &words(way, Stage::Clearing)).await?;
    }
    if way == Way::Back {
        if let Some(tables) = part {
            swap_part::write(&mut session, &names.new, &tables).await?;
        }
        catalogue::set_comment(&mut session, &names.new, WHOLE).await?;
        return catalogue::drop_database(&mut session, &names.old).await;
    }
    catalogue::drop_database(&mut session, &names.new).await?;
    session.run(&format!("DROP TABLE IF EXISTS {};", definitions(names))).await?;
    eclusa_crash::point("mariadb.swap.cleared");
    catalogue::set_comment(&mut session, &names.old, KEPT).await
}

fn definitions(names: &Names) -> String {
    format!("{}.{}", identifier(&names.old), identifier(DEFINITIONS))
}

/// Writes the definitions of both sides down before any of them is dropped.
async fn save(access: &Access, session: &mut Session, names: &Names, way: Way) -> Outcome<()> {
    let table = definitions(names);
    session
        .run(&format!(
            "CREATE OR REPLACE TABLE {table} (side VARCHAR(8) PRIMARY KEY, text LONGBLOB NOT NULL) ENGINE = InnoDB;"
        ))
        .await?;
    for (side, database) in [("out", names.live.as_str()), ("in", names.from(way))] {
        let text = defined(access, session, database).await?;
        session.run(&format!("INSERT INTO {table} VALUES ('{side}', x'{}');", hex::encode(text))).await?;
    }
    Ok(())
}

/// What is defined in a database besides its tables, as statements for the client; empty when there is nothing.
async fn defined(access: &Access, session: &mut Session, database: &str) -> Outcome<Vec<u8>> {
    let of = literal(database);
    let others = session
        .text(&format!(
            "SELECT (SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {of}) \
             + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {of}) \
             + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {of});"
        ))
        .await?;
    let mut text = Vec::new();
    let shape =
        ["--skip-opt", "--no-data", "--skip-comments", "--skip-dump-date", "--quote-names", "--set-charset"];
    let views = views(session, database).await?;
    if others != "0" {
        // Routines first: views and triggers may call them.
        let more = ["--no-create-info", "--routines", "--triggers", "--events", "--"];
        let mut arguments: Vec<String> = shape.iter().chain(&more).map(|word| (*word).to_owned()).collect();
        arguments.push(database.to_owned());
        text.extend(written(access, session.names, &arguments).await?);
    }
    if !views.is_empty() {
        let more = ["--skip-triggers", "--"];
        let mut arguments: Vec<String> = shape.iter().chain(&more).map(|word| (*word).to_owned()).collect();
        arguments.push(database.to_owned());
        arguments.extend(views);
        let written = written(access, session.names, &arguments).await?;
        text.extend(OwnName::of(database).left_out(&written));
    }
    Ok(text)
}

async fn views(session: &mut Session, database: &str) -> Outcome<Vec<String>> {
    session
        .texts(&format!(
            "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {} ORDER BY TABLE_NAME;",
            literal(database)
        ))
        .await
}

/// What the program that writes dumps writes with these arguments; a short text.
pub(super) async fn written(access: &Access, programs: Programs, arguments: &[String]) -> Outcome<Vec<u8>> {
    let mut stream = access.start_mariadb(programs.dump(), arguments).await?;
    let mut text = Vec::new();
    let read = stream.stdout.read_to_end(&mut text).await;
    let result = end(stream.ended).await?;
    if result.code != 0 {
        return Err(Failure::Ended(result));
    }
    read.map(|_| text).map_err(|error| Failure::Said(error.to_string()))
}

/// What is moved, and which of the saved definitions are made again there.
struct Transfer<'a> {
    from: &'a str,
    to: &'a str,
    side: &'static str,
}

/// Moves everything of one database, or the tables that take part, into another that is empty of it. What was moved already
/// is left.
async fn transfer(
    access: &Access,
    session: &mut Session,
    names: &Names,
    what: Transfer<'_>,
    part: Option<&BTreeSet<String>>,
) -> Outcome<()> {
    let Transfer { from, to, side } = what;
    if part.is_none() {
        undefine(session, from).await?;
        eclusa_crash::point("mariadb.swap.undefined");
    }
    let mut tables = catalogue::tables(session, from).await?;
    tables.retain(|table| table != DEFINITIONS && table != swap_part::TABLES);
    if from == names.live {
        tables.retain(|table| part.is_none_or(|part| part.contains(table)));
    }
    if !tables.is_empty() {
        rename(access, names, from, to, &tables).await?;
    }
    eclusa_crash::point("mariadb.swap.renamed");
    if part.is_some() {
        return Ok(());
    }
    let text =
        session.text(&format!("SELECT HEX(text) FROM {} WHERE side = '{side}';", definitions(names))).await?;
    let text = hex::decode(text).map_err(|error| Failure::Said(error.to_string()))?;
    if text.is_empty() {
        return Ok(());
    }
    // A try that was cut off may have made some of them.
    undefine(session, to).await?;
    feed_text(access, session.names, to, text).await
}

/// Drops what cannot be renamed along.
async fn undefine(session: &mut Session, database: &str) -> Outcome<()> {
    let of = literal(database);
    let statements = session
        .texts(&format!(
            "SELECT CONCAT('DROP TRIGGER IF EXISTS ', {own}, QUOTE_IDENTIFIER, ';') FROM (\
               SELECT CONCAT('`', REPLACE(TRIGGER_NAME, '`', '``'), '`') AS QUOTE_IDENTIFIER \
               FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {of}) AS t \
             UNION ALL SELECT CONCAT('DROP VIEW IF EXISTS ', {own}, '`', REPLACE(TABLE_NAME, '`', '``'), '`;') \
               FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {of} \
             UNION ALL SELECT CONCAT('DROP ', ROUTINE_TYPE, ' IF EXISTS ', {own}, '`', REPLACE(ROUTINE_NAME, '`', '``'), '`;') \
               FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {of} \
             UNION ALL SELECT CONCAT('DROP EVENT IF EXISTS ', {own}, '`', REPLACE(EVENT_NAME, '`', '``'), '`;') \
               FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {of};",
            own = literal(&format!("{}.", identifier(database)))
        ))
        .await?;
    for statement in statements {
        session.run(&statement).await?;
    }
    Ok(())
}

/// Renames tables by one statement, after who is connected was ended.
async fn rename(access: &Access, names: &Names, from: &str, to: &str, tables: &[String]) -> Outcome<()> {
    let pairs: Vec<String> = tables
        .iter()
        .map(|table| {
            let table = identifier(table);
            format!("{}.{table} TO {}.{table}", identifier(from), identifier(to))
        })
        .collect();
    let sql = format!(
        "SET SESSION lock_wait_timeout = {LOCK_WAIT}, SESSION foreign_key_checks = 0; RENAME TABLE {};",
        pairs.join(", ")
    );
    let databases = [names.live.as_str(), names.new.as_str(), names.old.as_str()];
    let mut last = None;
    for _ in 0..ATTEMPTS {
        catalogue::terminate(access, &databases).await?;
        eclusa_crash::point("mariadb.swap.alone");
        let mut renaming = Session::open(access).await?;
        match renaming.run(&sql).await {
            Err(failure) if failure.is_error(BUSY) => last = Some(failure),
            outcome => return outcome,
        }
    }
    let mut session = Session::open(access).await?;
    let who = catalogue::connected(&mut session, &databases).await.unwrap_or_default();
    Err(match last {
        Some(failure) if who.is_empty() => failure,
        _ => Failure::Said(who.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_each_stage_are_read_back() {
        for way in [Way::In, Way::Back] {
            for stage in STAGES {
                assert_eq!(under_way(&words(way, stage)), Some((way, stage)));
            }
        }
        assert_eq!(under_way(KEPT), None);
        assert_eq!(under_way("somebody's own"), None);
    }
}
