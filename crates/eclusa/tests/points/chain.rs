//! One run of a scenario that is killed again and again, taken up each time, and judged.

use std::os::unix::process::ExitStatusExt;
use std::sync::{Mutex, PoisonError};

use eclusa_runbook::{Action, Effect, Entry, Event, Recovery};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::common::Run;
use crate::coverage::Coverage;
use crate::lane::Lane;
use crate::scenario::Scenario;
use crate::verdict::{Before, judge, kill_left};

/// A run is killed so often at most.
const KILLS: usize = 30;
/// After a step whose interruption makes the run go back, so many more kills on the way back at most.
const KILLS_ON_THE_WAY_BACK: usize = 3;

/// How the last process takes the run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// `eclusa resume`.
    Resume,
    /// `eclusa abort`.
    Abort,
}

/// What was done to a run, so that it can be done again.
#[derive(Debug)]
pub struct Story {
    pub scenario: &'static str,
    /// What each process was told to die at.
    pub told: Vec<String>,
    /// Where each has died.
    pub died: Vec<String>,
    pub finish: Finish,
}

impl Story {
    /// The line by which it is kept in `failed.txt`.
    pub fn line(&self) -> String {
        let finish = if self.finish == Finish::Abort { "abort" } else { "resume" };
        format!("{} | {} | {finish}", self.scenario, self.told.join(" ; "))
    }
}

/// Interrupts a scenario once more and judges what became of it; gives the story, and what is wrong.
pub fn interrupt(
    lane: &mut Lane,
    scenario: &'static Scenario,
    coverage: &Mutex<Coverage>,
    left_out: &str,
    random: &mut StdRng,
) -> (Story, Vec<String>) {
    let covered = || coverage.lock().unwrap_or_else(PoisonError::into_inner);
    let mut chain = Chain::begin(lane, scenario, left_out);
    let mut target = covered().take(None, random);
    let mut back = 0;
    while let Some((_, at)) = target.clone().or_else(|| chain.anywhere(back, random)) {
        let died = chain.kill_at(lane, &at);
        let position = died.as_deref().and_then(|died| covered().reached(died));
        if let Some((index, _)) = target.take() {
            covered().give_back(index);
        }
        if died.is_none() || chain.story.died.len() >= KILLS || !chain.wrong.is_empty() {
            break;
        }
        if chain.goes_back(lane, scenario) {
            back += 1;
            if back > KILLS_ON_THE_WAY_BACK {
                break;
            }
        } else if random.random_ratio(1, 4) {
            // The one who takes over dies too, before it has done anything of its own.
            chain.once_more = true;
        } else {
            let Some(next) = covered().take(position.or(chain.position), random) else { break };
            target = Some(next);
        }
        chain.position = position.or(chain.position);
    }
    let finish = if random.random_ratio(1, 6) { Finish::Abort } else { Finish::Resume };
    chain.finish(lane, scenario, finish)
}

/// The system calls by which SQLite writes, keeps, locks and reads the journal, and about how many of each a thread of
/// a runner makes.
const CALLS: [(&str, usize); 4] = [("pwrite64", 80), ("fdatasync", 25), ("fcntl", 300), ("pread64", 120)];

/// Lets runners die at system calls of the journal's writer; gives at which, and what is wrong.
pub fn interrupt_at_calls(
    lane: &mut Lane,
    scenario: &'static Scenario,
    kills: usize,
    random: &mut StdRng,
) -> (Story, Vec<String>) {
    let mut chain = Chain::begin(lane, scenario, "");
    chain.kill_at(lane, "preflight.lease/before.intended");
    for _ in 0..kills {
        let (call, most) = CALLS[random.random_range(0..CALLS.len())];
        let number = random.random_range(1..=most);
        if !chain.kill_at_call(lane, call, number) || !chain.wrong.is_empty() {
            break;
        }
    }
    chain.finish(lane, scenario, Finish::Resume)
}

/// Lets everything of the stack die at a point of the runner, as when a machine loses power, and resumes.
pub fn lose_power(lane: &mut Lane, scenario: &'static Scenario, at: &str) -> Vec<String> {
    let mut chain = Chain::begin(lane, scenario, "");
    if chain.kill_at(lane, at).is_none() {
        chain.wrong.push(format!("it did not die at {at}"));
    }
    lane.shop.kill_everything();
    chain.may_go_back = true;
    chain.finish(lane, scenario, Finish::Resume).1
}

/// Does once more what a story tells.
pub fn repeat(lane: &mut Lane, scenario: &'static Scenario, told: &[String], finish: Finish) -> Vec<String> {
    let mut chain = Chain::begin(lane, scenario, "");
    for at in told {
        if chain.kill_at(lane, at).is_none() {
            break;
        }
    }
    chain.finish(lane, scenario, finish).1
}

struct Chain<'a> {
    story: Story,
    before: Before,
    scenario: &'static Scenario,
    left_out: &'a str,
    run: Option<Run>,
    entries: Vec<Entry>,
    position: Option<usize>,
    once_more: bool,
    /// Whether it may go back for reasons that the journal does not tell.
    may_go_back: bool,
    wrong: Vec<String>,
}

impl<'a> Chain<'a> {
    fn begin(lane: &mut Lane, scenario: &'static Scenario, left_out: &'a str) -> Self {
        lane.prepare(scenario);
        Self {
            story: Story {
                scenario: scenario.name,
                told: Vec::new(),
                died: Vec::new(),
                finish: Finish::Resume,
            },
            before: Before::of(lane),
            scenario,
            left_out,
            run: None,
            entries: Vec::new(),
            position: None,
            once_more: false,
            may_go_back: false,
            wrong: Vec::new(),
        }
    }

    /// Some point among the first that the next process passes; none when there is no reason for one.
    fn anywhere(&mut self, back: usize, random: &mut StdRng) -> Option<(usize, String)> {
        let most = if back > 0 { 60 } else { 10 };
        let wanted = std::mem::take(&mut self.once_more) || back > 0;
        (wanted && self.run.is_some()).then(|| (0, format!("*#{}", random.random_range(1..=most))))
    }

    /// Lets one process go on until it dies at a point; `None` when it came to another end.
    fn kill_at(&mut self, lane: &Lane, at: &str) -> Option<String> {
        self.story.told.push(at.to_owned());
        let killed = match &self.run {
            None => {
                let run = lane.begin(self.scenario, Some(at), self.left_out);
                let killed = lane.outcome(&run).is_none();
                self.run = Some(run);
                killed
            }
            Some(run) => {
                let status = lane.take_up(run, self.scenario, Some(at), self.left_out);
                status.signal() == Some(9)
            }
        };
        let passed = lane.passed();
        let run = self.run.as_ref()?;
        match lane.entries(run) {
            Ok(entries) => {
                self.wrong.extend(kill_left(&self.entries, &entries, &passed));
                self.entries = entries;
            }
            Err(problem) => self.wrong.push(format!("after dying at {at}: {problem}")),
        }
        let died = passed.last().filter(|_| killed)?.clone();
        self.story.died.push(died.clone());
        Some(died)
    }

    /// Lets one process go on until it dies at a system call on the journal's files; false when it came to another end.
    fn kill_at_call(&mut self, lane: &Lane, call: &str, number: usize) -> bool {
        let Some(run) = self.run.clone() else { return false };
        self.story.told.push(format!("{call} {number}"));
        let status = lane.take_up_under_strace(&run, self.scenario, call, number);
        let passed = lane.passed();
        match lane.entries(&run) {
            Ok(entries) => {
                self.wrong.extend(kill_left(&self.entries, &entries, &passed));
                self.entries = entries;
            }
            Err(problem) => self.wrong.push(format!("after dying at {call} {number}: {problem}")),
        }
        let killed = status.signal() == Some(9) || status.code() == Some(137);
        if killed {
            let last = passed.last().map_or("the start", String::as_str);
            self.story.died.push(format!("{last}, {call}"));
        }
        killed
    }

    /// Whether what was interrupted makes the run go back, or it does already.
    fn goes_back(&self, _lane: &Lane, scenario: &Scenario) -> bool {
        if scenario.end == "went-back" {
            return false;
        }
        self.entries.iter().any(|entry| matches!(entry.event, Event::TurnedBack { .. }))
            || interrupted_for_good(&self.entries)
    }

    fn finish(
        mut self,
        lane: &mut Lane,
        scenario: &'static Scenario,
        finish: Finish,
    ) -> (Story, Vec<String>) {
        let Some(run) = self.run.take() else { return (self.story, self.wrong) };
        let ended = |lane: &Lane| lane.outcome(&run);
        if ended(lane).is_none() && self.wrong.is_empty() {
            let turned = self.entries.iter().any(|entry| matches!(entry.event, Event::TurnedBack { .. }));
            let can_abort = !turned && scenario.end == "done";
            self.story.finish = if can_abort { finish } else { Finish::Resume };
            let asked = if self.story.finish == Finish::Abort {
                lane.shop.run(&["abort", &run.id, "--detach"]).code == 0
            } else {
                false
            };
            if !asked {
                self.story.finish = Finish::Resume;
                lane.take_up(&run, scenario, None, self.left_out);
            } else {
                lane.wait_for_end(&run, scenario);
            }
        }
        let problems =
            judge(lane, scenario, &run, &self.before, self.may_go_back || self.story.finish == Finish::Abort);
        self.wrong.extend(problems);
        if !self.wrong.is_empty() {
            let complaints =
                std::fs::read_to_string(lane.shop.directory.join("complaints")).unwrap_or_default();
            self.wrong.push(format!("the last runner said: {complaints}"));
            lane.lay_anew();
        }
        (self.story, self.wrong)
    }
}

/// Whether the last entry leaves a step begun that is never repeated.
pub fn interrupted_for_good(entries: &[Entry]) -> bool {
    let Some(Event::Started { plan, .. }) = entries.first().map(|entry| &entry.event) else { return false };
    let mut begun: Option<&eclusa_model::StepName> = None;
    for entry in entries {
        match &entry.event {
            Event::Intended { step, .. } => begun = Some(step),
            Event::Performed { step, .. } | Event::Failed { step, .. } | Event::FoundUndone { step }
                if begun == Some(step) =>
            {
                begun = None;
            }
            Event::Judged { .. } => begun = None,
            _ => {}
        }
    }
    begun.and_then(|step| plan.step(step)).is_some_and(|step| {
        step.recovery == Recovery::GoBack && matches!(step.action, Action::Perform(Effect::Exec(_)))
    })
}

/// The random numbers of one chain: the same for the same seed, whichever thread works on it.
pub fn random_of(seed: u64, chain: u64) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(chain))
}
