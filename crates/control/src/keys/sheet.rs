//! The recovery sheet: what somebody has to type who has nothing but a copy of the repositories, the file with the keys, and
//! a Debian machine. It is plain text, to be printed and laid beside the backup disks.

use eclusa_vault::DoneBy;

/// One tenant on the sheet.
pub(super) struct Entry {
    pub(super) tenant: String,
    pub(super) fingerprint: String,
    pub(super) places: Vec<String>,
    pub(super) password: Option<String>,
}

/// The file that the sheet is about.
pub(super) struct Made<'a> {
    pub(super) stack: &'a str,
    pub(super) file: &'a str,
    pub(super) by: &'a DoneBy,
    pub(super) passphrase: bool,
}

/// The sheet. `wrapped` is the directory in which a stack key wraps the keys, if one does.
pub(super) fn text(made: &Made<'_>, wrapped: Option<&str>, entries: &[Entry]) -> String {
    let Made { stack, file, by, passphrase } = *made;
    let secret = entries.iter().any(|entry| entry.password.is_some());
    let mut lines = vec![
        format!("RECOVERY SHEET: restore points of the stack {stack}"),
        format!("Made {} by {}.", by.at.strftime("%Y-%m-%d %H:%M UTC"), by.by),
        String::new(),
    ];
    if secret {
        lines.push(
            "SECRET. The passwords stand below: whoever reads this sheet reads all backups.".to_owned(),
        );
    } else {
        lines.push(format!("No password stands here. They are in the file {file}, which is encrypted."));
    }
    lines.push(
        "Without the passwords nobody, also not who made the program, can read the backups.".to_owned(),
    );
    lines.extend([String::new(), "WHAT IS NEEDED".to_owned(), String::new()]);
    lines.push(
        "  - a copy of the repositories (below, where they were), on a disk or from a mirror".to_owned(),
    );
    if !secret {
        lines.push(format!("  - the file {file}"));
        lines.push(if passphrase {
            "  - the passphrase that was chosen for it".to_owned()
        } else {
            "  - the age identity (AGE-SECRET-KEY-1...) of one of its recipients, in a file".to_owned()
        });
    }
    lines.push("  - a Debian machine:  apt install age restic".to_owned());
    lines.extend([String::new(), "WITH age AND restic ALONE".to_owned(), String::new()]);
    lines.extend(steps(file, passphrase, secret));
    lines.extend(wrapped.into_iter().flat_map(by_stack_key));
    lines.extend([String::new(), "WITH ECLUSA".to_owned(), String::new()]);
    let identity = if passphrase { "" } else { " --identity IDENTITY-FILE" };
    lines.push(format!("  eclusa keys recover {file}{identity}"));
    lines.push("  eclusa restore TENANT --check".to_owned());
    lines.extend([String::new(), "TENANTS".to_owned()]);
    for entry in entries {
        lines.push(String::new());
        lines.push(format!("  {}", entry.tenant));
        lines.push(format!("    fingerprint of the key: {}", entry.fingerprint));
        lines.extend(entry.places.iter().map(|place| format!("    repository:             {place}")));
        lines.extend(entry.password.iter().map(|password| format!("    password:               {password}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The other way, where the directory of keys is at hand.
fn by_stack_key(directory: &str) -> [String; 6] {
    [
        String::new(),
        "WITH THE STACK KEY INSTEAD, where a copy of the directory of keys is left".to_owned(),
        String::new(),
        format!("  The keys lie in {directory}, each wrapped by the stack key (AGE-SECRET-KEY-1..., in STACK-KEY):"),
        "       age -d -i STACK-KEY TENANT.key | restic -r REPOSITORY --no-lock --password-file /dev/stdin snapshots"
            .to_owned(),
        "  The file above opens without the stack key, and TENANT.key does not open without it.".to_owned(),
    ]
}

fn steps(file: &str, passphrase: bool, secret: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut number = 0;
    let mut step = |text: &str, commands: &[String]| {
        number += 1;
        lines.push(format!("  {number}. {text}"));
        lines.extend(commands.iter().map(|command| format!("       {command}")));
    };
    if secret {
        step("Take the tenant's password from below.", &[]);
    } else {
        let command =
            if passphrase { format!("age -d {file}") } else { format!("age -d -i IDENTITY-FILE {file}") };
        step("Show the passwords:", &[command]);
        step("Find the tenant; its password stands behind \"password\".", &[]);
    }
    step(
        "Give it to restic without writing it into a command (type it, then Enter):",
        &["read -rs RESTIC_PASSWORD; export RESTIC_PASSWORD".to_owned()],
    );
    step(
        "See what is there (REPOSITORY: the tenant's directory, in which `config` lies):",
        &["restic -r REPOSITORY --no-lock snapshots".to_owned()],
    );
    step("Take the newest out:", &["restic -r REPOSITORY --no-lock restore latest --target OUT".to_owned()]);
    step(
        "In OUT lie the database's dump, files/, configuration/ and manifest.json, which names them all.",
        &[],
    );
    step("When done:", &["unset RESTIC_PASSWORD".to_owned()]);
    lines
}
