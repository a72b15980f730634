//! Which restore points stay: by rules, and whatever the rules say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use eclusa_config::{Keep, Period};
use eclusa_model::PointId;
use eclusa_planner::{Candidate, Needed, Why, retain};
use eclusa_runbook::PointKind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn id(number: usize) -> PointId {
    PointId::new(format!("{number:064x}")).unwrap()
}

fn point(number: usize, at: &str) -> Candidate {
    Candidate { id: id(number), taken_at: at.parse().unwrap(), kind: PointKind::Backup }
}

/// What stays, as words: the number of the point and why.
fn stays(points: &[Candidate], keep: &Keep, needed: &Needed, zone: &str) -> Vec<(usize, Vec<Why>)> {
    let zone = TimeZone::get(zone).unwrap();
    let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    retain(points, keep, needed, now, &zone)
        .into_iter()
        .enumerate()
        .filter(|(_, why)| !why.is_empty())
        .map(|(number, why)| (number, why.into_iter().collect()))
        .collect()
}

#[test]
fn the_newest_of_each_day_week_and_month_stays() {
    let points = [
        point(0, "2026-03-10T03:00:00Z"),
        point(1, "2026-03-10T01:00:00Z"),
        point(2, "2026-03-09T03:00:00Z"),
        point(3, "2026-03-08T03:00:00Z"),
        point(4, "2026-03-01T03:00:00Z"),
        point(5, "2026-02-28T03:00:00Z"),
        point(6, "2025-12-31T03:00:00Z"),
    ];
    let keep = Keep { daily: 2, weekly: 2, monthly: 2, yearly: 2, ..Keep::default() };
    assert_eq!(
        stays(&points, &keep, &Needed::default(), "UTC"),
        [
            (0, vec![Why::Newest, Why::Daily, Why::Weekly, Why::Monthly, Why::Yearly]),
            (2, vec![Why::Daily]),
            // The 8th of March is the Sunday of the week before.
            (3, vec![Why::Weekly]),
            (5, vec![Why::Monthly]),
            (6, vec![Why::Yearly]),
        ]
    );
    let keep = Keep { last: 1, within: Some(Period::parse("36h").unwrap()), ..Keep::default() };
    assert_eq!(
        stays(&points, &keep, &Needed::default(), "UTC"),
        [(0, vec![Why::Newest, Why::Last, Why::Within]), (1, vec![Why::Within]), (2, vec![Why::Within])]
    );
}

#[test]
fn a_day_is_one_of_the_place() {
    // Two nights in São Paulo, one day in Greenwich.
    let points = [point(0, "2026-03-09T03:30:00Z"), point(1, "2026-03-09T02:30:00Z")];
    let keep = Keep { daily: 2, ..Keep::default() };
    let numbers = |zone| -> Vec<usize> {
        stays(&points, &keep, &Needed::default(), zone).into_iter().map(|(number, _)| number).collect()
    };
    assert_eq!(numbers("America/Sao_Paulo"), [0, 1]);
    assert_eq!(numbers("UTC"), [0]);
}

#[test]
fn what_is_needed_stays_whatever_the_rules_say() {
    let mut points: Vec<Candidate> =
        (0..6).map(|number| point(number, &format!("2026-03-0{}T03:00:00Z", 9 - number))).collect();
    points[5].kind = PointKind::Salvage;
    let needed = Needed {
        proved: Some(id(2)),
        rollback: Some(id(3)),
        held: BTreeMap::from([(id(1), "a court asks".to_owned())]),
        runs: BTreeMap::from([(id(4), "r-1".to_owned())]),
    };
    let keep = Keep { last: 1, ..Keep::default() };
    assert_eq!(
        stays(&points, &keep, &needed, "UTC"),
        [
            (0, vec![Why::Newest, Why::Last]),
            (1, vec![Why::Held("a court asks".to_owned())]),
            (2, vec![Why::Proved]),
            (3, vec![Why::Rollback]),
            (4, vec![Why::Run("r-1".to_owned())]),
            (5, vec![Why::Salvage]),
        ]
    );
    // A salvage point goes only by its own rule, and takes no place of a backup.
    let keep = Keep { last: 6, salvages: Some(Period::parse("1d").unwrap()), ..Keep::default() };
    let numbers: Vec<usize> =
        stays(&points, &keep, &Needed::default(), "UTC").into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (0_i64..40 * 365 * 24, any::<bool>());
    proptest::collection::vec(one, 0..60).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(number, (hours, salvage))| Candidate {
                id: id(number),
                taken_at: Timestamp::from_second(hours * 3600).unwrap(),
                kind: if salvage { PointKind::Salvage } else { PointKind::Backup },
            })
            .collect()
    })
}

fn keeps() -> impl Strategy<Value = Keep> {
    proptest::collection::vec(0_u32..9, 6).prop_map(|n| Keep {
        last: n[0],
        hourly: n[1],
        daily: n[2],
        weekly: n[3],
        monthly: n[4],
        yearly: n[5],
        ..Keep::default()
    })
}

proptest! {
    /// The newest stays, salvages stay, a rule keeps no more than it says, and one more place of a rule takes nothing away.
    #[test]
    fn rules_keep_what_they_say(points in candidates(), keep in keeps()) {
        let now: Timestamp = "2015-01-01T00:00:00Z".parse().unwrap();
        let reasons = retain(&points, &keep, &Needed::default(), now, &TimeZone::UTC);
        prop_assert_eq!(reasons.len(), points.len());
        let count = |why: &Why| reasons.iter().filter(|own| own.contains(why)).count();
        for (why, most) in [(Why::Last, keep.last), (Why::Hourly, keep.hourly), (Why::Daily, keep.daily),
            (Why::Weekly, keep.weekly), (Why::Monthly, keep.monthly), (Why::Yearly, keep.yearly)] {
            prop_assert!(count(&why) <= most as usize);
        }
        let newest = points.iter().map(|point| point.taken_at).max();
        for (point, own) in points.iter().zip(&reasons) {
            prop_assert!(point.kind != PointKind::Salvage || own.contains(&Why::Salvage));
            prop_assert_eq!(own.contains(&Why::Newest) && Some(point.taken_at) != newest, false);
        }
        prop_assert_eq!(count(&Why::Newest), usize::from(!points.is_empty()));
        let more = Keep { daily: keep.daily + 1, ..keep };
        let then = retain(&points, &more, &Needed::default(), now, &TimeZone::UTC);
        let gone: Vec<&BTreeSet<Why>> =
            reasons.iter().zip(&then).filter(|(before, after)| !before.is_subset(after)).map(|(one, _)| one).collect();
        prop_assert!(gone.is_empty());
    }

    /// The order in which points are given does not matter.
    #[test]
    fn order_does_not_matter(points in candidates(), keep in keeps()) {
        let now: Timestamp = "2015-01-01T00:00:00Z".parse().unwrap();
        let of = |points: &[Candidate]| -> BTreeMap<PointId, BTreeSet<Why>> {
            let reasons = retain(points, &keep, &Needed::default(), now, &TimeZone::UTC);
            points.iter().map(|point| point.id.clone()).zip(reasons).collect()
        };
        let mut turned = points.clone();
        turned.reverse();
        prop_assert_eq!(of(&points), of(&turned));
    }
}
