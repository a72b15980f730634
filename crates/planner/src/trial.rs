//! The application tried on a copy of a tenant: restored, proved, started where nothing leads out, asked, and removed.

use eclusa_config::CheckPlace;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{DatabasePlace, Release, StepName, Tenant};
use eclusa_runbook::{
    Effect, GateKind, OnNoGo, Phase, Place, ProbeRoute, Recovery, Scope, Trial, TrialOperation,
    TrialServices, TrialStep, Undo,
};

use crate::app::{NamedGate, TrialShape};
use crate::draft::{Draft, NewStep};
use crate::release_preflight::disks;
use crate::restore::short;
use crate::simple::{check_exec, check_service, probes_of};
use crate::{PlanInput, application};

/// How long a copy may take to be restored or compared, in seconds.
const RESTORED_WITHIN: u64 = 6 * 3600;

/// A copy of one tenant on which something is tried.
pub(crate) struct Copy<'a> {
    input: &'a PlanInput<'a>,
    tenant: &'a Tenant,
    point: &'a str,
    from: Option<&'a str>,
    shape: TrialShape,
    trial: Trial,
}

/// That there is room for the copies that are there at the same time, beside what is served: a full disk would be everybody's.
pub(crate) fn room(draft: &mut Draft<'_, '_>, tenants: &[Tenant]) -> Result<()> {
    let input = draft.input;
    let known = tenants.iter().filter_map(|tenant| input.history.point_bytes.get(&tenant.name).copied());
    let mut bytes: Vec<u64> = known.collect();
    bytes.sort_unstable_by(|left, right| right.cmp(left));
    let at_once = input.stack.limits.parallel.max(1) as usize;
    let gates = disks(draft, bytes.iter().take(at_once).sum())?;
    draft.together(gates)
}

/// Everything that a drill does for a tenant: restored, proved, started, asked, removed.
pub(crate) fn lane(
    input: &PlanInput<'_>,
    tenant: &Tenant,
    point: &str,
    from: Option<&str>,
    number: usize,
) -> Result<Vec<NewStep>> {
    let copy = Copy::of(input, tenant, point, from, number)?;
    let mut steps = copy.made()?;
    steps.push(copy.started(None, "start", "step-trial-start")?);
    steps.extend(copy.static_files()?);
    steps.extend(copy.asked(None)?);
    steps.push(copy.ended()?);
    Ok(steps)
}

impl<'a> Copy<'a> {
    pub(crate) fn of(
        input: &'a PlanInput<'a>,
        tenant: &'a Tenant,
        point: &'a str,
        from: Option<&'a str>,
        number: usize,
    ) -> Result<Self> {
        let shape = input.app.trial_shape(input.stack, tenant).ok_or_else(|| {
            let problem =
                "so far only what runs on Compose can be, with its database in a service of the stack";
            Fault::new(Code::TrialUnavailable).with("problem", problem)
        })?;
        // On a server of its own, the copy's database is called as the live one is: nothing has to be told another name.
        let database = match (&shape.server, &tenant.database) {
            (Some(_), DatabasePlace::Postgresql { name, .. } | DatabasePlace::Mariadb { name, .. }) => {
                name.clone()
            }
            _ => format!("eclusa_trial_{}_{number}", input.nonce),
        };
        let trial = Trial {
            name: format!("eclusa-trial-{}-{number}", input.nonce),
            tenant: tenant.name.clone(),
            database,
            server: shape.server.clone(),
        };
        Ok(Self { input, tenant, point, from, shape, trial })
    }

    fn effect(&self, operation: TrialStep) -> Effect {
        Effect::Trial(TrialOperation { operation, trial: self.trial.clone() })
    }

    fn step(&self, word: &str, title: &str, operation: TrialStep) -> Result<NewStep> {
        let name = format!("validate.{word}.{}", self.tenant.name);
        let title = Message::new(title).with("tenant", &self.tenant.name).with("point", short(self.point));
        let scope = Scope::Tenant(self.tenant.name.clone());
        let step = NewStep::perform(Phase::Validate, &name, scope, title, self.effect(operation))?;
        Ok(step.nothing_to_undo("undo-nothing-trial"))
    }

    fn end(&self) -> TrialStep {
        TrialStep::End { sites: self.shape.copy.sites.clone() }
    }

    /// Restored and proved.
    pub(crate) fn made(&self) -> Result<Vec<NewStep>> {
        let (point, from) = (self.point.to_owned(), self.from.map(str::to_owned));
        let copy = self.shape.copy.clone();
        let filled = StepName::new(format!("validate.copy.{}", self.tenant.name))
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        let fill = TrialStep::Fill { point: point.clone(), from: from.clone(), copy: copy.clone() };
        let prove = TrialStep::Prove { point, from, copy, filled };
        Ok(vec![
            self.step("copy", "step-trial-fill", fill)?
                .undo(Undo::By(self.effect(self.end())))
                .seconds(RESTORED_WITHIN),
            self.step("proof", "step-trial-prove", prove)?.seconds(RESTORED_WITHIN),
        ])
    }

    /// Started, under a release or under the one that wrote the point.
    pub(crate) fn started(&self, release: Option<&Release>, word: &str, title: &str) -> Result<NewStep> {
        let services = TrialServices { release: release.cloned(), ..self.shape.services.clone() };
        let seconds = services.healthy_within;
        let start = TrialStep::Start {
            point: self.point.to_owned(),
            from: self.from.map(str::to_owned),
            services,
            sites: self.shape.copy.sites.clone(),
        };
        // A second start begins with the end of the first.
        Ok(self.step(word, title, start)?.seconds(seconds + 120))
    }

    /// A command in what was started. What it did is not known after a crash; the copy is thrown away then.
    pub(crate) fn run(&self, word: &str, title: &str, exec: eclusa_runbook::Exec) -> Result<NewStep> {
        Ok(self.step(word, title, TrialStep::Run { exec })?.recovery(Recovery::GoBack))
    }

    /// Whether another release works on the copy as it is now.
    pub(crate) fn works(&self, release: &Release, word: &str, title: &str) -> Result<NewStep> {
        let services = TrialServices { release: Some(release.clone()), ..self.shape.services.clone() };
        let gates: Vec<GateKind> = self.questions(Some(release))?.into_iter().map(|gate| gate.kind).collect();
        let seconds = services.healthy_within + 300;
        let sites = self.shape.copy.sites.clone();
        let works = TrialStep::Works { point: self.point.to_owned(), services, sites, gates };
        Ok(self.step(word, title, works)?.seconds(seconds))
    }

    /// The static files of what was started, where they are no part of its image.
    pub(crate) fn static_files(&self) -> Result<Option<NewStep>> {
        if self.shape.server.is_none() {
            // Those that are served now are seen.
            return Ok(None);
        }
        let service = self.input.command_service()?;
        let exec = self.input.app.collect_static(self.input.stack, &Place::Service { service });
        exec.map(|exec| Ok(self.run("static", "step-trial-static", exec)?.seconds(600))).transpose()
    }

    /// Everything that is asked of a tenant before its gate is opened; of a release, or of what wrote the point.
    pub(crate) fn asked(&self, release: Option<&Release>) -> Result<Vec<NewStep>> {
        let mut gates = self.questions(release)?;
        if let Some(release) = release {
            let place = Place::Service { service: self.input.command_service()? };
            let app = self.input.app;
            let migrated = app.migrated(self.input.stack, &self.tenant.name, release, &place);
            gates.extend(migrated.filter(|gate| gates.iter().all(|known| known.name != gate.name)));
        }
        gates.into_iter().map(|gate| self.gate(gate)).collect()
    }

    fn questions(&self, release: Option<&Release>) -> Result<Vec<NamedGate>> {
        let mut gates = vec![NamedGate {
            name: "probes".to_owned(),
            title: Message::new("step-probes-tenant").with("tenant", &self.tenant.name),
            kind: GateKind::Probes {
                probes: probes_of(self.input, self.tenant),
                route: ProbeRoute::SideDoor,
                attempts: 3,
            },
            on_no_go: OnNoGo::Back,
            timeout: 300,
        }];
        gates.extend(self.input.app.served_gates(self.input.stack, self.tenant));
        gates.extend(self.own_checks(release)?);
        Ok(gates)
    }

    /// The operator's own checks, in what was started. Those of the host and of other tenants ask what is live.
    fn own_checks(&self, release: Option<&Release>) -> Result<Vec<NamedGate>> {
        let Some(release) = release.or(self.input.observation.release.as_ref()) else {
            return Ok(Vec::new());
        };
        let tenants = std::slice::from_ref(self.tenant);
        let mut gates = Vec::new();
        for check in self.input.stack.checks.iter().filter(|check| check.place != CheckPlace::Host) {
            let service = check_service(self.input, check)?;
            let known = service == self.shape.services.frontend || self.shape.services.web.contains(&service);
            if !known || check.tenant.as_ref().is_some_and(|tenant| *tenant != self.tenant.name) {
                continue;
            }
            let place = Place::Service { service };
            for (_, exec) in check_exec(self.input, check, release, tenants, Some(&place))? {
                gates.push(NamedGate {
                    name: format!("check.{}", check.name),
                    title: Message::new("step-check").with("name", &check.name),
                    kind: GateKind::Command { exec },
                    on_no_go: OnNoGo::Back,
                    timeout: check.timeout.as_seconds(),
                });
            }
        }
        Ok(gates)
    }

    pub(crate) fn gate(&self, gate: NamedGate) -> Result<NewStep> {
        // Nobody is there who could be asked, and nobody is kept waiting.
        let gate = NamedGate { on_no_go: OnNoGo::Back, ..gate };
        Ok(application::gate(Phase::Validate, gate, &self.tenant.name)?.in_trial(&self.trial))
    }

    pub(crate) fn ended(&self) -> Result<NewStep> {
        Ok(self.step("end", "step-trial-end", self.end())?.retries(1).seconds(600))
    }
}
