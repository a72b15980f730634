# What happened (E0000), the state things are in (E0000-state), what to type next (E0000-hint).

E0001 = Eclusa came into a state that should not exist: { $what }
E0001-hint = Please report this with the output of: eclusa history --verify
E0002 = The state directory { $path } cannot be used
E0002-state = Nothing was changed.
E0002-hint = Make it writable for this user, or name another with --state DIR or `state = "DIR"` in eclusa.toml.

E0101 = { $path } cannot be read
E0101-state = Nothing was changed.
E0101-hint = To write a first one from a Compose file: eclusa adopt docker-compose.prod.yml
E0102 = { $path } is not valid: { $problem }
E0102-state = Nothing was changed.
E0102-hint = Mend the line shown above; docs/configuration.md lists every key.
E0103 = Which stack? { $problem }
E0103-state = Nothing was changed.
E0103-hint = Name one with --stack NAME; known: { $known }
E0104 = The secret { $reference } cannot be had: { $problem }
E0104-state = Nothing was changed.
E0104-hint = Set the variable or write the file that the reference names, readable by this user only.
E0105 = A placeholder stands in { $path } line { $line }: { $variable }
E0105-state = Nothing was changed.
E0105-hint = Give { $variable } its real value.
E0106 = { $path } is there already
E0106-state = It was left as it is.
E0106-hint = Look at what would be written with --stdout, or write elsewhere with --output FILE.
E0107 = No application that Eclusa knows was found in { $path }: { $problem }
E0107-state = Nothing was written.
E0107-hint = Name it: eclusa adopt --app django { $path }

E0201 = Docker does not answer at { $endpoint }
E0201-state = Nothing was changed.
E0201-hint = Start it (systemctl start docker), or set DOCKER_HOST; then type the same command again.
E0202 = This user may not open the Docker socket { $endpoint }
E0202-state = Nothing was changed.
E0202-hint = Run as root, or join the group: sudo usermod -aG docker "$USER" and sign in again.
E0203 = Docker Compose { $needed } or later is needed: { $problem }
E0203-state = Nothing was changed.
E0203-hint = Install the Compose v2 plugin (docker compose version must answer); docker-compose v1 does not do.
E0204 = The Compose file { $path } does not resolve
E0204-state = Nothing was changed.
E0204-hint = See it as Compose does: docker compose -f { $path } config
E0205 = The stack has no service { $service }
E0205-state = Nothing was changed.
E0205-hint = Its services are: { $known }
E0206 = Service { $service } does not become healthy ({ $seconds } s are allowed): it is { $found }
E0206-hint = Look at its output: docker compose logs { $service }
E0207 = The image of { $release } could not be built
E0207-state = The running release was not touched.
E0207-hint = The whole output stands in { $log }
E0208 = The image { $image } is not here and could not be pulled
E0208-state = The running release was not touched.
E0208-hint = Check the name and the sign-in: docker pull { $image }
E0209 = { $operation } failed
E0210 = Service { $service } could not be { $operation }

E0301 = { $path } is no plan that can be used: { $problem }
E0301-state = Nothing was changed.
E0301-hint = Make a new one: eclusa plan … --out FILE
E0302 = The plan is stale: { $moved }
E0302-state = Nothing was changed.
E0302-hint = Look at the stack (eclusa status) and make a new plan.
E0303 = The plan has format { $format }; this version of Eclusa knows formats up to { $known }
E0303-state = Nothing was changed.
E0303-hint = Use the version of Eclusa that made it, or a newer one.
E0304 = The plan is not safe: { $problem }
E0304-state = Nothing was changed.
E0304-hint = This is a fault in the planner; please report it with the output of the same command and --json.
E0305 = There is nothing to do: { $what }
E0305-state = Nothing was changed.
E0306 = Now is outside the maintenance window ({ $window })
E0306-state = Nothing was changed.
E0306-hint = Wait for it, or say why it cannot wait: --outside-window "reason"
E0307 = There is no release { $release }: { $problem }
E0307-state = Nothing was changed.
E0307-hint = { $where }
E0308 = { $operation } is refused: { $stack } is a production stack
E0308-state = Nothing was changed.
E0308-hint = Use a stack whose environment is "staging".
E0309 = There is nothing to roll back to: { $problem }
E0309-state = Nothing was changed.
E0309-hint = See what is kept: eclusa history
E0310 = { $release } is older than the data: it lacks { $migrations }
E0310-state = Nothing was changed.
E0310-hint = To go back with the data: eclusa rollback

E0311 = There is no tenant { $tenant }
E0311-state = Nothing was changed.
E0311-hint = There are: { $known }
E0312 = The release is refused: the audit of the stack's files finds { $count } at least { $level }, the first { $code } at { $place }
E0312-state = Nothing was changed.
E0312-hint = Mend them, or allow one with its reason by a comment "# eclusa: allow CODE REASON". What they are: eclusa audit { $files }
E0313 = The site { $site } on the bench cannot be taken along: { $problem }{ $others ->
    [0] {""}
    [one] {" "}(and one more site)
   *[other] {" "}(and { $others } more sites)
}
E0313-state = Nothing was changed. The other sites are served as before.
E0313-hint = A release moves every site of the bench; one that is left behind stands on a schema that the new code does not know. Mend sites/{ $site }/site_config.json, or move its directory out of sites/ when it is no site. See all: eclusa tenants

E0316 = The app { $app } cannot be installed: { $problem }
E0316-state = Nothing was changed.
E0316-hint = An app comes with an image that has it: release one first, then type this again. What tenants have: eclusa tenants

E0401 = The journal { $path } cannot be written
E0401-state = Nothing is done that is not written in it first.
E0401-hint = Free the disk or mend the permissions, then type the same command again; for a run that had begun: eclusa resume
E0402 = The journal { $path } is damaged: { $problem }
E0402-state = Nothing more is done with this run.
E0402-hint = Keep a copy of the file, restore it from a backup of the state directory, then: eclusa history --verify
E0403 = There is no run { $run }
E0403-hint = See which there are: eclusa history
E0404 = Run { $run } { $problem }
E0404-hint = See where it stands: eclusa history { $run }
E0405 = The stack is held by run { $run } of { $holder }
E0405-state = Nothing was changed.
E0405-hint = Follow it (eclusa attach { $run }), or take it back (eclusa abort { $run }).
E0406 = Run { $run } was written by Eclusa { $version }, which is newer than this one
E0406-state = Nothing was changed.
E0406-hint = Use that version, or a newer one.
E0407 = The journal { $path } has format { $format }; this version of Eclusa knows formats up to { $known }
E0407-state = Nothing was changed.
E0407-hint = Use the version of Eclusa that wrote it, or a newer one.

E0501 = The database of { $tenant } does not answer
E0501-hint = See whether its service runs: eclusa status
E0502 = The database of { $tenant } refused its user
E0502-hint = Check user and password where eclusa.toml takes them from, and the user's rights: it must own the database and may create others.
E0503 = The database of { $tenant } could not be dumped
E0503-state = The database was only read; no restore point was written.
E0503-hint = Mend the cause (a full disk: make room where it says), then type the same command again.
E0504 = { $tenant } could not be restored from { $point }
E0504-state = The restore goes beside the live data, which was not touched.
E0504-hint = Mend the cause (a full disk: make room where the database lies), then type the same command again.
E0505 = What was restored for { $tenant } is not what the restore point says: { $problem }
E0505-state = The live data was not touched; the restored copy is discarded.
E0505-hint = Take another point: eclusa backups { $tenant }
E0506 = The restored database of { $tenant } could not be swapped in
E0506-hint = Mend the cause (end the process that uses it, or make room), then type the same command again; for a run that is stuck: eclusa resume
E0507 = This database is not supported: { $problem }

E0601 = The vault { $path } cannot be opened
E0601-hint = Check that the directory is there and writable.
E0602 = There is no restore point { $point } for { $tenant }
E0602-state = Nothing was changed.
E0602-hint = See which there are: eclusa backups { $tenant }
E0603 = Restore point { $point } of { $tenant } is damaged: { $problem }
E0603-state = It is not used.
E0603-hint = Use another: eclusa backups { $tenant }
E0604 = No restore point could be taken of { $tenant }: { $problem }
E0604-state = Those that were there before are as they were.
E0604-hint = Mend the cause (a full disk: make room in the vault), then type the same command again.
E0605 = The key of { $tenant }'s vault is missing or wrong
E0605-hint = It belongs in { $path }; put it back from your copy of it.
E0606 = The mirror { $mirror } of { $tenant }'s restore points, { $path }, cannot be used: { $problem }
E0606-state = The vault is as it was. What the mirror held before is still there.
E0606-hint = Mend the cause (mount the disk, make room), then type the same command again.
E0607 = There is no mirror { $mirror }
E0607-state = Nothing was changed.
E0607-hint = Name one of [[stacks.NAME.mirrors]] in eclusa.toml.
E0608 = No customizations of { $tenant } are kept from { $when }; the newest that are: { $kept }
E0608-state = Nothing was changed.
E0608-hint = Keep those of today: eclusa customizations export { $tenant }
E0609 = { $path } cannot be restored from: { $problem }
E0609-state = The tenant is as it was. Nothing was taken from the file.
E0620 = The file with keys { $path } cannot be used: { $problem }
E0620-state = No key was changed.
E0620-hint = Look at what keys there are: eclusa keys ls
E0621 = The copies of { $tenant } are not destroyed: { $problem }
E0621-state = Nothing was changed.
E0621-hint = See what would go: eclusa erase { $tenant } --plan

E0701 = The edge does not answer at { $socket }
E0701-hint = See what runs: eclusa doctor
E0702 = The edge could not { $operation }
E0703 = { $problem }
E0703-state = Nothing was changed.

E0801 = The command { $program } could not be started
E0801-hint = Install it, or mend its path in eclusa.toml.
E0802 = { $command } ended with { $status }
E0803 = { $command } ran past its limit of { $seconds } s and was ended
E0804 = { $command } may still be running
E0804-hint = Wait for it to end, then type: eclusa resume

E0901 = { $path } cannot be { $operation }
E0902 = The path { $path } leads out of { $root }
E0902-state = Nothing was written there.
E0903 = The disk of { $path } is too full: { $free } free, { $needed } needed
E0903-hint = Free some, then type the same command again.
E0904 = Port { $port } is taken
E0904-hint = See by whom: ss -ltnp

E1001 = The notification to { $to } was not delivered
E1002 = { $person } may not answer { $question }
E1002-hint = Those who may: { $allowed }
E1003 = No question is open in run { $run }
E1003-hint = See where it stands: eclusa history { $run }
