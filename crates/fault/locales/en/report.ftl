# The report of a run.

report-language = en
report-title = { $intent } · { $stack }
report-product = Eclusa run report

report-verdict-done = Go
report-verdict-went-back = Went back
report-verdict-partly = Partly
report-verdict-refused = Refused
report-verdict-stuck = Stuck
report-verdict-running = Running
report-verdict-going-back = Going back
report-verdict-asking = Waiting for an answer

report-meaning-done-release = { $to } is live for { $tenants }. Everything in the plan was done.
report-meaning-partly = It was done, but not for everyone. Back at its own restore point is { $why }.
report-meaning-kept = { $tenants } stays closed: the release that runs does not fit its data. Once the cause is mended, of each: eclusa migrate TENANT, then eclusa maintenance off TENANT. Or back for everyone: eclusa rollback.
report-meaning-gates-go = Every gate said go.
report-meaning-gates-overruled = { $count ->
    [one] One gate did not say go; it was overruled or only warned, see below.
   *[other] { $count } gates did not say go; they were overruled or only warned, see below.
  }
report-meaning-tolerated = { $count ->
    [one] One step failed, which was tolerated.
   *[other] { $count } steps failed, which was tolerated.
  }
report-meaning-done = Everything in the plan was done.
report-meaning-refused = It was stopped before anything was changed: { $why }. { $from } serves as before.
report-meaning-refused-plain = It was stopped before anything was changed: { $why }.
report-meaning-back-code = It went back because { $why }. { $from } is live again; no data was touched.
report-meaning-back-code-plain = It went back because { $why }. Everything that was done was undone; no data was touched.
report-meaning-back-data = It went back because { $why }. { $from } is live again, with the data of { $tenants } as it was in the restore points that were taken before the change.
report-meaning-back-data-plain = It went back because { $why }. The data of { $tenants } is as it was in the restore points that were taken before the change.
report-meaning-salvaged = What was written since is kept in salvage points: { $points }.
report-meaning-stuck = It went back because { $why }, and { $steps } could not be taken back. A person is needed.
report-meaning-call = Call { $people }.
report-meaning-running = It is at { $steps }. Nothing here is final yet.
report-meaning-starting = It has begun. Nothing here is final yet.
report-meaning-going-back = It is going back because { $why }. Nothing here is final yet.
report-meaning-asking = It asks: { $question }
report-why-unknown = it was told to
report-tenants-count = { $count ->
    [one] one tenant
   *[other] all { $count } tenants
  }

report-change = Change
report-from-to = { $from } → { $to }
report-release-kept = { $release } (unchanged)
report-nothing-known = no release known
report-stack = Stack
report-stack-value = { $stack } ({ $app } on { $runtime })
report-began-by = Begun by
report-reason = Reason
report-began = Began
report-ended = Ended
report-not-ended = not yet
report-took = Took
report-plan = Plan
report-observation = Made from observation
report-version = Eclusa
report-takeovers = Taken over
report-takeovers-value = { $count ->
    [one] once, by a new runner
   *[other] { $count } times, by new runners
  }
report-turned-back = Turned back
report-turned-back-value = { $time }, at { $step }: { $why }
report-turned-back-value-plain = { $time }: { $why }
report-times-in = Times are in { $zone }.

report-tenants = Tenants
report-tenant = Tenant
report-closed = Closed
report-waited = Requests waited
report-closed-measured = Closed: as the edge measured it.
report-closed-about = Closed: from the beginning of the step that closes the gate to the end of the step that opens it.
report-closed-still = still closed
report-closed-unknown = not measured: no edge in front
report-closed-none = not at all
report-expected = Expected
report-expected-unknown = no earlier run
report-rows = Rows
report-files = Files
report-secured = Restore point
report-salvage = Salvage point
report-data = Data
report-data-untouched = untouched
report-data-changed = changed by the run
report-data-restored = restored from { $point }
report-data-swapped = replaced by the restored copy
report-data-swapped-back = swapped back as it was
report-none = none

report-timeline = Timeline
report-timeline-about = Actual times as bars; the marker below each shows how long it was expected to take, from earlier runs. Steps that were not begun are left out.
report-legend-actual = done
report-legend-expected = expected
report-legend-failed = failed or refused
report-legend-undo = taken back
report-legend-waiting = under way
report-back-from = back from here

report-steps = Steps
report-step = Step
report-step-began = Began
report-step-took = Took
report-step-tries = Tries
report-step-result = Result
report-status-pending = not begun
report-status-begun = under way
report-status-asking = waiting for an answer
report-status-done = done
report-status-failed = failed
report-status-tolerated = failed, tolerated
report-status-refused = refused
report-status-undone = taken back
report-status-undo-failed = not taken back
report-status-undoing = being taken back
report-undo-took = taken back in { $duration }

report-gates = Gates
report-gates-summary = { $go } go · { $hold } hold · { $no } no-go
report-gate-not-judged = not judged
report-samples = { $count ->
    [one] one sample
   *[other] { $count } samples
  }
report-samples-failed = { $samples }, { $bad } failed
report-samples-drawn = { $drawn } of { $all } samples are drawn, evenly chosen; every failed one is.
report-chart-title = { $tenant }: time to answer
report-chart-limit = limit { $value } ms
report-chart-baseline = baseline median
report-chart-warm-up = warm-up, not counted
report-chart-failed = failed
report-chart-traffic = traffic of the public
report-chart-source = { $source }: { $count }, median { $median } ms
report-chart-source-bad = { $source }: { $count }, { $bad } failed, median { $median } ms
report-chart-description = Answers of { $tenant }: { $count } samples, { $bad } failed, { $low } to { $high } ms.

report-decisions = Decisions
report-who = Who
report-what = What
report-when = When
report-why = Why
report-nobody = nobody in time
report-checklist = Checklist
report-checklist-open = not answered

report-failures = Failures
report-failure-times = { $count } times
report-more = and { $count } more

report-customizations = What people have made themselves
report-customizations-counts = { $added } added, { $changed } changed, { $removed } removed by the release
report-customizations-not-compared = what there was before could not be written down, so nothing was compared
report-customizations-same = Nothing changed for { $tenants }.
report-customizations-went-back = The run went back, and what it changed with it.

report-kept = What was kept
report-kept-none = Nothing was kept.
report-kept-point-backup = restore point
report-kept-point-release = restore point before the change
report-kept-point-imported = restore point from files
report-kept-point-salvage = salvage point
report-kept-old = old data
report-kept-where = beside the live data, under the suffix { $suffix }
report-kept-what = What
report-kept-id = Id
report-kept-size = Size
report-kept-proof = Checked
report-kept-verified = { $count ->
    [one] one stream read back equal
   *[other] { $count } streams read back equal
  }
report-kept-proved = restored and proved
report-kept-unchecked = not checked

report-notes = Notes
report-note-incident = Incident
report-note-lesson = Lesson
report-note-note = Note
report-notes-none = No incident or lesson was noted. To add one: eclusa note { $run }

report-journal = Journal
report-journal-entries = { $count ->
    [one] one entry
   *[other] { $count } entries
  }
report-journal-hash = The hash of the last entry is { $hash }. To check the whole chain: eclusa history --verify
report-journal-without = To check the chain of hashes: eclusa history --verify
