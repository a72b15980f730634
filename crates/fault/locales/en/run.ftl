# What is found out and said while a run goes on: facts of gates, why it turns back, words to people outside, and one
# line for each event.

## Facts, as gates find them.

fact-fingerprint = the stack's fingerprint is { $now }; the plan was made from { $then }
fact-placeholder = { $file } line { $line }: { $name } is still a placeholder
fact-no-placeholder = { $files ->
    [one] no placeholder in one env file
   *[other] no placeholder in { $files } env files
  }
fact-disk = the disk for { $purpose } ({ $path }) has { $percent } % and { $free } GB free; needed: { $least } % and { $needed } GB
fact-database = the database of { $tenant } answers: { $version }, { $size } MB
fact-database-away = the database of { $tenant } does not answer: { $problem }
fact-without-snapshot = tables of { $tenant } that are in no snapshot (MyISAM, Aria): { $tables }; while the site is open, who writes to them waits for the moments in which a restore point reads them
fact-long-transaction = a long transaction is open in the database of { $tenant }: { $transaction }
fact-signed-in = { $tenant }: { $user } is signed in, { $milliseconds } ms
fact-sign-in-refused = { $tenant }: { $user } cannot sign in: { $problem }
fact-visited = { $tenant }: { $name } listed and { $entry } opened, { $milliseconds } ms
fact-visited-none = { $tenant }: { $name } listed; there is none to open
fact-visit-failed = { $tenant }: { $name }: { $problem }
fact-not-signed-out = { $tenant }: { $user } could not sign out again: { $problem }
fact-rows = { $tenant }: { $rows } rows in { $tables } tables; { $before } at the restore point
fact-rows-gone = { $tenant }: { $table } is gone; it had { $had } rows
fact-rows-renamed = { $tenant }: { $table } is gone, and { $now } is new with at least its { $had } rows
fact-rows-emptied = { $tenant }: { $table } is empty; it had { $had } rows
fact-rows-fewer = { $tenant }: { $table } has { $has } rows; it had { $had }
fact-rows-more = and { $count } more tables with fewer rows
fact-new-rows = { $tenant }: { $count } new rows in { $table } ({ $ignored } that do not count)
fact-new-rows-found = { $tenant }: { $count } new rows in { $table }, at most { $most } are borne; the newest: { $first }
fact-recorded = { $tenant }: all { $count } are done
fact-not-recorded = { $tenant }: not done, or skipped after a failure: { $missing }
fact-completed = a job went through ({ $what }), { $seconds } s
fact-not-completed = a job did not go through ({ $what }) within { $seconds } s; its state: { $line }
fact-advances = { $tenant }: a scheduled job ran within { $seconds } s
fact-stands-still = { $tenant }: no scheduled job ran within { $seconds } s; the last of before: { $value }
fact-advances-not = { $tenant }: its scheduler is disabled, so nothing is waited for
fact-asset-known = { $path }: known to { $known }; not known to { $unknown }
fact-asset-not-asked = { $source } could not be asked: { $problem }
output-left-out = not taken over: { $names }
output-statements = { $count ->
    [one] one kind of secret taken out
   *[other] { $count } kinds of secrets taken out
  }
output-replayed = { $count ->
    [0] no erasure of a person is newer
    [one] one erasure of a person replayed
   *[other] { $count } erasures of persons replayed
  }
output-erasures = erasures: { $ids }
output-settings = changed: { $names }
output-ended-connections = ended, since it was in the way: connection { $connections }
fact-contained = needed: { $needed }; there: { $offered }
fact-not-contained = missing: { $missing }; needed: { $needed }; there: { $offered }
fact-page = { $tenant }: { $path } is answered, and so are the { $files } files that it names
fact-page-broken = { $tenant }: { $path } is broken: { $problem }
fact-command = { $command } ended with code { $code }
fact-command-failed = { $command } ended with code { $code }: { $line }
fact-pending = { $count ->
    [0] no migration is pending
    [one] one migration is pending, as expected: { $migrations }
   *[other] { $count } migrations are pending, as expected: { $migrations }
  }
fact-pending-unexpected = pending migrations: { $migrations }; expected: { $expected }
fact-service = { $service } is { $state }
fact-rehearsed = { $count ->
    [one] one image is
   *[other] all { $count } images are
  } what was rehearsed
fact-not-rehearsed = the images of { $services } are not those that were rehearsed
fact-never-proved = no restore point of { $tenant } was ever restored and proved
fact-proved = { $hours ->
    [0] point { $point } of { $tenant } was proved less than an hour ago
    [one] point { $point } of { $tenant } was proved one hour ago
   *[other] point { $point } of { $tenant } was proved { $hours } hours ago
  }
fact-no-probes = no probes are configured
fact-probe = { $tenant }: { $probe } ({ $path }) answered { $status } in { $milliseconds } ms
fact-probe-failed = { $tenant }: { $probe } ({ $path }) answered { $status } in { $milliseconds } ms: { $problem }
fact-baseline = { $tenant }: { $probe } has a median of { $median } ms; { $bad } of { $all } failed
fact-remaining = { $left } of { $all } tenants were migrated
fact-log-errors = { $found ->
    [one] one error line in the logs; allowed: { $most }
   *[other] { $found } error lines in the logs; allowed: { $most }
  }
fact-error-rate = { $tenant }: { $bad } of { $all } requests failed, which is { $low } to { $high } % (95 % bounds); the limit is { $most } %
fact-latency = { $tenant }: the median is { $median } ms; the limit is { $most } ms
fact-slowdown = { $tenant }: { $probe } takes { $ratio } × the baseline; the limit is { $most } ×

## How far a step has come that reads many bytes.

headway-bytes = { $bytes }
headway-of = { $bytes } of about { $expected }
headway-reading = read { $amount }
headway-reading-back = read back { $amount }
headway-restoring = restored { $amount }
headway-copying = copied { $amount }
headway-rate = { $rate } a second
headway-ends = ends about { $at } UTC, in { $left }

## Why a run turns back.

why-gate-refused = the gate { $step } said no-go
why-step-failed = the step { $step } failed
why-answered-no = the answer was no-go: { $reason }
why-aborted = { $person } aborted it: { $reason }
why-unknown-outcome = whether { $step } took effect before the interruption cannot be known

## Words to people and programs outside.

notice-started = { $person } began a { $intent } on { $stack }
notice-asks = Run { $run } on { $stack } asks: { $question }
notice-verdict = The verdict on { $stack } is { $verdict }
notice-back = { $stack } goes back: { $why }
notice-tenant-back = { $tenant } on { $stack } goes back alone: { $why }
notice-ended = Run { $run } on { $stack } ended: { $outcome }

## One line for each event.

line-run = run
line-started = { $intent } on { $stack }, { $change }; begun by { $person } (run { $run }, plan { $digest })
line-started-plain = { $intent } on { $stack }; begun by { $person } (run { $run }, plan { $digest })
line-started-because = { $text } — reason: { $reason }
line-resumed = taken over by { $person }, generation { $generation }
line-intended = { $title }
line-intended-again = { $title } (try { $attempt })
line-performed = done in { $duration }
line-performed-with = done in { $duration } — { $outputs }
line-failed-again = failed: { $fault }; tried again
line-failed-tolerated = failed: { $fault }; the run goes on
line-failed = failed: { $fault }
line-found-undone = had not taken effect before the interruption; it is done again
line-sampled = { $count ->
    [one] one sample
   *[other] { $count } samples
  }
line-sampled-bad = { $samples }, { $bad ->
    [one] one of them failed
   *[other] { $bad } of them failed
  }
line-judged = { $verdict } after { $duration }
line-judged-because = { $verdict } after { $duration } — { $reasons }
line-asked = asks: { $question }
line-asked-until = asks: { $question } (answer by { $deadline }, or the run goes back)
line-answer-with = eclusa answer { $run } go|no-go --reason TEXT
line-answered = { $person } answered { $verdict }: { $reason }
line-answered-late = { $verdict }: { $reason }
line-turned-back = the run goes back: { $why }
line-tenant-back = { $tenant } goes back alone, the others go on: { $why }
line-undo-intended = taking back: { $text }
line-undo-intended-again = taking back: { $text } (try { $attempt })
line-undone = taken back in { $duration }
line-undone-with = taken back in { $duration } — { $outputs }
line-undo-failed = could not be taken back: { $fault }
line-notice-lost = the notice { $kind } was not delivered: { $fault }
line-noted = { $person } noted ({ $kind }): { $text }
line-ended = { $outcome } after { $duration }

verdict-go = go
verdict-hold = hold
verdict-no-go = no-go

outcome-done = done
outcome-refused = refused: nothing was changed
outcome-went-back = went back
outcome-partly = partly: some tenants went back alone
outcome-stuck = stuck: a person is needed

## What a step gave.

output-rows = { $count ->
    [one] one row
   *[other] { $count } rows
  }
output-files = { $count ->
    [one] one file
   *[other] { $count } files
  }
output-tables = { $count ->
    [one] one table
   *[other] { $count } tables
  }
output-tables-back = { $count ->
    [0] no table differed
    [one] one table differed; all others stayed as they were
   *[other] { $count } tables differed; all others stayed as they were
  }
output-database = the database { $database }
output-changes = { $count } changes replayed
output-last-change = the last of { $at }
output-there = { $count ->
    [one] one restore point there
   *[other] { $count } restore points there
  }
output-copied = { $count ->
    [0] nothing to copy
    [one] one file copied and read back
   *[other] { $count } files copied and read back
  }
output-reread = { $count ->
    [one] one more file read
   *[other] { $count } more files read
  }
output-mended = { $count ->
    [one] one of them was damaged
   *[other] { $count } of them were damaged
  }
output-points = { $count ->
    [one] one restore point thrown away
   *[other] { $count } restore points thrown away
  }
output-documents = { $count ->
    [one] one document
   *[other] { $count } documents
  }
output-added = { $count } added
output-changed = { $count } changed
output-removed = { $count } removed
output-freed = { $bytes } freed
output-point = point { $point }
output-verified = { $count ->
    [one] one stream read back equal
   *[other] { $count } streams read back equal
  }
output-proved = proved by restoring
output-proof-took = restored and proved in { $duration }
output-works = it works there
output-works-not = IT DOES NOT WORK there
output-problem = { $problem }
output-remaining = { $count ->
    [0] no request was cut off
    [one] one request was still running
   *[other] { $count } requests were still running
  }
output-closed = closed for { $duration }
output-kept = old data kept as { $suffix }
output-generation = lease generation { $generation }
output-image = { $service }: { $image }
output-last-line = “{ $line }”
output-other = { $name }: { $value }
