//! `eclusa keys`: which keys open the restore points, a copy of them in safety and back, new ones, those of auditors.

mod wrapping;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::keys::{self, DoneBy, Keeper, Opening, PutBack, Rewriting, Sealing, TenantKeys};
use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_model::TenantName;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{self, BOLD, GREEN, RED, YELLOW, say, tell};

/// The fewest characters of a passphrase: the file may lie where people can guess at leisure.
const SHORTEST: usize = 12;

/// The arguments.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    wanted: Wanted,
}

/// What is wanted.
#[derive(Debug, Subcommand)]
enum Wanted {
    /// Which keys open the restore points of tenants, when they were exchanged, and where copies of them are.
    Ls {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
    },
    /// Write the keys into one encrypted file, and a sheet that says how to get at the data with it.
    Escrow(EscrowArguments),
    /// Put keys back from such a file.
    Recover(RecoverArguments),
    /// Give tenants new keys. The ones before open their restore points no longer.
    Rotate {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
    },
    /// Wrap the keys that lie on the disk as they are, by the stack key of the configuration.
    Wrap {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
    },
    /// After the stack key was changed: wrap by it what the one before wrapped, and what lies as it is.
    Rewrap {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
        /// Where the stack key before stands, as file:PATH or env:NAME.
        #[arg(long, value_name = "REFERENCE")]
        from: String,
    },
    /// Lay the keys on the disk as they are, without the stack key.
    Unwrap {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
        /// Where the stack key stands that wrapped them, as file:PATH or env:NAME; otherwise that of the configuration.
        #[arg(long, value_name = "REFERENCE")]
        from: Option<String>,
    },
    /// Keys of others, who shall be able to read.
    #[command(subcommand)]
    Auditor(AuditorCommand),
    /// Print a tenant's key: the password with which restic opens its restore points.
    Show {
        /// The tenant.
        tenant: TenantName,
        /// Do not ask.
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// The arguments of `escrow`.
#[derive(Debug, Args)]
struct EscrowArguments {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// The file to write; one that is there is not overwritten. The sheet is written beside it.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// For this age recipient (age1…) instead of a passphrase; may be given several times.
    #[arg(long, value_name = "RECIPIENT", conflicts_with = "passphrase")]
    to: Vec<String>,
    /// Where the passphrase stands, as file:PATH or env:NAME; otherwise it is asked.
    #[arg(long, value_name = "REFERENCE")]
    passphrase: Option<String>,
    /// Print the passwords on the recovery sheet. It is a secret then.
    #[arg(long)]
    with_passwords: bool,
}

/// The arguments of `recover`.
#[derive(Debug, Args)]
struct RecoverArguments {
    /// The file that `escrow` wrote.
    file: PathBuf,
    /// The tenants; all that are in it when none is named.
    tenants: Vec<TenantName>,
    /// The file with the age identity (AGE-SECRET-KEY-1…).
    #[arg(long, short, value_name = "FILE", conflicts_with = "passphrase")]
    identity: Option<PathBuf>,
    /// Where the passphrase stands, as file:PATH or env:NAME; otherwise it is asked.
    #[arg(long, value_name = "REFERENCE")]
    passphrase: Option<String>,
    /// Put keys in the place of other ones, which are kept beside.
    #[arg(long)]
    replace: bool,
}

/// What becomes of an auditor.
#[derive(Debug, Subcommand)]
enum AuditorCommand {
    /// Give somebody a key of their own. Its password is written or printed this once.
    Add {
        /// What the auditor is called.
        name: String,
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
        /// Write the password into this new file, which only you may read, instead of printing it.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take somebody's key back.
    Remove {
        /// What the auditor is called.
        name: String,
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
    },
}

impl Keys {
    /// Does it. Nothing of the stack has to run.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let workspace = session.workspace()?;
        let keeper = Keeper::of(&workspace, session.arguments.stack.as_deref())?;
        let by = DoneBy { at: Timestamp::now(), by: session.person()?.to_string() };
        match self.wanted {
            Wanted::Ls { tenants } => list(session, &keeper, &tenants).await,
            Wanted::Escrow(arguments) => escrow(session, &keeper, &arguments, &by).await,
            Wanted::Recover(arguments) => recover(session, &keeper, &arguments, by.at).await,
            Wanted::Rotate { tenants } => rotate(session, &keeper, &tenants, &by).await,
            Wanted::Wrap { tenants } => wrapping::run(session, &keeper, &tenants, Rewriting::Wrap).await,
            Wanted::Rewrap { tenants, from } => {
                wrapping::run(session, &keeper, &tenants, Rewriting::Rewrap(&from)).await
            }
            Wanted::Unwrap { tenants, from } => {
                wrapping::run(session, &keeper, &tenants, Rewriting::Unwrap(from.as_deref())).await
            }
            Wanted::Auditor(AuditorCommand::Add { name, tenants, output }) => {
                add_auditor(session, &keeper, (&name, &tenants), output.as_deref(), &by).await
            }
            Wanted::Auditor(AuditorCommand::Remove { name, tenants }) => {
                let removed = keeper.remove_auditor(&name, &tenants, &by).await?;
                let text = Message::new("keys-auditor-removed").with("name", name);
                tell(text.with("tenants", names(&removed)).render(&session.language));
                Ok(Exit::Ok)
            }
            Wanted::Show { tenant, yes } => show(session, &keeper, &tenant, yes).await,
        }
    }
}

fn names(tenants: &[TenantName]) -> String {
    tenants.iter().map(TenantName::as_str).collect::<Vec<_>>().join(", ")
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

async fn list(session: &Session, keeper: &Keeper, tenants: &[TenantName]) -> Result<Exit> {
    let all = keeper.list(tenants).await?;
    if session.json() {
        let text = json!({ "format": 1, "stack": keeper.stack, "tenants": all });
        say(text);
        return Ok(Exit::Ok);
    }
    let language = &session.language;
    if all.is_empty() {
        tell(Message::new("keys-none").render(language));
    }
    for keys in &all {
        say(format!("{BOLD}{}{BOLD:#}", keys.tenant));
        say(described(keys, keeper.has_stack_key(), language));
    }
    Ok(Exit::Ok)
}

/// A tenant's keys as a table of two columns.
fn described(keys: &TenantKeys, wrapping: bool, language: &Language) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    let text = |id: &str| Message::new(id).render(language);
    let own = match (&keys.fingerprint, keys.opens) {
        (None, _) => format!("{RED}{}{RED:#}", text("keys-own-missing")),
        (Some(fingerprint), Some(false)) => format!("{fingerprint}  {RED}{}{RED:#}", text("keys-own-wrong")),
        (Some(fingerprint), None) => format!("{fingerprint}  {}", text("keys-own-unused")),
        (Some(fingerprint), Some(true)) => fingerprint.clone(),
    };
    table.add_row([text("keys-row-own"), own]);
    let rotated = keys.rotated.as_ref();
    table.add_row([
        text("keys-row-rotated"),
        rotated.map_or_else(|| text("keys-never"), |done| format!("{} by {}", time(done.at), done.by)),
    ]);
    let escrow = match keys.escrow() {
        Some(escrow) => format!("{} by {}, {}", time(escrow.made.at), escrow.made.by, escrow.file),
        None if keys.escrows.is_empty() => format!("{YELLOW}{}{YELLOW:#}", text("keys-never")),
        None => format!("{YELLOW}{}{YELLOW:#}", text("keys-escrow-before")),
    };
    table.add_row([text("keys-row-escrow"), escrow]);
    for auditor in &keys.auditors {
        let since = format!("{}, since {}", auditor.name, time(auditor.added.at));
        table.add_row([text("keys-row-auditor"), since]);
    }
    for stranger in &keys.strangers {
        let id = stranger.id.get(..8).unwrap_or(&stranger.id);
        let whose = stranger.whose.as_deref().unwrap_or("–");
        table.add_row([text("keys-row-stranger"), format!("{id} ({whose})")]);
    }
    for (id, files) in [("keys-row-wrapped", &keys.wrapped), ("keys-row-plain", &keys.plain)] {
        // Where nothing is wrapped, nothing has to be said of it.
        if !files.is_empty() && (wrapping || !keys.wrapped.is_empty()) {
            table.add_row([text(id), files.join(", ")]);
        }
    }
    let list =
        |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    if !keys.behind.is_empty() {
        table.add_row([text("keys-row-behind"), list(&keys.behind)]);
    }
    if !keys.keeping.is_empty() {
        table.add_row([text("keys-row-keeping"), list(&keys.keeping)]);
    }
    if keys.unfinished {
        table.add_row([
            text("keys-row-unfinished"),
            format!("{YELLOW}eclusa keys rotate {}{YELLOW:#}", keys.tenant),
        ]);
    }
    table
}

async fn escrow(
    session: &Session,
    keeper: &Keeper,
    arguments: &EscrowArguments,
    by: &DoneBy,
) -> Result<Exit> {
    let mut sheet = arguments.output.clone().into_os_string();
    sheet.push(".recovery.txt");
    let sheet = PathBuf::from(sheet);
    // Before anybody has thought of a passphrase.
    if let Some(there) = [arguments.output.as_path(), sheet.as_path()].iter().find(|path| path.exists()) {
        return Err(Fault::new(Code::FileAccess)
            .with("path", there.display())
            .with("operation", "write")
            .because("it is there already"));
    }
    let sealing = if arguments.to.is_empty() {
        Sealing::Passphrase(new_passphrase(session, keeper, arguments)?)
    } else {
        Sealing::Recipients(arguments.to.clone())
    };
    let done =
        keeper.escrow(&arguments.tenants, &sealing, &arguments.output, by, arguments.with_passwords).await?;
    keys::write_private(&sheet, &done.sheet)?;
    let language = &session.language;
    if session.json() {
        say(json!({ "format": 1, "file": arguments.output, "sheet": sheet, "keys": done.keys }));
        return Ok(Exit::Ok);
    }
    for (tenant, fingerprint) in &done.keys {
        say(format!("{tenant}  {fingerprint}"));
    }
    let text = |id: &str| {
        Message::new(id)
            .with("file", arguments.output.display())
            .with("sheet", sheet.display())
            .render(language)
    };
    tell(format!("{GREEN}✓{GREEN:#} {}", text("keys-escrow-written")));
    tell(text(if arguments.with_passwords { "keys-escrow-sheet-secret" } else { "keys-escrow-sheet" }));
    tell(text("keys-escrow-elsewhere"));
    Ok(Exit::Ok)
}

fn refused(path: &Path, problem: &str) -> Fault {
    Fault::new(Code::EscrowInvalid).with("path", path.display()).with("problem", problem)
}

fn new_passphrase(session: &Session, keeper: &Keeper, arguments: &EscrowArguments) -> Result<SecretString> {
    let path = &arguments.output;
    let passphrase = match &arguments.passphrase {
        Some(reference) => keeper.secret(reference)?,
        None => {
            let ask = |id: &str| asked(session, id, path);
            let first = ask("keys-ask-passphrase")?;
            if first.expose_secret() != ask("keys-ask-again")?.expose_secret() {
                return Err(refused(path, "the two passphrases differ; nothing was written"));
            }
            first
        }
    };
    if passphrase.expose_secret().chars().count() < SHORTEST {
        return Err(refused(
            path,
            &format!("the passphrase has fewer than {SHORTEST} characters; nothing was written"),
        ));
    }
    Ok(passphrase)
}

fn asked(session: &Session, id: &str, path: &Path) -> Result<SecretString> {
    if !terminal::is_interactive() {
        return Err(refused(path, "a passphrase is needed and nobody is here to type it")
            .hint(Message::new("hint-passphrase")));
    }
    terminal::ask_secret(&Message::new(id).render(&session.language))
        .ok_or_else(|| refused(path, "no passphrase was typed"))
}

async fn recover(
    session: &Session,
    keeper: &Keeper,
    arguments: &RecoverArguments,
    at: Timestamp,
) -> Result<Exit> {
    let path = &arguments.file;
    let by_passphrase = keeper.wants_passphrase(path)?;
    let opening = match (&arguments.identity, by_passphrase) {
        (Some(identity), false) => {
            Opening::Identities(SecretString::from(std::fs::read_to_string(identity).map_err(|error| {
                Fault::new(Code::FileAccess)
                    .with("path", identity.display())
                    .with("operation", "read")
                    .because(error)
            })?))
        }
        (None, false) => {
            return Err(refused(path, "an age identity opens it").hint(Message::new("hint-identity")));
        }
        (_, true) => Opening::Passphrase(match &arguments.passphrase {
            Some(reference) => keeper.secret(reference)?,
            None => asked(session, "keys-ask-open", path)?,
        }),
    };
    let done = keeper.recover(path, &opening, &arguments.tenants, arguments.replace, at).await?;
    let refused =
        |put: &PutBack| matches!(put, PutBack::Another { .. } | PutBack::Closed | PutBack::DoesNotOpen);
    let exit = if done.iter().any(|one| refused(&one.put_back)) { Exit::NoGo } else { Exit::Ok };
    if session.json() {
        say(json!({ "format": 1, "keys": done }));
        return Ok(exit);
    }
    for one in &done {
        let id = match one.put_back {
            PutBack::Written { opens: Some(true) } => "keys-recovered-opens",
            PutBack::Written { opens: Some(false) } => "keys-recovered-opens-not",
            PutBack::Written { opens: None } => "keys-recovered",
            PutBack::Already => "keys-recovered-already",
            PutBack::Another { opens: Some(true) } => "keys-recovered-another-opens",
            PutBack::Another { .. } => "keys-recovered-another",
            PutBack::Closed => "keys-recovered-closed",
            PutBack::DoesNotOpen => "keys-recovered-refused",
        };
        let text = Message::new(id).with("tenant", &one.tenant).with("fingerprint", &one.fingerprint);
        let text = text.render(&session.language);
        if refused(&one.put_back) { tell(format!("{YELLOW}{text}{YELLOW:#}")) } else { say(text) }
    }
    Ok(exit)
}

async fn rotate(session: &Session, keeper: &Keeper, tenants: &[TenantName], by: &DoneBy) -> Result<Exit> {
    let mut done = Vec::new();
    let result = keeper
        .rotate(tenants, by, |keys| {
            if !session.json() {
                let behind: Vec<&str> = keys.behind.iter().map(String::as_str).collect();
                let id = if behind.is_empty() { "keys-rotated" } else { "keys-rotated-behind" };
                let text = Message::new(id)
                    .with("tenant", &keys.tenant)
                    .with("fingerprint", keys.fingerprint.clone().unwrap_or_default())
                    .with("mirrors", behind.join(", "));
                say(text.render(&session.language));
            }
            done.push(keys.clone());
        })
        .await;
    if session.json() {
        say(json!({ "format": 1, "tenants": done }));
    }
    if !done.is_empty() && !session.json() {
        tell(Message::new("keys-rotated-honest").render(&session.language));
    }
    result.map(|()| Exit::Ok)
}

async fn add_auditor(
    session: &Session,
    keeper: &Keeper,
    (name, tenants): (&str, &[TenantName]),
    output: Option<&Path>,
    by: &DoneBy,
) -> Result<Exit> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 80 || !name.chars().all(legal) {
        return Err(Fault::new(Code::ConfigInvalid)
            .with("path", "NAME")
            .with("problem", "an auditor's name has up to 80 letters, digits, and -_."));
    }
    let password = keys::new_key();
    // The file first: a key that nobody has the password of helps nobody.
    if let Some(path) = output {
        keys::write_private(path, &format!("{}\n", password.expose_secret()))?;
    }
    let added = match keeper.add_auditor(name, tenants, &password, by).await {
        Ok(added) => added,
        Err(fault) if matches!(fault.code, Code::NothingToDo | Code::TenantUnknown) => {
            // Nobody was given it.
            let _ = output.map(std::fs::remove_file);
            return Err(fault);
        }
        Err(fault) => {
            return Err(fault.because(
                "tenants that were come to before have the auditor's key; eclusa keys ls shows them",
            ));
        }
    };
    let text = |id: &str| {
        let text = Message::new(id).with("name", name).with("tenants", names(&added));
        text.with("path", output.map(|path| path.display().to_string()).unwrap_or_default())
            .render(&session.language)
    };
    match output {
        Some(_) => tell(text("keys-auditor-written")),
        None => {
            tell(text("keys-auditor-once"));
            say(password.expose_secret());
        }
    }
    for tenant in &added {
        tell(format!("  {}", keeper.repository(tenant)));
    }
    Ok(Exit::Ok)
}

async fn show(session: &Session, keeper: &Keeper, tenant: &TenantName, yes: bool) -> Result<Exit> {
    let text = |id: &str| Message::new(id).with("tenant", tenant).render(&session.language);
    tell(format!("{YELLOW}{}{YELLOW:#}", text("keys-show-warning")));
    if !yes {
        if !terminal::is_interactive() {
            return Err(Fault::new(Code::NothingToDo)
                .with("what", "nobody is here to agree that the key is printed")
                .hint(Message::new("hint-yes")));
        }
        if !terminal::confirm(&text("keys-show-confirm")) {
            return Ok(Exit::NoGo);
        }
    }
    say(keeper.reveal(tenant).await?.expose_secret());
    Ok(Exit::Ok)
}
