# What `eclusa audit` says. For each rule: what is wrong (A101), what can happen (A101-risk), what to write (A101-fix).
# docs/rules/ is generated from these texts: cargo run -p xtask -- rules-pages.

A001 = { $subject } cannot be read: { $problem }
A001-risk = Nothing in this file was looked at, so whatever is wrong in it is not in this report. Compose refuses it as well.
A001-fix = Mend the file; `docker compose config` shows how Compose reads it.
A002 = This comment allows { $subject } and gives no reason, so it has no effect
A002-risk = Nobody can tell later whether the exception still holds.
A002-fix = Write why, after the code: # eclusa: allow A301 only the office network reaches this host
A003 = This comment allows { $subject }, and there is nothing to allow
A003-risk = The next mistake on this line would be allowed unseen.
A003-fix = Take the comment out.

A101 = { $subject } installs packages when its container starts: { $what }
A101-risk = Each start may bring other versions than the last, and none when the registry does not answer. A restart at night becomes an outage, and there is no image to go back to.
A101-fix = Install in the Dockerfile, so that the image that was tested is the image that runs.
A102 = { $subject } runs code from the host: { $source } is mounted at { $target }
A102-risk = What runs is whatever lies in that directory. A release can be neither repeated nor taken back by its image, and an edit on the host is live at once.
A102-fix = Copy the code into the image. Mount only configuration and data.
A103 = { $subject } keeps code in a volume: { $target }
A103-risk = A volume is filled from the image once. After an upgrade the old code in it still lies over the new one, while the image's tag says otherwise.
A103-fix = Take the volume out, so that the code is the image's. Only data belongs into volumes.
A104 = { $subject } keeps setup scripts or state among the sites: { $what }
A104-risk = The directory is data: it is backed up, restored and shared between containers. A restored copy brings back old state, and setup is skipped or done twice.
A104-fix = Put scripts into the image, and ask the database or the site itself whether it is there instead of a marker file.
A105 = { $subject } takes an image that moves: { $image } ({ $what })
A105-risk = The same file gives another image tomorrow. Two hosts run different versions, and going back is not possible by name.
A105-fix = Write the version: image: NAME:1.2.3
A106 = { $count ->
    [one] The image of { $subject } has a tag and no digest
   *[other] The images of { $subject } have tags and no digests
    }
A106-risk = A tag can be pushed again. What was tested is then not what runs.
A106-fix = Pin the digest as well: image: NAME:1.2.3@sha256:… (`docker buildx imagetools inspect NAME:1.2.3` shows it). Releases by Eclusa pin digests by themselves.
A107 = { $subject } uses { $image }, which gets no security fixes since { $date }
A107-risk = Holes that become known stay open.
A107-fix = Move to a version that is supported. For a database this is a migration: take and prove a restore point first.
A108 = { $subject } replaces running containers by itself when a new image appears
A108-risk = A release happens at any hour, without a backup, without a migration that was tried, and without anybody who looks.
A108-fix = Take the service out, and release on purpose. To be told of new images, use something that only notifies.
A109 = { $subject } takes the app { $what } from a branch that moves: { $tag }
A109-risk = The same file builds another image tomorrow, with code and migrations that nobody tried. What runs cannot be built again, and going back is not possible by name.
A109-fix = Write a tag: "branch": "v15.45.2". Frappe's own apps have one for each release.
A110 = { $subject } takes the app { $what } over plain HTTP
A110-risk = Whoever is on the way can put other code into the image, and it runs with the database's password.
A110-fix = Write https://, or git@ with a key.

A201 = { $variable } of { $subject } stands in the file in clear
A201-risk = Whoever can read the repository or a copy of it has the secret, and it stays in the history when it is taken out.
A201-fix = Change the secret, and write ${"{"}{ $variable }:?set it in the env file{"}"} here. The env file stays out of version control.
A202 = { $variable } of { $subject } can be guessed: { $what }
A202-risk = When the variable is not set, nothing complains, and a password that anyone can read or guess is in effect.
A202-fix = Write ${"{"}{ $variable }:?{"}"} instead, so that Compose refuses to start without a value.
A203 = { $variable } of { $subject } is still a placeholder
A203-risk = The placeholder is the password: it stands in the documentation from which it was copied.
A203-fix = Fill it in: openssl rand -base64 32
A204 = A secret of { $subject } is in a command ({ $where }: { $what })
A204-risk = Arguments are shown by `ps` and `docker inspect` to everyone on the host, and end up in logs.
A204-fix = Let the program read it from its environment or a file: in Compose $$NAME instead of ${"{"}NAME{"}"}, a secret under /run/secrets, MYSQL_PWD or PGPASSWORD in the environment.
A205 = { $subject } is in version control and holds secrets ({ $count }, the first is { $variable })
A205-risk = Everyone with a copy of the repository has them, and they stay in its history.
A205-fix = Change the secrets, then: git rm --cached { $subject } and put its name into .gitignore. Keep an example without values.
A206 = A secret gets into the image of { $subject }: { $what }
A206-risk = Whoever can pull the image reads it with `docker history` or from a layer, also when a later step deletes it.
A206-fix = Give it at run time, or for the build only: RUN --mount=type=secret,id=NAME …
A207 = { $subject } works as the database's administrator ({ $variable })
A207-risk = One hole in the application is enough to read, change or drop every database of the server, those of other tenants included.
A207-fix = Make a user that owns only this application's database, and give the application that one. Only the setup job needs the administrator.
A208 = { $variable } is the same in { $other } and in { $subject }
A208-risk = Who gets into one environment is in the other. A session or token of staging is valid in production.
A208-fix = Make a secret of its own for each environment.

A209 = { $variable } of { $subject } stands in the supervisor file in clear
A209-risk = Whoever can read the file, a copy of it or the environment of the process has the secret.
A209-fix = Change the secret, and write %(ENV_{ $variable })s with the value in supervisord's own environment, or let the program read it from a file that only its user can read.
A210 = A token stands in the address of the app { $what } in { $subject }
A210-risk = Whoever can read the file has the token, and git writes the address with it into the image, where `docker history` and .git/config show it.
A210-fix = Withdraw the token. Give a new one for the build only (RUN --mount=type=secret), or take the app over SSH with a deploy key.
A301 = { $subject } publishes port { $port } on every address of the host
A301-risk = The data store can be reached from the network. Docker's rules come before those of ufw and firewalld, so a host firewall does not stop it.
A301-fix = Take the port out; services of the project reach it without. For a tunnel from this host: "127.0.0.1:{ $port }:…"
A302 = { $subject } publishes its administration at port { $port } on every address of the host
A302-risk = Whoever guesses one password administrates the data or the host.
A302-fix = Publish it on 127.0.0.1 only and reach it by an SSH tunnel, or put it behind the proxy with a login.
A303 = { $subject } serves a public port without TLS
A303-risk = Passwords and sessions can be read on their way.
A303-fix = Put a proxy with a certificate in front (Caddy, Traefik, nginx with certbot). If TLS ends on another machine, bind the port to the address that it uses, or allow this with the reason.
A304 = { $subject } has the Docker socket
A304-risk = Whoever gets into this container is root on the host; mounting it read-only does not change that.
A304-fix = Take it out, or put a proxy in between that allows only the calls that are needed.
A305 = { $subject } runs with the rights of the host ({ $what })
A305-risk = Whoever gets into this container is root on the host.
A305-fix = Give only the capability or the device that is needed.
A306 = { $subject } uses the network of the host
A306-risk = Every port that it opens is public, and it reaches everything that listens on loopback only.
A306-fix = Use a network of the project and publish the ports that are needed.
A307 = { $subject } is served on port 80 without TLS
A307-risk = Passwords and session cookies travel in clear, and anyone on the way can read and change them.
A307-fix = Add a server with listen 443 ssl and a certificate (certbot --nginx writes it), and let this one say return 301 https://$host$request_uri;
A308 = { $subject } opens { $what } to everyone
A308-risk = Whoever finds the address works on the data, or tries passwords on the database as long as they like.
A308-fix = Add auth_basic with a password file, or allow with the addresses of those who need it and deny all; better, listen on 127.0.0.1 and come through an SSH tunnel.

A401 = { $count ->
    [one] { $subject } has no memory limit
   *[other] { $count } services have no memory limit: { $subject }
    }
A401-risk = One service that leaks takes all memory, and the kernel ends whichever process is largest: often the database.
A401-fix = Write mem_limit: 1g (or deploy.resources.limits.memory).
A402 = { $count ->
    [one] The log of { $subject } grows without end
   *[other] The logs of { $count } services grow without end: { $subject }
    }
A402-risk = The json-file driver rotates nothing unless it is told to. One day the disk is full, and the database stops.
A402-fix = Write logging: with options max-size and max-file, or set them for all in /etc/docker/daemon.json.
A403 = { $subject } has no health check
A403-risk = A service that hangs counts as running: nothing waits for it, nothing restarts it, and a release cannot tell whether it is well.
A403-fix = Write healthcheck: with a test that asks the service itself.
A404 = The health check of { $subject } cannot fail: { $why }
A404-risk = It says healthy whatever happens, which is worse than no check: everything that relies on it goes on.
A404-fix = Let the test end with an error when the service does not answer rightly, such as curl --fail.
A405 = { $subject } does not wait until { $database } is healthy
A405-risk = A container that has started is not a database that answers. After a reboot the application fails first, and a migration at start may fail halfway.
A405-fix = Write depends_on: with condition: service_healthy, and a health check for { $database }.
A406 = { $count ->
    [one] { $subject } is not started again
   *[other] { $count } services are not started again: { $subject }
    }
A406-risk = After a reboot of the host or a crash they stay down until somebody notices.
A406-fix = Write restart: unless-stopped
A407 = { $count ->
    [one] { $subject } is started again only after a failure
   *[other] { $count } services are started again only after a failure: { $subject }
    }
A407-risk = A restart of the Docker daemon or of the host stops the container cleanly, which is no failure: it stays down.
A407-fix = Write restart: unless-stopped
A408 = restart: { $restart } of { $subject } is not in effect: deploy.restart_policy says { $condition }
A408-risk = Compose heeds the policy under deploy, so the service stays down where restart says it would come back.
A408-fix = Keep only one of the two.

A409 = { $subject } is not started again by supervisor
A409-risk = After a crash it stays down until somebody notices.
A409-fix = Write autorestart=true
A410 = The log of { $subject } grows without end: { $what }
A410-risk = One day the disk is full, and the database stops.
A410-fix = Write a limit such as 50MB instead of 0, or let logrotate do it and allow this with the reason.
A411 = { $subject } runs as root
A411-risk = Whoever gets into the application is root on the host.
A411-fix = Write user= with a user of its own, and give that user what the program writes.
A501 = { $subject } keeps its data in the container: nothing named is mounted at { $directory }
A501-risk = The data is gone, or lost in a volume without a name, when the container is made anew: with the next change of the image, or `docker compose down`.
A501-fix = Mount a named volume there, and declare it under volumes.
A502 = { $subject } keeps { $what } in the container
A502-risk = What users have uploaded is gone when the container is made anew, which every release does.
A502-fix = Mount a named volume at that directory in every service that uses it.
A503 = { $subject } is a queue, and what waits in it is kept nowhere
A503-risk = Jobs that were accepted are lost when the container is made anew: mails, invoices, webhooks.
A503-fix = Mount a named volume at /data and start it with: redis-server --appendonly yes
A504 = { $subject } is a cache that outlives releases
A504-risk = After a release or a way back it serves what the other version has put there: names of old assets, objects that this version cannot read.
A504-fix = Take the volume out, so that the cache begins empty; keep the volume of the queue.
A505 = { $cache } and { $queue } of { $subject } are one database of one Redis
A505-risk = Clearing the cache throws accepted jobs away, and a full cache evicts them.
A505-fix = Use a Redis of its own for the queue, or at least another database number.
A506 = Nothing here takes a backup of { $subject }
A506-risk = A mistake, a bad migration or a broken disk costs everything.
A506-fix = eclusa backup --prove takes one and shows that it can be restored. Or a job that dumps database and files, and a second one that restores them.
A507 = The backup of { $subject } stays on the same host
A507-risk = It is lost together with what it is for: disk, ransomware, a wrong rm.
A507-fix = Copy it to another place after it was taken (restic to S3 or SFTP, rclone, rsync).
A508 = The backup in { $subject } holds no files
A508-risk = After a restore the rows name attachments and images that are gone.
A508-fix = Back up files and database together: bench backup --with-files, or the media directory beside the dump.
A509 = No backup of { $subject } was ever restored by anything here
A509-risk = A dump that was never restored is a hope. Truncated files and missing rights show on the day they are needed.
A509-fix = Restore one regularly somewhere harmless and look at it. eclusa backup --prove does both.
A510 = { $subject } ({ $image }) starts with a character set in which not every text can be kept
A510-risk = Names and emoji outside of Latin are refused or stored as question marks, and that cannot be mended later.
A510-fix = Start it with --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci
A412 = { $count ->
    [one] { $subject } has no CPU limit
   *[other] { $count } services have no CPU limit: { $subject }
    }
A412-risk = One service that computes without end, such as a report over all years or a worker that loops, takes every core, and the pages of all tenants become slow.
A412-fix = Write cpus: 1.5 (or deploy.resources.limits.cpus) at least for what computes beside the pages: workers and schedulers.

A601 = { $subject } migrates the database at every start
A601-risk = A plain restart can change the schema, without a backup before it; a failing migration becomes a crash loop.
A601-fix = Migrate in a step of its own, once, after a restore point.
A602 = { $count } containers migrate the same database when they start ({ $subject })
A602-risk = Two migrations at once: one fails halfway, or both change the schema.
A602-fix = Let one job migrate, and the others wait for it: condition: service_completed_successfully
A603 = { $subject } has no { $what }
A603-risk = What it would do is never done, and nobody is told: mails, scheduled jobs, invoices, live updates.
A603-fix = Add the service.
A604 = { $subject } works on a queue that nothing fills: { $queue }
A604-risk = The worker is idle, and jobs of the queue that was meant wait for ever.
A604-fix = Frappe's queues are default, short and long; others must stand under workers in common_site_config.json.
A605 = { $subject } makes a site without looking whether it is there
A605-risk = The second start fails, or with --force drops the site and its data.
A605-fix = Ask first: test -d sites/NAME || bench new-site NAME …
A606 = { $subject } switches developer mode on
A606-risk = Errors show code and values to users, schema changes are written into the code, caches are off.
A606-fix = Take developer_mode out, or set it to 0.
A607 = { $subject } allows tests to run on this site
A607-risk = The test runner writes records and settings into the live database.
A607-fix = Take allow_tests out, or set it to false.

A701 = { $subject } runs with DEBUG on ({ $what })
A701-risk = Every error page shows settings, paths and values of variables to whoever caused it, and memory grows with each query.
A701-fix = DEBUG = False, and where it is read from the environment, with False as the default.
A702 = { $subject } answers to any host name
A702-risk = Links in mails, such as those for new passwords, can be made to point to someone else's server.
A702-fix = Name the hosts: ALLOWED_HOSTS = ["shop.example.org"]
A703 = { $subject } is served by a development server: { $what }
A703-risk = It handles few requests at once, reloads itself, and was never checked for security.
A703-fix = Serve it by gunicorn, uvicorn or uwsgi behind a proxy.
A704 = { $subject } leaves Django's protections for HTTPS off: { $missing }
A704-risk = Session cookies travel over plain HTTP when anybody follows an http:// link.
A704-fix = Set them in production's settings; `manage.py check --deploy` explains each.

A801 = { $subject } migrates before it has taken a backup
A801-risk = When the migration fails or is wrong, there is no state to go back to.
A801-fix = Take a backup first, and stop when it fails. eclusa release does both, and proves the backup.
A802 = { $subject } goes on after a step that failed: { $why }
A802-risk = The new code starts on a schema that was migrated halfway, and the script says that it is done.
A802-fix = Begin the script with: set -euo pipefail
A803 = { $subject } goes back to the old code and leaves the schema as it is
A803-risk = The old code meets the new schema. What was written meanwhile may be lost or damaged.
A803-fix = Restore the database that belongs to the old release, or migrate back, in the same script. eclusa rollback decides this for each release.
A804 = { $subject } publishes only a tag that moves: { $tag }
A804-risk = There is no name for the image that ran yesterday, so nobody can go back to it.
A804-fix = Publish an immutable tag as well: the version or the commit.

A901 = No firewall filters what comes in on { $subject }
A901-risk = Every port that anything opens is public.
A901-fix = Allow SSH and the web ports only: ufw default deny incoming
A902 = Security updates are not installed by themselves on { $subject }
A902-risk = Holes stay open until somebody remembers.
A902-fix = apt-get install unattended-upgrades
A903 = { $subject } listens for everyone at { $address }, without TLS
A903-risk = Whoever reaches the port is root on this host.
A903-fix = Take the address out of hosts in /etc/docker/daemon.json and use SSH: docker context create … --docker host=ssh://…
A904 = { $subject } leaves { $what } unset
A904-risk = An update of the daemon stops every container, or logs fill the disk.
A904-fix = Set it in /etc/docker/daemon.json: "live-restore": true, "log-opts": {"{"}"max-size": "10m", "max-file": "5"{"}"}
A905 = The disk of { $subject } has { $percent } % free
A905-risk = A full disk stops the database, and a backup cannot be taken either.
A905-fix = Make room: docker system df shows what Docker keeps.
A906 = The clock of { $subject } is not kept right
A906-risk = Tokens and certificates are refused, and logs cannot be compared.
A906-fix = timedatectl set-ntp true
A907 = The certificate of { $subject } ends in { $days } days
A907-risk = On that day every browser warns, or every call that is signed with it fails.
A907-fix = Renew it, and find out why that did not happen by itself.
A908 = The container { $subject } was restarted { $count } times
A908-risk = It fails again and again; in between it looks well.
A908-fix = docker logs { $subject }

audit-clean = Nothing was found.
audit-summary = Findings: { $findings } ({ $counts }). Files read: { $files }.
audit-projects = Looked at { $projects }
audit-project-development = { $files } (for developers: only secrets in tracked files and scripts were looked at)
audit-no-project = No Compose project was found here, so most rules had nothing to look at. Name its files: eclusa audit docker-compose.prod.yml
audit-absent = Named by a project and not below the directory that was audited, so not read: { $paths }
audit-suppressed = Allowed by comments: { $count }
audit-suppressed-one = { $code } { $place } because { $reason }
audit-baselined = { $count } findings are in the baseline and not listed
audit-fixable = --fix can mend { $count } of them; --fix --diff shows how
audit-more-places = and at { $places }
audit-fixed = { $path }: mended { $codes }
audit-fixed-nothing = There is nothing that can be mended without asking.
audit-baseline-written = { $count } findings were written to { $path }. Audits with --baseline { $path } list only what is new.
audit-certificate-hint = Is openssl installed? The password of a .pfx or .p12 file is read from { $variable }.
audit-no-path-hint = Name a directory or Compose files: eclusa audit docker-compose.prod.yml
audit-baseline-hint = Make one with: eclusa audit --write-baseline FILE

audit-report-title = Deployment audit
audit-report-risks = Risks
audit-report-risk = Risk observed
audit-report-severity = Severity
audit-report-impact = Impact
audit-report-mitigation = Mitigation
audit-report-evidence = Evidence
audit-report-allowed = Allowed by comments
audit-report-reason = Reason
audit-report-more = and { $count } more
