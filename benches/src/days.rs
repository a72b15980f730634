//! What several days of changes come to, kept as one compressed dump a day and as restore points.
//!
//! How much of a day is stored anew depends on what has changed and where, so every figure stands below its
//! [change model](Model).

use crate::database_stack::{DatabaseStack, Server};
use crate::table::{mebibytes, print};
use crate::ways::{HEAD, Way, size_of};
use crate::{Outcome, measure};

/// What changes from one day to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    /// A day of business: new rows at the end, most of the changes among the newest.
    Business,
    /// The worst case: changes all over every table.
    Uniform,
}

impl Model {
    pub(crate) const ALL: [Self; 2] = [Self::Business, Self::Uniform];

    /// What it is, for whoever reads the figures.
    fn text(self) -> &'static str {
        match self {
            Self::Business => {
                "a day is 0.6 % new rows, and 3.2 % of the newest tenth of the rows and 0.08 % of all rows changed, in \
                 each of the five large tables"
            }
            Self::Uniform => {
                "the worst case: a day is 1 % of the rows of every table changed, spread evenly over the table"
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Business => "business",
            Self::Uniform => "worst case",
        }
    }
}

/// Measures so many days, the first of which is a whole backup, and prints what they come to. The vault is empty before.
pub(crate) fn measure_days<S: Server>(
    stack: &DatabaseStack,
    server: &S,
    model: Model,
    days: u32,
) -> Outcome<()> {
    stack.forget_points()?;
    let (mut plain, mut own) = (Way::new("the file, a day"), Way::new("eclusa backup, a day"));
    let (mut table, mut files, mut before) = (Vec::new(), 0, 0);
    for day in 1..=days {
        if day > 1 {
            server.change(model, day)?;
        }
        let file = stack.directory.join("shop.sql.gz");
        let text = format!("{} | gzip >{}", S::DUMP, file.display());
        let mut ways = [(&mut plain, server.pipe(&text)), (&mut own, stack.eclusa(&["backup"]))];
        // Whoever comes first after the changes finds less in the server's memory.
        if day % 2 == 1 {
            ways.reverse();
        }
        for (way, mut command) in ways {
            // The first day is a whole backup, which is measured elsewhere.
            if day == 1 {
                measure::must(&mut command)?;
            } else {
                way.measure(&mut command, &[server.process()])?;
            }
        }
        let (bytes, now) = (std::fs::metadata(&file)?.len(), size_of(&stack.vault()));
        files += bytes;
        table.push(vec![
            format!("day {day}"),
            mebibytes(bytes),
            mebibytes(now.saturating_sub(before)),
            share(now, files),
        ]);
        before = now;
    }
    plain.stored = files;
    own.stored = before;
    println!("\nChange model: {}.", model.text());
    let head = ["", "as a file, MiB", "added to the vault, MiB", "all so far, share of the files"];
    table.push(vec!["all".to_owned(), mebibytes(files), mebibytes(before), share(before, files)]);
    print(&format!("{days} days, {}", model.name()), &head, &table);
    print(
        &format!("A day, {} (stored: all days)", model.name()),
        &HEAD,
        &[plain.row(&plain), own.row(&plain)],
    );
    Ok(())
}

fn share(part: u64, of: u64) -> String {
    #[allow(clippy::cast_precision_loss)]
    let percent = part as f64 / of.max(1) as f64 * 100.0;
    format!("{percent:.1} %")
}
