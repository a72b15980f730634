//! The linter finds what a planner could do wrong: each finding is provoked by one change to a good plan.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use eclusa_fault::Message;
use eclusa_planner::lint;
use eclusa_runbook::{
    Action, EdgeOperation, Effect, Intent, LeaseOperation, MaintenanceOperation, Part, Phase, Plan,
    RestoreOperation, Undo, VaultOperation,
};
use proptest::prelude::*;
use support::{Candidate, Scene, Seen};

fn plan(scene: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/scenes/{scene}.scene"));
    Scene::read(&path).plan().unwrap()
}

/// Takes a step out, so that what came after it comes after what was before it.
fn without(plan: &mut Plan, wanted: impl Fn(&Effect) -> bool) {
    let found =
        |step: &eclusa_runbook::Step| matches!(&step.action, Action::Perform(effect) if wanted(effect));
    while let Some(number) = plan.steps.iter().position(found) {
        let gone = plan.steps.remove(number);
        for step in &mut plan.steps {
            if step.after.contains(&gone.name) {
                step.after.retain(|name| *name != gone.name);
                step.after.extend(gone.after.iter().cloned());
            }
        }
    }
}

fn findings(scene: &str, change: impl FnOnce(&mut Plan)) -> String {
    let mut plan = plan(scene);
    assert!(lint(&plan).is_empty());
    change(&mut plan);
    let findings: Vec<String> = lint(&plan).iter().map(ToString::to_string).collect();
    findings.join("\n")
}

fn step<'a>(plan: &'a mut Plan, name: &str) -> &'a mut eclusa_runbook::Step {
    plan.steps.iter_mut().find(|step| step.name.as_str() == name).unwrap_or_else(|| panic!("no step {name}"))
}

#[track_caller]
fn finds(found: &str, wanted: &str) {
    assert!(found.contains(wanted), "{wanted:?} is not in\n{found}");
}

#[test]
fn an_order_that_is_none() {
    finds(&findings("release-schema", |plan| plan.steps.swap(3, 20)), "which does not stand before it");
    finds(
        &findings("release-schema", |plan| {
            let own = plan.steps[4].name.clone();
            plan.steps[4].after.push(own);
        }),
        "which does not stand before it",
    );
    finds(
        &findings("release-schema", |plan| plan.steps[5].name = plan.steps[6].name.clone()),
        "the name stands twice",
    );
    finds(&findings("release-schema", |plan| plan.steps.clear()), "it has no steps");
}

#[test]
fn limits_that_are_none() {
    finds(
        &findings("release-schema", |plan| step(plan, "migrate.alpha").limits.timeout = 0),
        "migrate.alpha: it has no limit",
    );
    finds(
        &findings("release-schema", |plan| step(plan, "migrate.alpha").limits.tolerated = true),
        "its failure is tolerated before the gate opens",
    );
    finds(
        &findings("release-schema", |plan| {
            step(plan, "migrate.alpha").undo = Undo::NoReturn { why: Message::verbatim("x") };
        }),
        "it cannot be taken back and stands before the acceptance",
    );
}

#[test]
fn tenants_that_the_plan_does_not_know() {
    for scene in ["release-schema", "restore-check", "backup"] {
        finds(&findings(scene, |plan| plan.tenants.clear()), "the plan has no tenant");
    }
}

#[test]
fn a_tenant_that_stays_closed_and_is_nobodys() {
    finds(
        &findings("release-keeps-failed-closed", |plan| {
            without(
                plan,
                |effect| matches!(effect, Effect::Maintenance(MaintenanceOperation::Own { tenant, .. }) if tenant.as_str() == "beta"),
            );
        }),
        "beta stays closed where it went back alone, and nobody answers for it",
    );
}

#[test]
fn nobody_goes_on_for_a_tenant_that_is_closed_anyway() {
    let plan = plan("release-keeps-failed-closed");
    let remaining = plan.steps.iter().find_map(|step| match &step.action {
        Action::Judge(gate) => match &gate.kind {
            eclusa_runbook::GateKind::Remaining { tenants } => Some(tenants.clone()),
            _ => None,
        },
        _ => None,
    });
    let remaining = remaining.unwrap();
    assert_eq!(remaining.iter().map(|tenant| tenant.as_str()).collect::<Vec<_>>(), ["alpha", "beta"]);
}

#[test]
fn a_lease_that_is_not_held() {
    finds(
        &findings("release-schema", |plan| {
            without(plan, |effect| matches!(effect, Effect::Lease(LeaseOperation::Take { .. })));
        }),
        "before the lease is taken",
    );
    finds(
        &findings("release-schema", |plan| {
            without(plan, |effect| matches!(effect, Effect::Lease(LeaseOperation::Release)));
        }),
        "the lease is not given up at the end",
    );
}

#[test]
fn data_without_a_restore_point() {
    finds(
        &findings("release-schema", |plan| {
            without(plan, |effect| matches!(effect, Effect::Vault(VaultOperation::Take { .. })));
        }),
        "would go back to a restore point of alpha that is not taken before it",
    );
    // The point of another tenant is no point of this one.
    finds(
        &findings("release-several-tenants", |plan| {
            let other = step(plan, "secure.point.beta").action.clone();
            step(plan, "secure.point.alpha").action = other;
        }),
        "migrate.alpha: it would go back to a restore point of alpha",
    );
    finds(
        &findings("restore-files", |plan| {
            let swap = &mut step(plan, "change.swap.alpha").action;
            if let Action::Perform(Effect::Restore(RestoreOperation::SwapIn { part, .. })) = swap {
                *part = Part::Everything;
            }
        }),
        "alpha is overwritten by what was not proved",
    );
    finds(
        &findings("restore-database", |plan| plan.format = 1),
        "its format, 1, is too low for what it says",
    );
    for (word, problem) in [
        ("prove", "was not proved"),
        ("scrub", "may hold what must not leave the tenant"),
        ("configure", "has no configuration of its own"),
        ("account", "has no account of its own"),
    ] {
        finds(
            &findings("bench-clone", |plan| {
                without(
                    plan,
                    |effect| matches!(effect, Effect::Clone(copy) if copy.operation.word() == word),
                );
            }),
            &format!("staging.localhost is published and {problem}"),
        );
    }
    finds(
        &findings("bench-clone", |plan| {
            step(plan, "change.publish.staging.localhost").undo =
                Undo::Nothing { why: Message::new("undo-nothing-clone") };
        }),
        "staging.localhost is published and stays when the run goes back",
    );
    for (word, problem) in [
        ("prove", "it needs a copy of a.localhost after its step “prove”"),
        ("start", "it needs a copy of a.localhost after its step “start”"),
        ("end", "a copy is made and never removed"),
    ] {
        finds(
            &findings("bench-rehearse", |plan| {
                without(
                    plan,
                    |effect| matches!(effect, Effect::Trial(trial) if trial.operation.word() == word),
                );
            }),
            problem,
        );
    }
    finds(
        &findings("bench-drill-application", |plan| {
            step(plan, "validate.copy.a.localhost").undo =
                Undo::Nothing { why: Message::new("undo-nothing-trial") };
        }),
        "a copy stays when the run goes back",
    );
    finds(
        &findings("bench-drill-application", |plan| plan.format = 2),
        "its format, 2, is too low for what it says",
    );
    for scene in ["restore", "restore-files", "restore-database", "rollback-with-data"] {
        finds(
            &findings(scene, |plan| {
                without(plan, |effect| matches!(effect, Effect::Vault(VaultOperation::Take { .. })));
            }),
            "alpha is overwritten without a restore point of what is there",
        );
        finds(
            &findings(scene, |plan| {
                without(plan, |effect| matches!(effect, Effect::Restore(RestoreOperation::Prove { .. })));
            }),
            "alpha is overwritten by what was not proved",
        );
        finds(
            &findings(scene, |plan| {
                without(plan, |effect| {
                    matches!(effect, Effect::Runtime(eclusa_runbook::RuntimeOperation::Stop { .. }))
                });
            }),
            "alpha is overwritten while its services run",
        );
    }
}

#[test]
fn a_gate_that_stays_closed() {
    for scene in ["release-schema", "release-code-only", "restore"] {
        finds(
            &findings(scene, |plan| {
                without(plan, |effect| matches!(effect, Effect::Edge(EdgeOperation::Open { .. })));
            }),
            "the gate of alpha is closed and never opened",
        );
    }
    finds(
        &findings("release-several-tenants", |plan| {
            without(
                plan,
                |effect| matches!(effect, Effect::Edge(EdgeOperation::Open { tenant }) if tenant.as_str() == "beta"),
            );
        }),
        "the gate of beta is closed and never opened",
    );
}

const PARTS: [&str; 9] = [
    "[stacks.shop.decide]\nask = true\n",
    "[stacks.shop.secure]\nproof = \"restored\"\n",
    "[stacks.shop.watch]\nafter_open = \"restore\"\n",
    "[[stacks.shop.hooks]]\nname = \"one\"\nat = \"before.migrate\"\ncommand = [\"x\"]\nundo = [\"y\"]\n",
    "[[stacks.shop.hooks]]\nname = \"two\"\nat = \"after.accept\"\ncommand = [\"x\"]\n",
    "[[stacks.shop.checks]]\nname = \"books\"\ncommand = [\"books\", \"{tenant}\"]\n",
    "[[stacks.shop.checklist]]\nname = \"month\"\ntext = \"The month is closed\"\n",
    "[stacks.shop.commands]\nstatic = [\"static\"]\ncheck = []\n[stacks.shop.commands.tests]\ncommand = [\"t\"]\ndatabase_variable = \"D\"\n",
    "[stacks.shop.preflight]\nproof_within = \"1d\"\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// `plan` itself refuses what the linter finds fault with, so a plan at all is a good one; and each is stable.
    #[test]
    fn any_tenants_and_any_configuration_give_a_plan_without_a_finding(
        migrated in prop::collection::vec(0usize..3, 1..6),
        parts in prop::collection::vec(any::<bool>(), PARTS.len()),
        edge in any::<bool>(),
        first in any::<bool>(),
        dependencies_change in any::<bool>(),
        generic in any::<bool>(),
        keeps in any::<bool>(),
    ) {
        let all: Vec<String> = (1..=3).map(|number| format!("sales.000{number}_x")).collect();
        let tenants = migrated.iter().enumerate().map(|(number, count)| {
            (format!("tenant{number}").parse().unwrap(), all[..count + 1].to_vec())
        }).collect();
        let seen = Seen {
            erasures: std::collections::BTreeMap::new(),
            release: (!first).then(|| "v1".to_owned()),
            tenants,
            edge,
            candidate: Some(Candidate { name: "v2".to_owned(), migrations: Some(all), dependencies_change }),
            previous: None,
            closed: Vec::new(),
            durations: Default::default(),
            outdated: vec!["v0".to_owned()],
            overridden: false,
            prove: false,
            environment: None,
            maintenance: Vec::new(),
            unusable_sites: Default::default(),
            owned: Vec::new(),
            unmigrated: Vec::new(),
            file_bytes: Default::default(),
            queues: Vec::new(),
            rehearsed: None,
            on_failure: (keeps && edge).then_some(eclusa_config::OnFailure::KeepClosed),
        };
        let more: Vec<&str> = PARTS.iter().zip(&parts).filter(|(_, wanted)| **wanted).map(|(part, _)| *part).collect();
        let app = if generic { "generic" } else { "django" };
        let mut more = more.join("\n");
        if generic && !more.contains("[stacks.shop.commands]") {
            more.push_str("\n[stacks.shop.commands]\nmigrate = [\"migrate\", \"{tenant}\"]\n");
        }
        let scene = Scene::new(app, &more, seen, Intent::Release { to: "v2".to_owned() });
        let plan = scene.plan().map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        prop_assert_eq!(lint(&plan), Vec::new());
        prop_assert_eq!(plan.digest().unwrap(), scene.plan().unwrap().digest().unwrap());
        // What the linter does not look at: phases do not go back before the gate opens, all stands in one order.
        let opening = plan.steps.iter().position(|step| step.phase == Phase::Open);
        prop_assert!(opening.is_some());
        // Every tenant whose schema changes goes back to a point of its own.
        for (tenant, how) in &plan.reversibility {
            let migrates = plan.step(&format!("migrate.{tenant}").parse().unwrap());
            if let Some(step) = migrates {
                let own = matches!(&step.undo, Undo::Restore { tenant: of, .. } if of == tenant);
                prop_assert!(own, "{tenant} {how:?}");
            }
        }
    }
}
