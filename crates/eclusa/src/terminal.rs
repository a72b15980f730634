//! The terminal: colours, its width, whether a person sits at it, and questions to that person.

use std::io::{BufRead, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

/// Headlines.
pub const BOLD: Style = Style::new().bold();
/// What is less important.
pub const DIM: Style = Style::new().dimmed();
/// What went wrong.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// What went well.
pub const GREEN: Style = AnsiColor::Green.on_default().bold();
/// What wants attention.
pub const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// Names and phases.
pub const CYAN: Style = AnsiColor::Cyan.on_default();

/// Prints a line; a reader that has gone away (`| head`) is no fault.
pub fn say(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints a line for the person, not for a program that reads.
pub fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Whether a person sits at it.
pub fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether what is printed is seen as it comes.
pub fn is_live() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The columns of the terminal; 100 where there is none.
pub fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map(|size| usize::from(size.ws_col))
        .ok()
        .filter(|columns| *columns >= 40)
        .unwrap_or(100)
}

/// Asks yes or no; anything but a clear yes is no.
pub fn confirm(question: &str) -> bool {
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{BOLD}{question}{BOLD:#} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Asks for a line; `None` when there is none.
pub fn ask(question: &str) -> Option<String> {
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{BOLD}{question}{BOLD:#} ");
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).ok().filter(|read| *read > 0)?;
    Some(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line that is not shown while it is typed; `None` when there is none, or the terminal cannot be told so.
pub fn ask_secret(question: &str) -> Option<secrecy::SecretString> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let before = tcgetattr(std::io::stdin()).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).ok()?;
    let answer = ask(question);
    let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &before);
    tell("");
    answer.filter(|answer| !answer.is_empty()).map(secrecy::SecretString::from)
}
