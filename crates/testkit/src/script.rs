//! What goes wrong, and when.

/// What happens at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It fails and has done nothing.
    FailBefore,
    /// It fails half-way.
    FailDuring,
    /// It is done, and says that it failed.
    FailAfter,
    /// The process dies before it is done.
    CrashBefore,
    /// The process dies half-way; a command in a container goes on without it.
    CrashDuring,
    /// The process dies when it is done and has not yet answered.
    CrashAfter,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FailBefore,
        Self::FailDuring,
        Self::FailAfter,
        Self::CrashBefore,
        Self::CrashDuring,
        Self::CrashAfter,
    ];

    /// Whether the process dies.
    #[must_use]
    pub fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashDuring | Self::CrashAfter)
    }
}

/// When it happens.
#[derive(Debug, Clone)]
enum At {
    /// At the operation of this number, from 1.
    Number(usize),
    /// The how-manieth time an operation of this name is done, from 1; 0: every time.
    Name(String, usize),
}

/// What goes wrong in a world.
#[derive(Debug, Clone, Default)]
pub struct Script(Vec<(At, Trouble)>);

impl Script {
    /// At the operation of a number, counted over all, from 1.
    #[must_use]
    pub fn at(mut self, number: usize, trouble: Trouble) -> Self {
        self.0.push((At::Number(number), trouble));
        self
    }

    /// The how-manieth time (from 1; 0: every time) an operation whose name begins so is done.
    #[must_use]
    pub fn on(mut self, name: &str, time: usize, trouble: Trouble) -> Self {
        self.0.push((At::Name(name.to_owned(), time), trouble));
        self
    }

    pub(crate) fn trouble(&self, done: &[String]) -> Option<Trouble> {
        let name = done.last()?;
        self.0.iter().find_map(|(at, trouble)| {
            let now = match at {
                At::Number(number) => done.len() == *number,
                At::Name(wanted, time) => {
                    name.starts_with(wanted.as_str())
                        && (*time == 0
                            || done.iter().filter(|one| one.starts_with(wanted.as_str())).count() == *time)
                }
            };
            now.then_some(*trouble)
        })
    }
}
