# What stands in a plan: its steps, what undoes them, why, what the operator should know, what is asked; and the words
# of its narration. An operator reads these at 2 a.m.: short, exact, in the present.

## Steps, as the operator would say them.

step-lease-take = Take the lease of the stack, so that nobody else changes it meanwhile
step-lease-release = Give up the lease of the stack
step-unmoved = Check that the stack is as the plan saw it
step-checklist = Confirm: { $text }
step-placeholders = Look for placeholders left in the env files
step-disk = Check the free space of the disk for { $purpose }
step-database = Ask the database of { $tenant }, and look for long transactions
step-proof-age = Check when a restore point of { $tenant } was last restored and proved
step-prepare-bench = Make the bench of { $release } beside the one that runs
step-prepare = Build or pull the images of { $release }
step-command = Run { $command }
step-check = Run the check { $name }
step-scratch = Make the scratch database { $name } for the tests
step-scratch-drop = Drop the scratch database
step-tests = Run the tests in the new release
step-pending = Compare the pending migrations of { $tenant } with the plan
step-none-pending = Check that no migration of { $tenant } is pending any more
step-baseline = Measure the answers before the change, for comparison
step-stop-scheduler = Stop the scheduler ({ $services }), so that no new job begins
step-stop-workers = Stop the workers ({ $services }) once their jobs are done
step-stop-frontend = Stop what the public reaches ({ $services })
step-gate-close = Close the gate of { $tenant }: maintenance page, and requests in flight end
step-gate-hold = Let new requests of { $tenant } wait at the gate
step-gate-open = Open the gate of { $tenant }
step-read-ahead = Read the files of { $tenant } while people work, so that only what changes is read later
step-point = Take a restore point of { $tenant } and read it back
step-customizations-before = Write down what people have made of { $tenant } themselves
step-customizations-after = Write down what people have made of { $tenant } themselves, and compare it with what it was
step-member = Take { $member } of { $tenant } over from the restore point, and nothing else of its configuration
step-point-proved = Take a restore point of { $tenant }, read it back, restore it beside and prove it
step-forget = Throw away { $count ->
    [one] one restore point
   *[other] { $count } restore points
    } of { $tenant }, and what no other needs
step-forget-at = Throw away { $count ->
    [one] one restore point
   *[other] { $count } restore points
    } of { $tenant } at { $mirror }, and what no other there needs
step-mirror = Copy the restore points of { $tenant } to { $mirror } and read back what was copied
step-mirror-all = Copy the restore points of { $tenant } to { $mirror } and read everything there
step-mirror-back = Copy from { $mirror } what the vault of { $tenant } lacks or has damaged
step-point-check-mirror = Restore point { $point } of { $tenant } from { $mirror } somewhere harmless, prove it, discard the copy
step-point-check = Restore point { $point } of { $tenant } somewhere harmless, prove it, discard the copy
step-salvage = Put what { $tenant } has now into a salvage point, before it is overwritten
step-gather = All { $count } of these are done before the next ones begin
step-mark = Note that { $tenant } opens: from here on, going back salvages first
step-beside = Restore point { $point } of { $tenant } beside the live data
step-prove = Compare what was restored of { $tenant } with its restore point
step-moment = Restore the database of { $tenant } of { $moment } beside the live one, from base backup { $base } and the server's log, and compare it
step-replay = Replay the binary log on the copy of { $tenant }, up to { $moment }
step-aside = Restore tables of point { $point } of { $tenant } into a database of their own, and compare them: { $tables }
step-drop-aside = Drop the database { $database } with tables of { $tenant }
step-beside-files = Restore files of point { $point } of { $tenant } ({ $sets }) beside the live ones
step-beside-database = Restore the database of point { $point } of { $tenant } beside the live one
step-clone-fill = Restore point { $point } of { $from } as { $to }, where nobody sees it
step-clone-prove = Compare what was restored as { $to } with the restore point
step-clone-scrub = Take stored passwords, sessions, webhooks and mail that waits out of { $to }
step-clone-mask = Take stored passwords, sessions, webhooks and mail that waits out of { $to }, then run the masking file on it
step-clone-configure = Write the configuration of { $to }: a database, a password and an encryption key of its own; no mail, no scheduler
step-clone-account = Make the database account of { $to }
step-clone-publish = Give { $to } its place: from here on it can be seen
step-clone-answers = Ask { $to } for its apps, as the application sees it
step-trial-fill = Restore point { $point } of { $tenant } into a database and a directory of its own
step-trial-prove = Compare what was restored of { $tenant } with the restore point
step-trial-start = Start the application on the copy of { $tenant }, under the release that wrote it, where nothing leads out
step-trial-start-new = Start the new release on the copy of { $tenant }, where nothing leads out
step-trial-static = Collect the static files of what runs on the copy of { $tenant }
step-trial-migrate = Migrate the copy of { $tenant }
step-trial-works = Start the release that runs now on the migrated copy of { $tenant }, and see whether it works there
step-trial-end = End what runs on the copy of { $tenant }, and remove the copy
step-person-record = Write erasure { $id } into the ledger of { $tenant }, before it is done
step-person-apply = Run the statements of the erasure on the live database of { $tenant }, in one transaction
step-person-replay = Erase anew, on what was restored of { $tenant }, the persons who were erased since point { $point } was taken
step-swap = Swap the restored data of { $tenant } in; the old data is kept
step-pin-bench = Put release { $release } on the bench
step-pin = Pin release { $release }
step-stop = Stop { $services }
step-start = Start { $services } and wait until they are healthy
step-start-scheduler = Start the scheduler ({ $services })
step-apps = Look whether the release has every app that { $tenant } has installed
step-jobs = Wait until no job of { $tenant } runs or waits
step-maintenance-on = Turn on the maintenance mode of { $tenant }
step-maintenance-off = Turn off the maintenance mode of { $tenant }
step-configurator = Run { $service } once, as every start of the stack does
step-cache = Empty the cache in { $service }, which another release cannot read
step-settings = Set { $names } in { $file } of { $tenant }
step-settings-back = Set { $names } in { $file } of { $tenant } back to what they were before the release
step-settings-back-shared = Set { $names } in { $file }, which all sites share, back to what they were before the release
step-settings-shared = Set { $names } in { $file }, which all sites share
back-settings-set = set { $names } in { $file }
back-settings = set { $names } in { $file } back to what { $point } has
step-console = Run the check “{ $name }” in the console of { $tenant }
step-site-tests = Run the tests { $module } on { $tenant }
step-websocket = Ask the websocket service of { $tenant } for a handshake
step-patches = Look for patches of { $tenant } that are left over
step-login = Sign in to { $tenant } and look around
step-rows = Compare the tables of { $tenant } with its restore point
step-errors = Look for errors that { $tenant } has logged meanwhile
step-job = Send a job of { $tenant } through the queue “{ $queue }”
step-tick = Wait until the scheduler of { $tenant } runs a job
step-cache-tenant = Empty the cache in { $service }, which holds what { $tenant } had before
step-app-offered = Look whether the release that runs has the app { $app }
step-app-installed = Look whether { $tenant } has the app { $app }
step-install-app = Install the app { $app } for { $tenant }
step-probes-tenant = Ask { $tenant } by the side door
step-needed = Look whether { $services } run
step-keep-closed = Keep { $tenant } closed beyond this run, with its data as before { $release }
step-remaining = See whether a tenant is left that { $release } can be opened for
step-own = Write down who keeps { $tenant } closed, and why
step-disown = Write down that nobody keeps { $tenant } closed any more
step-maintenance-as-it-is = Leave { $tenant } in the maintenance mode that it is in
step-pages = Ask for the pages of { $tenant } and for everything they name
step-workers-online = Look whether workers serve { $tenant }
step-rehearsed = Check that what was built or pulled of { $release } is what was rehearsed
step-migrate = Migrate { $tenant } to { $release }
step-static = Collect the static files
step-probes = Send the probes by the side door, past the gate
step-probes-public = Send the probes as the public does
step-logs = Look for error lines in the logs
step-decide = Ask for the decision to open
step-watch = Watch the stack for { $minutes } min, compared with the baseline
step-let-go = Let the images of { $release } go
step-drop-kept = Let the old data of { $tenant } go that { $suffix } had kept
step-hook = Run the hook { $name }
step-edge-install = Put the edge in front of the stack
step-edge-remove = Take the edge away from in front of the stack

## Why there is nothing to undo, or no way back.

undo-nothing-statements = they run in one transaction; what was erased is not brought back
undo-nothing-beside = what was restored beside is discarded as a whole
undo-nothing-clone = all that was made of the copy is removed
undo-nothing-trial = the copy is removed as a whole
undo-nothing-check = it only looks
undo-nothing-gather = it does nothing itself
undo-nothing-hook = the hook has no undo of its own
undo-nothing-lease = a lease that was given up is free for anyone
undo-nothing-record = what was written down harms nothing
undo-nothing-restored-migration = what it migrated is swapped out again as a whole
undo-nothing-read-ahead = what was read ahead harms nothing
undo-nothing-point = a restore point harms nothing
undo-nothing-replay = the copy goes as a whole
undo-nothing-aside = the restore point still has it
undo-nothing-proof = the copy is discarded either way
undo-nothing-scratch = the scratch database held nothing of value
undo-nothing-first = no earlier release is known
undo-nothing-owned = its owner keeps it closed
undo-nothing-maintenance = on the way back it is turned off once the release before runs
undo-nothing-static = no earlier release's files can be collected; the new ones do no harm
undo-nothing-start = services that run harm nothing
undo-nothing-stop = eclusa start starts them again
undo-nothing-mirror = what was copied is one copy more
undo-nothing-seed = demo data stays
undo-no-return-image = images that were let go have to be built or pulled again
undo-no-return-forget = what is thrown away cannot be brought back; the rules of [stacks.NAME.keep] let it go
undo-no-return-forget-at = what is thrown away there cannot be brought back; the rules of the mirror let it go
undo-no-return-kept = what was swapped out is dropped for good; a salvage point holds it

## How each tenant's data would go back, and why.

why-migrations-unknown = the application does not say which migrations are pending, so the data is taken to change
why-schema-changes = { $count ->
    [one] one migration is pending: { $migrations }
   *[other] { $count } migrations are pending: { $migrations }
  }
why-dependencies-change = dependencies change, and they may bring migrations of their own
why-no-schema-change = no schema change is pending
why-data-changed = the release changed schema or data
why-overridden = the operator chose it over what was computed
why-goes-back-alone = if it fails, it goes back alone, from the restore point of this run
why-restore-keeps = what is live now is kept beside and can be swapped back

## What the operator should know before agreeing.

remark-load-nice = It steps back from the processor (nice { $nice }), and the clients of the database with it.
remark-load-ionice-lowest = It asks for the disk after everybody else.
remark-load-ionice-idle = It asks for the disk only when nobody else does.
remark-load-rate = It reads no more than { $rate } a second, all tenants together.
remark-goes-back-alone = The code stays. A tenant that fails goes back alone, from its own restore point, while the others go on; the run then ends with 3.
remark-all-closed = What serves is stopped meanwhile, so nobody of this stack is served until the end.
remark-site-left-out = The site { $site } cannot be used and is left out. See: eclusa tenants
remark-keep-closed = A tenant whose migration fails goes back alone, to its own restore point. It stays closed under { $release }, which its data does not fit, while the others open, and the run then ends with 3. What fails for all, or of one tenant later than its migration, takes everyone back; so does a migration that fails for every tenant.
remark-unmigrated = Its data could not be brought to { $release } when the others were: before { $tenant } is opened it is asked whether that has been done since.
remark-asks-migrated = { $tenant } was kept closed because its data could not be brought to { $release }. It opens only if nothing is left to be migrated; if something is: eclusa migrate { $tenant }
remark-opens-kept = { $tenant }, whose data could not be brought to the release that is taken back, is opened again under { $release }.
remark-stays-closed = { $tenant } stays closed, whatever this run does: { $by } has kept it so since { $since } ({ $reason }). Pages that its maintenance mode refuses are not judged. To open it: eclusa maintenance off { $tenant }
remark-stays-in-maintenance = { $tenant } is in maintenance mode already and stays so; its pages are not judged.
remark-maintenance-no-edge = No edge stands in front: the application's own maintenance mode closes a tenant, in which some of its pages still run code.
remark-clone-secrets = { $to } gets a database account, a password and an encryption key of its own. Passwords that were stored with the key of the site that is copied (mail accounts, interfaces, API secrets) are taken out, and so are sessions, tokens, webhooks and mail that waits to be sent; mail accounts are turned off. People sign in with the password that they had. Settings of site_config.json that are texts are not taken over.
remark-clone-edge = The edge in front does not know { $to }: it answers for that host name, and a release can close its gate, once it was put there anew: eclusa edge remove, then eclusa edge install
remark-clone-unmasked = No masking file was given: { $to } holds the names, addresses and figures of real people. To change that: --masking FILE.sql
remark-clone-release = The restore point is of { $release }, and { $running } runs: { $to } is left in maintenance mode. To bring it up: eclusa migrate { $to }, then eclusa maintenance off { $to }
remark-drill-data = The data is proved: every table, row and file. The application is not started on it. To see that too: eclusa drill --application
remark-rehearsal = Everybody is served meanwhile. Copies share the disk and the processor with what is live, those of a bench the database server too, and reach nothing but their own database. What the release does outside of databases and files of tenants is not rehearsed: services that run in front, workers, schedulers, mail.
remark-erase-person = The statements run on the live database of { $tenant } while it is served, and stay: going back does not bring the person back. They are kept, since every later restore of an older point runs them again: running them twice must be the same as running them once. Restore points that were taken before hold the person until they are thrown away.
remark-part-files = Only files are brought back ({ $sets }); the database stays as it is now. It may name files that the restore point does not have yet, and files that were taken away since come back without a row that names them.
remark-part-database = Only the database is brought back; the files stay as they are now. It may name files that were taken away since, and files that were added since have no row that names them.
remark-until = What was written to the database of { $tenant } from { $moment } on is not in it; it is in the salvage point that is taken first.
remark-no-edge = No edge stands in front: people see the services stopped instead of a maintenance page, and their requests are not measured. To install it: eclusa edge install
remark-first-release = No earlier release is known: the code cannot be taken back, only the data.
remark-started-without-override = Some services were started without Eclusa's override and do not run the pinned release; this plan starts them under it.
remark-dependencies-change = Dependencies change: read their release notes for migrations and settings.
remark-edge-proxy = nginx is told another address for the application. It goes on listening, so no request is without an answer.
remark-edge-gap = The port changes hands: for a few seconds nothing answers on it. The gap is measured and reported.
remark-no-watch = The watch is turned off: after the gate has opened, nobody compares the new release with the old.
remark-writes-since = { $minutes ->
    [one] One minute of writes is newer than the restore point. It is put into a salvage point first.
   *[other] { $minutes } minutes of writes are newer than the restore point. They are put into a salvage point first.
  }

## What people are asked.

question-checklist = Confirm: { $text }
question-decide = Open the gate to { $release }?
question-gate = The gate { $step } is not satisfied. Go on all the same?

## What undoes a step, said after "back:".

back-mark = nothing is done
back-command = run { $command }
back-prepare = prepare the images of { $release }
back-switch = pin { $release } again
back-start = start { $services }
back-stop = stop { $services }
back-let-go = let the images of { $release } go
back-edge-install = put the edge in front again
back-edge-remove = take the edge away
back-scratch-create = make the scratch database { $name }
back-scratch-drop = drop the scratch database { $name }
back-record = write down what people have made of { $tenant } themselves
back-take = put what { $tenant } has then into a restore point
back-salvage = put what { $tenant } wrote meanwhile into a salvage point
back-forget = throw away { $count ->
    [one] one restore point
   *[other] { $count } restore points
    } of { $tenant }
back-forget-at = throw away { $count ->
    [one] one restore point
   *[other] { $count } restore points
    } of { $tenant } at { $mirror }
back-copy = copy restore points of { $tenant } to or from { $mirror }
back-read-ahead = read the files of { $tenant }
back-check = check a restore point of { $tenant }
back-restore = restore the data of { $tenant } from { $point }, prove it, swap it in
back-beside = restore { $tenant } beside the live data
back-prove = prove what lies beside { $tenant }
back-moment = restore the database of { $tenant } of a moment beside the live one
back-replay = replay the binary log on the copy of { $tenant }
back-aside = restore tables of { $tenant } into a database of their own
back-drop-aside = drop the database with tables of { $tenant }
back-swap-in = swap the restored data of { $tenant } in
back-swap-back = swap the data of { $tenant } back as it was
back-person-record = write an erasure into the ledger of { $tenant }
back-person-forget = take the erasure out of the ledger of { $tenant } again, unless it was done
back-person-apply = run the statements of an erasure on { $tenant }
back-person-replay = erase anew in what was restored of { $tenant }
back-clone-unpublish = take { $to } away again
back-trial-fill = restore point { $point } of { $tenant } into a copy
back-trial-prove = compare the copy of { $tenant } with its restore point
back-trial-start = start the application on the copy of { $tenant }
back-trial-run = { $command } on the copy of { $tenant }
back-trial-works = start another release on the copy of { $tenant }
back-trial-end = end what runs on the copy of { $tenant } and remove the copy
back-clone-discard = remove all that was made of { $to }
back-clone = make { $to } out of restore point { $point }
back-discard = drop the copy beside { $tenant }
back-drop-kept = drop the old data kept for { $tenant }
back-gate-close = close the gate of { $tenant }
back-gate-hold = let requests of { $tenant } wait at the gate
back-gate-open = open the gate of { $tenant }
back-own = write down who kept { $tenant } closed before
back-disown = write down that nobody keeps { $tenant } closed
back-lease-take = take the lease
back-lease-release = give up the lease
back-wait = wait { $duration }
back-nothing = nothing to take back: { $why }
back-no-return = no way back: { $why }
back-point-of-step = the point that { $step } took
back-point = point { $point }

## What a gate asks, said after "asks:".

asks-unmoved = Is the stack still as the plan saw it?
asks-placeholders = Is every placeholder in { $files } filled in?
asks-disk = Are { $percent } % and { $bytes } of { $path } free?
asks-disk-share = Is { $percent } % of { $path } free?
asks-database = Does the database of { $tenant } answer, with no transaction open for longer than { $duration }?
asks-eventually = Does it end with code { $code } within { $duration }?
asks-contained = Is everything that “{ $needed }” lists in what “{ $offered }” lists?
asks-session = Can the user sign in, by the side door?
asks-session-visits = Can the user sign in by the side door, see the lists of { $names }, and open the first of each?
asks-completes = Is it finished within { $duration }?
asks-recorded = Was everything that “{ $command }” lists written down as done?
asks-rows = Has no table vanished or lost all its rows?
asks-rows-share = Has no table vanished or lost more than { $percent } % of its rows?
asks-new-rows = Are there at most { $count } new rows in { $table }?
asks-advances = Does a scheduled job run within { $duration }?
asks-pages = Are { $pages } and every file they name answered with 200?
asks-command = Does it end with code { $code }?
asks-command-says = Does it end with code { $code } and say “{ $text }”?
asks-command-line = Does it end with code { $code } and a last line that contains “{ $line }”?
asks-pending-known = Are exactly these migrations pending: { $migrations }?
asks-pending-none = Is no migration pending?
asks-pending-any = Which migrations are pending? Any are taken.
asks-rehearsed = Are the images those that were rehearsed?
asks-remaining = Was at least one migrated, of { $tenants }?
asks-healthy = Are { $services } running and healthy within { $duration }?
asks-probes-side = { $count ->
    [one] Is one request by the side door answered as it should be?
   *[other] Are { $count } requests by the side door answered as they should be?
  }
asks-probes-public = { $count ->
    [one] Is one public request answered as it should be?
   *[other] Are { $count } public requests answered as they should be?
  }
asks-logs = { $count ->
    [0] Is there no error line in the logs of { $services }?
    [one] Is there at most one error line in the logs of { $services }?
   *[other] Are there at most { $count } error lines in the logs of { $services }?
  }
asks-baseline = How fast are the answers now? It stops nothing.
asks-watch = Over { $duration }: errors at most { $errors } %, median under { $latency } ms and at most { $slowdown } × the baseline, at most { $lines } new error lines?
asks-proof-age = Was a restore point of { $tenant } proved within the last { $duration }?

gate-policy-no-go-ask = no-go: a person is asked
gate-policy-no-go-back = no-go: the run goes back
gate-policy-no-go-warn = no-go: it is said, and the run goes on
gate-policy-hold-ask = hold: a person is asked
gate-policy-hold-back = hold: the run goes back
gate-policy-hold-warn = hold: it is said, and the run goes on

## The plan, narrated.

plan-intent-release = Release { $to }
plan-intent-rollback = Roll back to { $to }
plan-intent-backup = Back up
plan-intent-restore = Restore { $tenant } from point { $point }
plan-intent-restore-files = Restore the files of { $tenant } ({ $sets }) from point { $point }
plan-intent-restore-until = Bring the database of { $tenant } to { $moment }, from point { $point } and the binary log
plan-intent-restore-moment = Bring the database of { $tenant } to { $moment }, from base backup { $base } and the server's log
plan-intent-aside = Restore { $count ->
    [one] one table
   *[other] { $count } tables
  } of { $tenant } from point { $point } into a database of their own
plan-intent-drop-aside = Drop the database { $database } with tables of { $tenant }
plan-intent-restore-database = Restore the database of { $tenant } from point { $point }
plan-intent-erase-person = Erase a person from the data of { $tenant }
plan-intent-clone = Copy { $tenant } of point { $point } as { $to }
plan-intent-restore-check = Check point { $point } of { $tenant }
plan-intent-migrate = Migrate { $tenants }
plan-intent-apps-install = Install the app { $app } for { $tenants }
plan-intent-maintenance-on = Close { $tenants }
plan-intent-maintenance-off = Open { $tenants }
plan-intent-start = Start the services
plan-intent-stop = Stop the services
plan-intent-edge-install = Install the edge
plan-intent-edge-remove = Remove the edge
plan-intent-drill = Try to restore { $count ->
    [one] one tenant
   *[other] { $count } tenants
    }
plan-intent-drill-application = Try to restore { $count ->
    [one] one tenant
   *[other] { $count } tenants
    } and start the application on it
plan-intent-rehearse = Rehearse { $to } on copies of { $count ->
    [one] one tenant
   *[other] { $count } tenants
    }
plan-intent-mirror = Copy restore points to { $mirrors }
plan-intent-mirror-back = Copy restore points back from { $mirrors }
plan-intent-prune = Throw away { $count ->
    [one] one restore point
   *[other] { $count } restore points
    }
plan-intent-prune-at = Throw away { $count ->
    [one] one restore point
   *[other] { $count } restore points
    } at { $mirror }
plan-intent-seed = Load demo data
plan-headline = { $intent } on { $stack }
plan-from-to = { $from } → { $to }
plan-runs = { $release } runs
plan-nothing-known = no release known
plan-about = { $app } on { $runtime } · plan { $digest } · made { $time }
plan-tenants-title = What it means for each tenant
plan-way-code-only = goes back by code alone
plan-way-restore = goes back by restoring its data
plan-way-salvage-first = goes back by restoring its data, after a salvage point
plan-tenant-way = { $tenant }: { $way } ({ $why })
plan-tenant-touched = { $tenant }
plan-downtime = expected to be closed: { $duration }
plan-downtime-waits = requests are expected to wait: { $duration }
plan-downtime-unknown = expected to be closed: not known yet: no earlier run
plan-downtime-waits-unknown = requests are expected to wait: not known yet: no earlier run
plan-downtime-none = expected to be closed: not at all
plan-downtime-services = unreachable while the services are stopped: not known beforehand, no edge in front
plan-no-return = Point of no return: { $step } ({ $title }). From there on, going back overwrites what was written since; that goes into a salvage point first.
plan-no-return-none = Point of no return: none.
plan-remarks-title = To know before agreeing
plan-steps-title = Steps
plan-phase = { $phase }
plan-phase-expected = { $phase } · expected { $duration }
plan-expected = { $duration }
plan-expected-unknown = –
plan-back = back: { $text }
plan-asks = asks: { $text }
plan-may-answer = may answer: { $people }
plan-anyone = anyone who can run the command
plan-answer-within = without an answer within { $duration }: the run goes back
plan-answer-waits = it waits for the answer
plan-at-once = { $count ->
    [one] One step at a time
   *[other] Up to { $count } steps at once
  }
plan-instead = only if { $tenant } went back alone
plan-tolerated = if it fails, the run goes on
plan-total = { $count ->
    [one] One step
   *[other] { $count } steps
  }
plan-emergency = If it gets stuck, call { $people }

phase-preflight = Preflight
phase-close = Close
phase-secure = Secure
phase-change = Change
phase-migrate = Migrate
phase-validate = Validate
phase-decide = Decide
phase-open = Open
phase-watch = Watch
phase-accept = Accept
