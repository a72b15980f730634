//! A journal in memory, which can stop a run before or after any of its events is written.

use std::collections::BTreeMap;
use std::sync::Mutex;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{MaintenanceOwner, RunId, StackName, TenantName};
use eclusa_ports::{JournalStore, Proof, Request, RequestKind, RunSummary};
use eclusa_runbook::{Entry, Event, digest_of};
use jiff::Timestamp;

/// Which side of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The event is not written.
    Before,
    /// It is written, and nothing more happens.
    After,
}

#[derive(Default)]
struct Content {
    runs: BTreeMap<RunId, (StackName, Vec<Entry>)>,
    requests: Vec<(RunId, Request, bool)>,
    proofs: Vec<(StackName, Proof)>,
    owners: BTreeMap<(StackName, TenantName), MaintenanceOwner>,
    stop: Option<(Side, u64)>,
}

/// A journal in memory.
#[derive(Default)]
pub struct MemoryJournal(Mutex<Content>);

fn hash(run: &RunId, sequence: u64, at: Timestamp, previous: &str, event: &Event) -> Result<String> {
    digest_of(&(run, sequence, at, previous, event))
        .map(String::from)
        .map_err(|error| Fault::new(Code::Internal).with("what", error))
}

fn unknown(run: &RunId) -> Fault {
    Fault::new(Code::RunUnknown).with("run", run)
}

fn damaged(run: &RunId, sequence: u64) -> Fault {
    Fault::new(Code::JournalDamaged)
        .with("path", run)
        .with("problem", format!("entry {sequence} does not follow"))
}

impl MemoryJournal {
    /// Lets the append of this number fail, before or after the event is kept.
    pub fn stop_at(&self, side: Side, sequence: u64) {
        self.0.lock().unwrap().stop = Some((side, sequence));
    }

    /// Changes an entry behind the journal's back.
    pub fn damage(&self, run: &RunId, change: impl FnOnce(&mut Vec<Entry>)) {
        if let Some((_, entries)) = self.0.lock().unwrap().runs.get_mut(run) {
            change(entries);
        }
    }
}

fn check(run: &RunId, entries: &[Entry]) -> Result<()> {
    let mut previous = "0".repeat(64);
    for (number, entry) in entries.iter().enumerate() {
        let right = hash(run, entry.sequence, entry.at, &entry.previous, &entry.event)?;
        if entry.sequence != number as u64 + 1 || entry.previous != previous || entry.hash != right {
            return Err(damaged(run, entry.sequence));
        }
        previous.clone_from(&entry.hash);
    }
    Ok(())
}

impl JournalStore for MemoryJournal {
    fn append(
        &self,
        run: &RunId,
        stack: &StackName,
        sequence: u64,
        at: Timestamp,
        event: &Event,
    ) -> Result<Entry> {
        let mut content = self.0.lock().unwrap();
        let stop = content.stop.take_if(|(_, wanted)| *wanted == sequence);
        let stopped = || Fault::new(Code::JournalUnwritable).with("path", "memory").because("the script");
        if stop.is_some_and(|(side, _)| side == Side::Before) {
            return Err(stopped());
        }
        let entries = &mut content.runs.entry(run.clone()).or_insert_with(|| (stack.clone(), Vec::new())).1;
        if sequence != entries.len() as u64 + 1 {
            return Err(Fault::new(Code::RunState)
                .with("run", run)
                .with("problem", "another process appended"));
        }
        let previous = entries.last().map_or_else(|| "0".repeat(64), |entry| entry.hash.clone());
        let hash = hash(run, sequence, at, &previous, event)?;
        let entry = Entry { run: run.clone(), sequence, at, previous, hash, event: event.clone() };
        entries.push(entry.clone());
        if stop.is_some() { Err(stopped()) } else { Ok(entry) }
    }

    fn read(&self, run: &RunId) -> Result<Vec<Entry>> {
        let content = self.0.lock().unwrap();
        let (_, entries) = content.runs.get(run).ok_or_else(|| unknown(run))?;
        check(run, entries)?;
        Ok(entries.clone())
    }

    fn read_after(&self, run: &RunId, last: &Entry) -> Result<Vec<Entry>> {
        Ok(self.read(run)?.into_iter().filter(|entry| entry.sequence > last.sequence).collect())
    }

    fn runs(&self, stack: Option<&StackName>, most: usize) -> Result<Vec<RunSummary>> {
        let content = self.0.lock().unwrap();
        let mut found: Vec<RunSummary> = content
            .runs
            .iter()
            .filter(|(_, (of, _))| stack.is_none_or(|stack| stack == of))
            .filter_map(|(run, (of, entries))| {
                let (first, last) = (entries.first()?, entries.last()?);
                let (began, newest, events) = (first.at, last.at, entries.len() as u64);
                Some(RunSummary { run: run.clone(), stack: of.clone(), began, newest, events })
            })
            .collect();
        found.sort_by_key(|summary| std::cmp::Reverse(summary.began));
        found.truncate(most);
        Ok(found)
    }

    fn request(&self, run: &RunId, at: Timestamp, kind: &RequestKind) -> Result<()> {
        let mut content = self.0.lock().unwrap();
        if !content.runs.contains_key(run) {
            return Err(unknown(run));
        }
        let number = content.requests.len() as i64 + 1;
        content.requests.push((run.clone(), Request { number, kind: kind.clone(), at }, false));
        Ok(())
    }

    fn requests(&self, run: &RunId) -> Result<Vec<Request>> {
        let content = self.0.lock().unwrap();
        Ok(content
            .requests
            .iter()
            .filter(|(of, _, taken)| of == run && !taken)
            .map(|(_, one, _)| one.clone())
            .collect())
    }

    fn taken(&self, number: i64) -> Result<()> {
        let mut content = self.0.lock().unwrap();
        if let Some((_, _, taken)) =
            content.requests.iter_mut().find(|(_, request, _)| request.number == number)
        {
            *taken = true;
        }
        Ok(())
    }

    fn verify(&self) -> Result<u64> {
        let content = self.0.lock().unwrap();
        let mut count = 0;
        for (run, (_, entries)) in &content.runs {
            check(run, entries)?;
            count += entries.len() as u64;
        }
        Ok(count)
    }

    fn record_proof(&self, stack: &StackName, proof: &Proof) -> Result<()> {
        self.0.lock().unwrap().proofs.push((stack.clone(), proof.clone()));
        Ok(())
    }

    fn newest_proof(&self, stack: &StackName, tenant: &TenantName) -> Result<Option<Proof>> {
        let content = self.0.lock().unwrap();
        let own = content.proofs.iter().filter(|(of, proof)| of == stack && proof.tenant == *tenant);
        Ok(own.map(|(_, proof)| proof.clone()).max_by_key(|proof| proof.at))
    }

    fn own(&self, stack: &StackName, tenant: &TenantName, owner: &MaintenanceOwner) -> Result<()> {
        let mut content = self.0.lock().unwrap();
        content.owners.insert((stack.clone(), tenant.clone()), owner.clone());
        Ok(())
    }

    fn disown(&self, stack: &StackName, tenant: &TenantName) -> Result<()> {
        self.0.lock().unwrap().owners.remove(&(stack.clone(), tenant.clone()));
        Ok(())
    }

    fn owners(&self, stack: &StackName) -> Result<BTreeMap<TenantName, MaintenanceOwner>> {
        let content = self.0.lock().unwrap();
        let of = content.owners.iter().filter(|((of, _), _)| of == stack);
        Ok(of.map(|((_, tenant), owner)| (tenant.clone(), owner.clone())).collect())
    }

    fn durations(&self, _stack: &StackName) -> Result<BTreeMap<String, u64>> {
        Ok(BTreeMap::new())
    }
}
