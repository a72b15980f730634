# What the command line says beside plans, lines and reports.

follow-detached = No longer following. The run goes on without this terminal.
    Follow it again: eclusa attach { $run }    Take it back: eclusa abort { $run }
follow-answer = The run waits for a person.
    Type: eclusa answer { $run } go --reason "…"    or: eclusa answer { $run } no-go --reason "…"
follow-end-done = GO. Run { $run } is done.
follow-end-refused = NO-GO. Run { $run } ended before anything was changed: { $why }.
follow-end-back = WENT BACK. Run { $run } took back everything it had done: { $why }.
follow-end-backup = NO-GO. Run { $run } took no restore point of { $tenants }.
follow-end-backup-some = NO-GO. Run { $run } took no restore point of { $tenants }. Those that it took of the others are good.
follow-end-stuck = STUCK. Run { $run } could not take everything back: { $why }.
follow-end-mend = Mend the cause shown above, then type: eclusa resume { $run }
follow-end-left = { $step } could not be taken back: { $fault }
follow-end-next = Next: { $hint }
follow-emergency = Call: { $people }
follow-report = The report: eclusa report { $run } --format html -o report.html
state-run-unowned = What was done up to its last event stands; nothing goes on by itself.
hint-unfinished = Go on with it: eclusa resume { $run }    Take it back: eclusa abort { $run }
hint-vault-damaged = Set the damaged repository aside (mv { $path } { $path }.damaged) and type the same command again: a new one is begun.
    Its points stay there. The same key opens it: move it back to restore from it what is whole.
hint-vault-damaged-of = New points build on what is damaged. Set the repository aside (the directory { $tenant } in the vault; where the vault is: eclusa status) and type the same command again: a new one is begun.
hint-journal-gone = Put the file back where it was, with its -wal file, then type: eclusa resume
hint-lease-elsewhere = Look on that machine (eclusa status). When it is gone for good, and only then: rm { $path }
hint-first-release = Bring the first one: eclusa release NAME
hint-start = Start them: eclusa start
hint-yes = To go on without being asked, add --yes.
perform-confirm = Carry out this plan?
perform-declined = Nothing was begun.
plan-saved = The plan is saved in { $path }. It is refused when the stack has moved since.
resume-taken-over = Taking over run { $run }, whose runner is gone.
abort-asked = Run { $run } was asked to go back.
answer-taken = The answer is written down; run { $run } takes it within a second.
answer-waits = The answer is written down, and nobody owns the run. To go on: eclusa resume { $run }
note-taken = It stands in the report of run { $run }.
backups-none = No restore point of { $tenant } was taken yet. Take one: eclusa backup { $tenant } --prove
history-none = There was no run yet.
history-verified = The journal is whole: { $entries } events, each with the hash of the one before it.
status-disk = { $purpose }: { $free } free ({ $percent } %) at { $path }
status-run = Run { $run } ({ $intent }) has not ended.
status-well = All is well.
doctor-configuration = The configuration is valid: { $detail }
doctor-journal = The journal is whole: { $detail } events
doctor-runtime = The runtime answers: { $detail } services
doctor-databases = Databases that answer: { $detail }
edge-none = No edge is installed. Put one in front: eclusa edge install
edge-gate = { $tenant }: { $gate }; { $requests } requests, { $errors } errors, { $refused } turned away, closed for { $seconds } s in all
edge-opened = The gate of { $tenant } is open.

trouble-run-unowned = Run { $run } ({ $intent }) has not ended and nobody owns it
trouble-disk = The disk of { $purpose } ({ $path }) has { $percent } % free
trouble-database = The database of { $tenant }: { $problem }
trouble-vault = The restore points of { $tenant } cannot be listed: { $problem }
trouble-no-point = There is no restore point of { $tenant }
trouble-never-proved = No restore point of { $tenant } was ever restored and proved
trouble-service = Service { $service } is { $state }
trouble-without-override = { $services }: started without Eclusa's override, so not the pinned release
trouble-edge = The edge is installed and does not answer
trouble-gate-unowned = The gate of { $tenant } is { $gate }, and its run ({ $run }) does not go on
repair-resume = eclusa resume { $run }
repair-backup = eclusa backup { $tenant } --prove
repair-prove = eclusa backup { $tenant } --prove
repair-start = eclusa start
repair-first-release = eclusa release NAME
repair-gate = See eclusa history; then eclusa edge open TENANT
