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
follow-end-tried = NO-GO. Run { $run } did not come to its end: { $why }. The copies that it made are gone, and what is live was not touched.
follow-end-tried-of = NO-GO. Run { $run } could not prove { $tenants }: { $why }. The copies that it made are gone, and what is live was not touched.
follow-end-rehearsed-of = NO-GO. Run { $run } did not bring { $tenants } through: { $why }. The copies that it made are gone, and what is live was not touched.
follow-end-mirror = NO-GO. Run { $run } could not copy all restore points of { $tenants }. Of the others everything was copied and read back.
follow-end-prune = NO-GO. Run { $run } could not throw away the restore points of { $tenants } that had to go. Those that are gone stay gone, all others are as before.
follow-end-prune-at = NO-GO. Run { $run } could not throw away the restore points of { $tenants } at { $mirror } that had to go. Those that are gone stay gone, all others are as before.
follow-end-partly = PARTLY. Run { $run } is done but for those who went back alone, each to its own restore point: { $why }.
follow-end-stuck = STUCK. Run { $run } could not take everything back: { $why }.
follow-end-kept = { $tenants } stays closed, with its data as before. Once the cause is mended, of each: eclusa migrate TENANT, then eclusa maintenance off TENANT.
    Or back for everyone: eclusa rollback
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
hint-lease-name = If nobody uses it, remove it: docker rm { $container }
hint-port-taken = See who has it: ss -ltnp "sport = :{ $port }"    Then end that, or choose another port, and type the same command again.
hint-edge-stray = Put the file back from a copy, or make it anew: eclusa edge remove, then eclusa edge install.
hint-edge-install = Put a gate in front: eclusa edge install
hint-maintenance-off = To open it: eclusa maintenance off { $tenant }
hint-keep-closed-edge = Put a gate in front: eclusa edge install    Or let everyone go back when one fails: --on-failure all-back
hint-migrate-closed = { $tenant } is kept closed, since its data could not be brought to it. Once the cause is mended: eclusa migrate { $tenant }    Then: eclusa maintenance off { $tenant }
hint-yes = To go on without being asked, add --yes.
perform-confirm = Carry out this plan?
perform-declined = Nothing was begun.
plan-saved = The plan is saved in { $path }. It is refused when the stack has moved since.
resume-taken-over = Taking over run { $run }, whose runner is gone.
abort-asked = Run { $run } was asked to go back.
answer-taken = The answer is written down; run { $run } takes it within a second.
answer-waits = The answer is written down, and nobody owns the run. To go on: eclusa resume { $run }
note-taken = It stands in the report of run { $run }.
drill-unreadable = Of { $tenant } a restore point is damaged: { $problem }
apps-has-it = { $tenant } has the app { $app } already; nothing is to do for it.
drill-without = There is no restore point of { $tenant } that could be tried. Take one: eclusa backup { $tenant } --prove
exec-beside-a-run = The run { $run } has not ended; what you do here it does not know of.
exec-ended = It was ended where it ran.
logs-none = Nothing was said in the last { $since }.
logs-none-about = Nothing was said about { $tenant } in the last { $since }, neither in its own log files nor by a service that named it.
hint-mirrors = Name one in eclusa.toml, such as: [[stacks.{ $stack }.mirrors]] name = "nas", directory = "/mnt/nas/eclusa"
hint-mirror-same = A copy there is lost together with the vault. Mount another disk at { $path }, or say same_file_system = true.
hint-mirror-mount = Is its disk mounted? If the copies are gone for good and shall be made anew, remove { $path }
hint-mirror-elsewhere = Is this the right place? If the copies are gone for good and shall be made anew, remove { $path }
hint-mirror-unreachable = When it answers again, type the same command again.
hint-mirror-denied = These credentials must be allowed to list, read and add there, by SFTP also to rename. When they are, type the same command again.
hint-mirror-full = Make room there, then type the same command again.
hint-mirror-no-place = Eclusa never makes it. Make it, or mend its name in eclusa.toml, then type the same command again.
hint-mirror-stranger = Ask whoever runs that host for its key. ssh-keyscan -p { $port } { $host } shows what answers now; when both are the same, add that line to { $path }
hint-mirror-repository = To bring back what the mirror holds, move { $vault } away and type: eclusa mirror { $tenant } --from { $mirror }
hint-mirror-other = Is the right disk mounted? If this one shall be used from now on, remove { $path }
hint-keep-at = Say in eclusa.toml which are kept there, in the table of the mirror, such as: keep = {"{"} daily = 90, monthly = 36 {"}"}
hint-mirror-keeps = These credentials may only add, so everything there is as it was. With others that may remove, type the same command again; by "env:NAME" in eclusa.toml it takes those of its own environment.
hint-keep = Say in eclusa.toml which are kept, such as: [stacks.{ $stack }.keep] daily = 14, weekly = 8, monthly = 12
backups-diff-none = Both restore points hold the same.
backups-diff-only-counts = One of the points was taken by an older Eclusa, whose checksums are of another kind: of tables, only numbers of rows are compared.
backups-diff-tables = Tables
backups-diff-content = other content
backups-diff-objects = Other objects of the database
backups-diff-files = Files of { $set }
backups-diff-configuration = Configuration
backups-got = { $path }, { $bytes }, is in { $file }
prune-goes = goes
prune-stays = stays: { $why }
prune-nothing = No restore point has to go.
prune-unreadable = Nothing of { $tenant } goes, since a point cannot be read: { $problem }
prune-why-newest = the newest
prune-why-proved = the last one that was restored and proved
prune-why-rollback = a rollback would need it
prune-why-run = the run { $run } uses it
prune-why-held = held: { $reason }
prune-why-salvage = what is in it is nowhere else
prune-why-last = one of the last
prune-why-no-rule = no rule speaks of this tenant
prune-why-within = young
prune-why-hourly = of its hour
prune-why-daily = of its day
prune-why-weekly = of its week
prune-why-monthly = of its month
prune-why-yearly = of its year
backups-held = Restore point { $point } of { $tenant } is held: eclusa prune lets it alone until eclusa backups end-hold { $point } --reason TEXT
backups-hold-ended = Restore point { $point } of { $tenant } is no longer held.
backups-none = No restore point of { $tenant } was taken yet. Take one: eclusa backup { $tenant } --prove
history-none = There was no run yet.
history-verified = The journal is whole: { $entries } events, each with the hash of the one before it.
status-disk = { $purpose }: { $free } free ({ $percent } %) at { $path }
status-headway = { $step }: { $headway }
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
trouble-run-asks = Run { $run } waits for an answer to { $step }
trouble-disk = The disk of { $purpose } ({ $path }) has { $percent } % free
trouble-database = The database of { $tenant }: { $problem }
trouble-vault = The restore points of { $tenant } cannot be listed: { $problem }
trouble-site = The site { $site } cannot be used, so no release is planned: { $problem }
trouble-no-point = There is no restore point of { $tenant }
trouble-point-stale = The newest restore point of { $tenant } is of { $at }; that is older than it may be
trouble-proof-stale = A restore point of { $tenant } was last restored and proved at { $at }; that is longer ago than it may be
trouble-missed = The { $job } that was due at { $at } was not done
trouble-missed-of = The { $job } of { $tenant } that was due at { $at } was not done
repair-missed = eclusa { $command }
repair-drill = eclusa drill { $tenant }
trouble-mirror-never = The restore points of { $tenant } have not been copied to { $mirror } yet
trouble-mirror-failed = Copying { $tenant }'s restore points to { $mirror } failed at { $at }: { $problem }
trouble-mirror-stale = The newest copy of { $tenant }'s restore points at { $mirror } is of { $at }; that is older than it may be
trouble-mirror-late = The restore points of { $tenant } had to be copied to { $mirror } at { $due }; the newest copy is of { $at }
repair-mirror = eclusa mirror { $tenant } --to { $mirror }
trouble-never-proved = No restore point of { $tenant } was ever restored and proved
trouble-service-of-run = Service { $service } is { $state }; run { $run } has not ended, and stops services for a while
trouble-service = Service { $service } is { $state }
trouble-without-override = { $services }: started without Eclusa's override, so not the pinned release
trouble-stray = Service { $service } runs, and docker-compose.eclusa.yml, which had it, is gone or lacks it
trouble-edge = The edge is installed and does not answer
trouble-maintenance = { $tenant } is kept closed by { $owner }
repair-unmigrated = once the cause is mended: eclusa migrate { $tenant }, then eclusa maintenance off { $tenant }; or back for everyone: eclusa rollback
trouble-maintenance-late = { $tenant } is STILL kept closed, longer than was meant, by { $owner }
trouble-maintenance-open = The gate of { $tenant } is open, although somebody keeps it closed
trouble-maintenance-unowned = { $tenant } is in maintenance mode, and nobody is known to keep it so
repair-maintenance-off = eclusa maintenance off { $tenant }
repair-maintenance-on = eclusa maintenance on { $tenant }, or off
repair-maintenance-own = eclusa maintenance off { $tenant }; or, to answer for it: eclusa maintenance on { $tenant } --reason WHY
trouble-gate-unowned = The gate of { $tenant } is { $gate }, and its run ({ $run }) does not go on
trouble-audit = The audit of the stack's files finds { $critical } critical and { $high } high risks
repair-audit = eclusa audit { $files }
repair-answer = eclusa answer { $run } go --reason TEXT, or no-go
repair-attach = eclusa attach { $run }
repair-resume = eclusa resume { $run }
repair-site = eclusa tenants
repair-backup = eclusa backup { $tenant } --prove
repair-prove = eclusa backup { $tenant } --prove
repair-stray = Put the file back from a copy, or make it anew: eclusa edge remove, then eclusa edge install
repair-start = eclusa start
repair-first-release = eclusa release NAME
repair-gate = See eclusa history; then eclusa edge open TENANT

restore-imported = Taken into the vault as restore point { $point }: { $rows } rows in { $tables } tables, { $files } files, written by Frappe { $version }; the stack runs { $stack }.
restore-imported-sandbox = Its line for the sandbox mode of newer clients was left out.
restore-imported-definers = Views, triggers and routines of { $definers } are defined by the site's own account now.
hint-import-newer = Bring the stack to that version first, or take it all the same: --newer
hint-import-older = Say what shall be done: --migrate brings it to the stack's version after it is swapped in, --no-migrate leaves it.
hint-import-key = Say where the key is: --encryption-key-from file:PATH or env:NAME. It stands as backup_encryption_key in the site_config.json of the site that was backed up.
backups-export-version = The dump does not say which version of Frappe it is of, since another release runs now. To have it written: --frappe-version VERSION
backups-export-secrets = These files are not encrypted, and the configuration holds the database's password and the encryption key. Only you may read them.

schedule-nothing = Nothing is scheduled: [stacks.{ $stack }.schedule] is not there
schedule-job = what
schedule-tenant = tenant
schedule-last = last time for it
schedule-done = last done
schedule-state = state
schedule-next = next time
schedule-all = all
schedule-state-done = done
schedule-state-due = due now
schedule-state-waiting = waits until { $at }
schedule-state-again = failed, again at { $at }
schedule-state-missed = missed
schedule-begins = eclusa { $command }: it was due at { $at }
schedule-ended = eclusa { $command }: ended with { $code }
schedule-could-not-begin = eclusa { $command }: could not begin: { $problem }
schedule-run-under-way = Run { $run } is under way; what is due waits for its end
schedule-watching = Nothing is due. Next: { $command } at { $at }
schedule-trouble = The schedule could not be read this time, and is read again: { $problem }
schedule-stopping = Told to end; what is under way ends first

keys-none = There are no keys yet; they come with the first backup.
keys-never = never
keys-row-own = key
keys-row-rotated = exchanged
keys-row-escrow = in an escrow
keys-row-auditor = auditor
keys-row-stranger = unknown key file
keys-row-behind = old key still opens, until the next eclusa mirror
keys-row-keeping = old key still opens, nothing may be removed there
keys-row-unfinished = an exchange did not end
keys-row-wrapped = wrapped by the stack key
keys-row-plain = not wrapped
keys-own-missing = missing
keys-own-wrong = does not open the repository
keys-own-unused = no repository yet
keys-escrow-before = only keys before this one
keys-ask-passphrase = Passphrase for the file:
keys-ask-again = Once more:
keys-ask-open = Passphrase of the file:
keys-escrow-written = The keys are in { $file }, encrypted.
keys-escrow-sheet = How to get at the data with it stands in { $sheet }, without any secret. Print it.
keys-escrow-sheet-secret = How to get at the data stands in { $sheet }, WITH THE PASSWORDS: print it, lock it away, and remove the file.
keys-escrow-elsewhere = Bring both away from this machine: whoever loses it, the vault's disk and this file together has nothing.
keys-recovered-opens = { $tenant }: key { $fingerprint } was put back; it opens the repository.
keys-recovered-opens-not = { $tenant }: key { $fingerprint } was put back, and does NOT open the repository that is here.
keys-recovered = { $tenant }: key { $fingerprint } was put back; there is no repository here yet.
keys-recovered-already = { $tenant }: key { $fingerprint } is there already.
keys-recovered-another-opens = { $tenant }: another key is there, and it opens the repository. It was left.
keys-recovered-another = { $tenant }: another key is there. It was left. To put this one in its place (the other is kept beside): --replace
keys-recovered-refused = { $tenant }: key { $fingerprint } does not open the repository that is here, so it was not put there. It is older than the last exchange. To put it there all the same: --replace
keys-recovered-closed = { $tenant }: a key is there that is wrapped by another stack key. It was left. To put this one in its place (the other is kept beside): --replace
keys-wrapped = { $tenant }: wrapped { $files }.
keys-wrapped-already = { $tenant }: is wrapped already.
keys-wrapped-honest = Copies of the key directory that were made before still hold the keys as they were; if they may be in others' hands: eclusa keys rotate. Keep a copy of the stack key away from this machine, and not beside a copy of the key directory.
keys-rewrapped = { $tenant }: wrapped { $files } by the stack key of eclusa.toml.
keys-rewrapped-honest = Copies of the key directory that were made before are still opened by the stack key before.
keys-unwrapped = { $tenant }: unwrapped { $files }.
keys-unwrapped-already = { $tenant }: is not wrapped.
keys-unwrapped-next = Keys that are written from now on are wrapped as long as eclusa.toml has stack_key: take that line out.
keys-rewriting-failed = { $tenant }: left as it was: { $problem }
keys-rotated = { $tenant }: new key { $fingerprint }. The one before opens the repository no longer.
keys-rotated-behind = { $tenant }: new key { $fingerprint }. The one before opens the repository no longer, but the copies at { $mirrors } until the next eclusa mirror; it is kept here until then.
keys-rotated-honest = What the key protects (the repository's master key) stays the same: whoever had the old key and an old copy of the repository still reads that copy. Escrow the new keys: eclusa keys escrow -o FILE
keys-auditor-once = { $name } reads the restore points of { $tenants } with this password. It is shown this once:
keys-auditor-written = { $name } reads the restore points of { $tenants } with the password in { $path }. Only you may read that file; give it over and remove it.
keys-auditor-removed = The key of { $name } opens the restore points of { $tenants } no longer. Whoever had it and copied a repository still reads that copy; mirrors follow with the next eclusa mirror.
keys-show-warning = Whoever sees this key reads every restore point of { $tenant }. Give it to restic in RESTIC_PASSWORD, not in a command line.
keys-show-confirm = Print the key?
hint-passphrase = Say where it stands: --passphrase file:PATH; or encrypt for a recipient: --to age1…
hint-identity = Give the file with it: --identity FILE
trouble-keys-never = The { $number ->
    [one] key
   *[other] keys
} of { $tenants } { $number ->
    [one] is
   *[other] are
} in no escrow; with this machine's disk every copy of the restore points would be lost
trouble-keys-since = The { $number ->
    [one] key
   *[other] keys
} of { $tenants } { $number ->
    [one] was
   *[other] were
} exchanged after the last escrow, which opens only what is older
trouble-keys-unfinished = The exchange of the { $number ->
    [one] key
   *[other] keys
} of { $tenants } did not end; what is on the disk opens the restore points
trouble-keys-plain = The { $number ->
    [one] key
   *[other] keys
} of { $tenants } { $number ->
    [one] lies
   *[other] lie
} on the disk as { $number ->
    [one] it is
   *[other] they are
}, though a stack key is configured
trouble-stack-key = The stack key { $reference } cannot be used: { $problem }; no new key can be written, and those that it wrapped stay closed
trouble-stack-key-beside = The stack key lies in { $directory }, together with the keys that it wraps: whoever gets a copy of that directory has both
repair-keys-wrap = eclusa keys wrap
repair-stack-key = put a copy of it back to where the reference leads
repair-stack-key-beside = lay it elsewhere, and change stack_key in eclusa.toml
repair-stack-key-readable = chmod o-rwx { $path }
repair-keys-escrow = eclusa keys escrow -o FILE
repair-keys-rotate = eclusa keys rotate { $tenants }
trouble-erasure-begun = The erasure of { $tenant } was begun and did not end
trouble-asides = { $count ->
    [one] A database holds
   *[other] { $count } databases hold
  } tables of restore points to be looked at; the oldest is { $database }, of { $tenant }, made { $at }
repair-asides = when nobody looks at it any more: eclusa aside drop { $database }
trouble-base-unseen = The base backups of the server { $service } cannot be looked at: { $problem }
trouble-base-archives = The server { $service } archives no log (archive_mode is off), so no moment after a base backup can be brought back
repair-base-archives = see what the server needs: docs/tasks/point-in-time.md
trouble-base-failing = The server { $service } cannot archive its log: { $file } and what came after it is only on its own disk, which fills up
repair-base-failing = look why its archive_command fails: eclusa logs { $service }
trouble-base-none = There is no base backup of the server { $service }, so no moment can be brought back
repair-base-none = eclusa base take { $service }
trouble-erasure-left = After the erasure of { $tenant } copies are left at { $places }
repair-erase = eclusa erase { $tenant }

erase-title = Erase every copy of { $tenant }
erase-keys = First all keys on this machine: from then on nothing here can read the copies. Then the copies:
erase-place-goes = { $files } files, { $bytes }: will be destroyed
erase-place-nothing = nothing of this tenant
erase-place-gone = destroyed already
erase-place-stays = WILL STAY: { $problem }
erase-customizations = Then kept customizations, holds, and what is written down about the copies.
erase-title-readers = Who could still decrypt a copy that is left anywhere
erase-title-stays = Not touched
erase-confirm = Destroy these copies? Nothing brings them back.
erase-type = Type the tenant's name, { $tenant }, to destroy them:
erase-declined = Nothing was destroyed.
erase-aside-goes = the database { $database } with tables of a restore point: dropped
erase-done = Every copy of { $tenant } that Eclusa knows of is destroyed.
erase-left = The keys of { $tenant } are destroyed here, but copies are left at { $places }. When they can be reached, type the same command again.
erase-readers = The certificate names who could still decrypt a copy that is left anywhere.
erase-certificate = Certificate: { $path }
hint-erase-configured = Take the tenant out of eclusa.toml first; or, if it is meant so: eclusa erase { $tenant } --still-configured
hint-backup-first = Take one: eclusa backup { $tenant }
hint-clone-frappe = For a stack of one tenant, lay a second stack with a configuration of its own, and bring its data there with eclusa backups export.
person-none = No person was erased; a restore replays nothing.
person-line = { $tenant }  { $id }  done { $at } by { $by }: { $reason }
hint-erase-held = When the reason is gone: eclusa backups end-hold { $point } --reason TEXT
hint-erase-yes = At a terminal you are asked. Otherwise: eclusa erase { $tenant } --yes --confirm { $tenant }
hint-asides = See which there are: eclusa aside ls
hint-bases = A table [stacks.NAME.base_backups.SERVICE] says where they lie; what the server needs stands in docs/tasks/point-in-time.md
base-taking = Taking a base backup of the server { $service } …
base-taken = Base backup { $base } of { $service } is there, { $bytes }. Any moment from now on can be brought back: eclusa restore TENANT --at MOMENT
base-none = none yet
asides-none = There is no database with tables of restore points.

## What a rehearsal found.

rehearsed-good = { $tenant }: { $release } came through. Migrated in { $migrated }; closed for about { $closed }; { $bytes } of room while a restore lies beside. No release runs that could have been started on the migrated data.
rehearsed-back-code = { $tenant }: { $release } came through. Migrated in { $migrated }; closed for about { $closed }; { $bytes } of room while a restore lies beside. The release that runs now works on the migrated data too: there is a way back without the data of before.
rehearsed-back-data = { $tenant }: { $release } came through. Migrated in { $migrated }; closed for about { $closed }; { $bytes } of room while a restore lies beside. The release that runs now does NOT work on the migrated data: the way back is by the restore point.
rehearsed-bad = { $tenant }: { $release } did NOT come through. { $tenant } is served as before; what went wrong stands above and in the report.
rehearsed-closed-unknown = For how long tenants will be closed is known once a release has run here: the time of its other steps counts too.
rehearsed-next = To bring this release, and refuse any other images: eclusa release { $release } --rehearsed
