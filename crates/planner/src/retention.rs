//! Which restore points stay, and why: rules of `[stacks.NAME.keep]`, and what must never go. Pure.

use std::collections::{BTreeMap, BTreeSet};

use eclusa_config::Keep;
use eclusa_model::PointId;
use eclusa_runbook::PointKind;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

/// A restore point, as far as it matters whether it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: PointId,
    /// When its snapshot of the data was.
    pub taken_at: Timestamp,
    /// Why it was taken.
    pub kind: PointKind,
}

/// Why a point stays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It is the newest of the tenant.
    Newest,
    /// It is the last one that was restored and proved.
    Proved,
    /// A rollback to the release before would need it.
    Rollback,
    /// A run that has not ended uses it.
    Run(String),
    /// Somebody has said that it must not go.
    Held(String),
    /// It holds what is nowhere else.
    Salvage,
    /// It is among the last.
    Last,
    /// No rule speaks of the tenant.
    NoRule,
    /// It is young enough.
    Within,
    /// It is the newest of its hour.
    Hourly,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// It is the newest of its month.
    Monthly,
    /// It is the newest of its year.
    Yearly,
}

/// What of a tenant's points is needed, whatever the rules say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// The last point that was restored and proved.
    pub proved: Option<PointId>,
    /// The point that a rollback to the release before would need.
    pub rollback: Option<PointId>,
    /// Points that somebody has said must not go, with why.
    pub held: BTreeMap<PointId, String>,
    /// Points of runs that have not ended, with the run.
    pub runs: BTreeMap<PointId, String>,
}

/// For each point, in the order given, why it stays; an empty set: it goes. Hours, days, weeks, months and years are those
/// of `zone`; a point from the future is young.
#[must_use]
pub fn retain(
    points: &[Candidate],
    keep: &Keep,
    needed: &Needed,
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<BTreeSet<Why>> {
    let mut reasons: Vec<BTreeSet<Why>> = points.iter().map(|point| always(point, needed)).collect();
    let mut backups: Vec<usize> = (0..points.len()).collect();
    backups.sort_by_key(|place| {
        points.get(*place).map(|point| (std::cmp::Reverse(point.taken_at), point.id.clone()))
    });
    if let Some(first) = backups.first().and_then(|place| reasons.get_mut(*place)) {
        first.insert(Why::Newest);
    }
    let young = |point: &Candidate, period: Option<eclusa_config::Period>| {
        period.is_some_and(|period| {
            let age = now.duration_since(point.taken_at);
            age <= SignedDuration::try_from(period.as_duration()).unwrap_or(SignedDuration::MAX)
        })
    };
    let mut counters = rules(keep);
    backups.retain(|place| points.get(*place).is_some_and(|point| point.kind.is_backup()));
    for (number, place) in backups.iter().enumerate() {
        let (Some(point), Some(own)) = (points.get(*place), reasons.get_mut(*place)) else { continue };
        if number < keep.last as usize {
            own.insert(Why::Last);
        }
        if young(point, keep.within) {
            own.insert(Why::Within);
        }
        let at = point.taken_at.to_zoned(zone.clone());
        own.extend(counters.iter_mut().filter_map(|rule| rule.wants(&at)));
    }
    for (point, own) in points.iter().zip(&mut reasons) {
        let stays = keep.salvages.is_none() || young(point, keep.salvages);
        if !point.kind.is_backup() && stays {
            own.insert(Why::Salvage);
        }
    }
    reasons
}

fn always(point: &Candidate, needed: &Needed) -> BTreeSet<Why> {
    let mut why = BTreeSet::new();
    if needed.proved.as_ref() == Some(&point.id) {
        why.insert(Why::Proved);
    }
    if needed.rollback.as_ref() == Some(&point.id) {
        why.insert(Why::Rollback);
    }
    if let Some(reason) = needed.held.get(&point.id) {
        why.insert(Why::Held(reason.clone()));
    }
    if let Some(run) = needed.runs.get(&point.id) {
        why.insert(Why::Run(run.clone()));
    }
    why
}

/// A rule that keeps the newest point of each of so many periods, going back from the newest point.
struct Rule {
    why: Why,
    left: u32,
    period: fn(&Zoned) -> (Date, i8),
    last: Option<(Date, i8)>,
}

impl Rule {
    /// Whether it wants this point, which is older than those that it was asked about before.
    fn wants(&mut self, at: &Zoned) -> Option<Why> {
        let period = (self.period)(at);
        if self.left == 0 || self.last == Some(period) {
            return None;
        }
        self.last = Some(period);
        self.left -= 1;
        Some(self.why.clone())
    }
}

fn rules(keep: &Keep) -> Vec<Rule> {
    let rule = |why, left, period| Rule { why, left, period, last: None };
    vec![
        rule(Why::Hourly, keep.hourly, |at| (at.date(), at.hour())),
        rule(Why::Daily, keep.daily, |at| (at.date(), 0)),
        rule(Why::Weekly, keep.weekly, |at| (monday_of(at.date()), 0)),
        rule(Why::Monthly, keep.monthly, |at| (at.date().first_of_month(), 0)),
        rule(Why::Yearly, keep.yearly, |at| (at.date().first_of_year(), 0)),
    ]
}

/// The day on which a day's week began.
fn monday_of(date: Date) -> Date {
    let since = i64::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(jiff::Span::new().days(since)).unwrap_or(date)
}
