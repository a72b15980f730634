# What `eclusa adopt` says: the comments of the file that it writes (adopt-why-), its summary, its hints.

adopt-label-found = found
adopt-label-check = check this
adopt-label-missing = not found

adopt-head = Written by: eclusa adopt { $files }
adopt-head-labels = "found" says where a value comes from; "check this" is a guess; "not found" says what to write.
adopt-head-keys = Paths are relative to this file. docs/configuration.md lists every key.

adopt-nothing-written = Nothing was written.
adopt-no-file-hint = Name your Compose file: eclusa adopt docker-compose.prod.yml
adopt-exists-hint = Look at what would be written with --stdout, write elsewhere with --output FILE, or over it with --force.
adopt-env-file-hint = A service reads an env file that is not there. Make it (often by copying its example and filling it in), or name another: eclusa adopt { $path } --env-file FILE
adopt-variable-hint = Name the env file that sets the variable: eclusa adopt { $path } --env-file .env.production
adopt-unknown-hint = Name the application: eclusa adopt --app generic { $path } (or --app django where the code lies elsewhere).
adopt-stack-hint = Write a short name such as --stack shop.

adopt-why-app-named = named by --app.
adopt-why-app-manage = { $path } belongs to a Django project.
adopt-why-app-environment = { $service } has variables that begin with DJANGO_, but no manage.py was found here.
adopt-why-app-unknown = there is no manage.py in the build contexts and the project directory (3 levels deep), and no service has DJANGO_ variables
adopt-why-stage-variable = { $variable } says so.
adopt-why-stage-module = the settings module is { $module }.
adopt-why-stage-file = the file is called { $file }. Only "staging" allows demo data.
adopt-why-stage-default = nothing says which it is; production is the careful choice. Only "staging" allows demo data.
adopt-why-configuration = files of this host that the stack needs; each restore point keeps them.
adopt-why-domains-variable = { $variable }, which the settings read into ALLOWED_HOSTS. The first name is the one that probes use.
adopt-why-domains-settings = ALLOWED_HOSTS of the settings. The first name is the one that probes use.
adopt-why-domains-proxy = the frontend's own configuration. The first name is the one that probes use; the application must allow it.
adopt-why-domains-localhost = no public name was found. Write the names that browsers use, such as "shop.example.org"; probes use the first, and the application must allow it.

adopt-why-env-named = named by --env-file.
adopt-why-env-running = the containers were started with these.
adopt-why-env-plain = Compose takes the .env beside its file.
adopt-why-env-covers = this file sets { $sets } of the { $all } variables that the Compose file asks for.
adopt-why-env-none = no env file was found. Write those that you give to --env-file.
adopt-why-env-further = { $files } is read by the database's container and holds what stands below under [database]; Compose fills in nothing else from it.
adopt-why-env-further-changes = with these files Compose resolves the project otherwise than without. Compare: docker compose config, with and without them.
adopt-why-project-files = Compose's choice for these files. Kept here, so that a renamed directory does not lose the volumes.
adopt-why-project-running = the containers belong to this project.
adopt-why-project-several = these files were started under several names: { $projects }.
adopt-why-override = Eclusa writes this file: the pinned release and the edge. Yours are never edited.

adopt-why-role-image = { $service } is { $image }
adopt-why-role-base = { $service } is built from { $word }
adopt-why-role-command = { $service } runs { $word }
adopt-why-role-repeating = { $service } runs manage.py { $word } over and over, so it starts work by the clock
adopt-why-role-management = { $service } keeps manage.py { $word } running, so it does work in the background
adopt-why-role-once = { $service } runs manage.py { $word } and ends
adopt-why-role-unknown = what { $service } runs is not known
adopt-why-role-serves = { $service } is what the frontend needs, or publishes a port itself
adopt-why-role-second-frontend = { $service } could be a frontend, but another one publishes the port
adopt-why-frontend-proxy = { $service } publishes { $ports } and passes on to the application.
adopt-why-frontend-web = no proxy stands in front; { $service } publishes { $ports } itself.
adopt-why-frontend-unpublished = { $service } publishes no port: is another proxy in front of this project?
adopt-why-frontend-none = no service publishes a port.
adopt-why-web-none = no service is known to serve the application. Write the one that does.
adopt-why-migrate-in = { $service } has the application's code and its settings.
adopt-why-services-alone = Eclusa leaves these services alone, also during a release: { $services }. Name them above if they run your code.

adopt-why-release-git = the build context { $context } lies in a git repository. A release is a tag, branch or commit of it: eclusa release v2
adopt-why-release-git-or-image = Or, where images are built elsewhere and { $variable } chooses one:
adopt-why-release-image = { $variable } in { $file } chooses the image, and nothing is built here from a git repository.
adopt-why-release-no-repository = { $context } is built here but lies in no git repository. Put it into one (git init, commit, tag), or release images by a variable in their tag.
adopt-why-release-variable-nowhere = { $variable } chooses the image, but no env file sets it. Set it in one, then write source = "image", variable and env_file.
adopt-why-release-nothing = no build and no variable in an image's tag. Write image: NAME:$TAG in the Compose file and TAG in an env file, then source = "image", variable = "TAG", env_file.
adopt-why-release-keep = How many releases before the running one are kept to go back to:

adopt-why-database-service = { $service } is { $image }.
adopt-why-database-several = there are further databases, which Eclusa does not back up: { $others }.
adopt-why-database-other = { $service } is { $image }; PostgreSQL in a service of the project, or SQLite, is needed
adopt-why-database-none = no service of the project is a PostgreSQL server, and the settings name no SQLite file
adopt-why-database-variable = { $variable } of { $service } comes from { $file }.
adopt-why-database-literal = { $variable } of { $service } is written in the Compose file.
adopt-why-database-user-default = { $service } sets no POSTGRES_USER, so it is the image's own default.
adopt-why-database-name-default = { $service } sets no POSTGRES_DB, so it is called as the user.
adopt-why-database-password = { $variable } stands in { $file }. Only the reference is written here.
adopt-why-database-password-file = { $service } reads it from this file.
adopt-why-database-password-written = the password of { $service } stands in the Compose file itself. Move it into an env file and write the reference; without it the server must trust its own container, as the official image does.
adopt-why-database-password-none = { $service } sets no password. Without one the server must trust its own container, as the official image does.
adopt-why-sqlite-bind = the settings name { $path }, which is a mounted directory of this host.
adopt-why-sqlite-volume = the settings name { $path }, which lies in the volume { $volume }.
adopt-why-sqlite-nowhere = the settings name { $path }, which lies in no volume: it is lost when the container is replaced. Mount a directory there and write the file's path on this host.

adopt-why-files-media = { $mount } is mounted at MEDIA_ROOT ({ $path }) in { $service }.
adopt-why-files-name = { $mount } is mounted at { $path } in { $service } and called as what people bring.
adopt-why-files-other = { $mount } is mounted at { $path } in { $service }. Remove this if it can be made again.
adopt-why-files-unmounted = MEDIA_ROOT is { $path }, but nothing is mounted there: uploads are lost when the container is replaced. Mount a volume, then write:
adopt-why-files-none = no volume with files that people bring. If there is one:
adopt-why-code-mounted = { $service } runs the code of a mounted directory ({ $path }), not that of its image: a release would not change it. Take that mount out.

adopt-why-manage-image = { $path } in the image; commands run in { $directory }.
adopt-why-manage-unknown = where manage.py lies in the image is not known; it must be found from the working directory.
adopt-why-commands-defaults = Django's own, and used when left out:
adopt-why-migrates-itself = { $service } migrates when it starts. Take that out of its start script: Eclusa migrates after the restore point, and knows when it failed.
adopt-why-static-root = STATIC_ROOT is { $value }.
adopt-why-static-none = the settings have no STATIC_ROOT, so nothing is collected. If that is wrong:
adopt-why-check-relaxed = { $lacking } are not in { $module }, so "check --deploy" would refuse every release over its warnings. Remove this line when they are.
adopt-why-seed = management commands that are called as if they made demo data; they run on staging stacks only.
adopt-why-seed-none = no management command is called as if it made demo data. If there is one:
adopt-why-tests-pytest = { $file } names pytest, and the image is built from it.
adopt-why-tests-django = { $file }; pytest is not named in the requirements.
adopt-why-tests-outside = pytest is named in { $file }, which the image is not built from. When it is installed there:
adopt-why-tests-none = no tests were found. If there are some:
adopt-why-tests-variable = the settings read the database's name from it; during the tests it names a scratch database.
adopt-why-tests-no-variable = the settings read { $variable } as a whole. Django makes a test database of its own (test_NAME) on the same server; if a variable holds the name alone, write it:
adopt-why-generic-migrate = what brings the data to a release. Without it none is migrated:
adopt-why-generic-pending = what prints the migrations that are not applied, one a line:
adopt-why-generic-tests = what tests a release against a scratch database:

adopt-why-edge-port = The edge takes the frontend's port ({ $port }) while it is installed: eclusa edge install
adopt-why-edge-tls = the frontend also serves TLS on { $port }. The edge takes the first port only; let TLS end in front of it, or requests on { $port } pass by the closed gate.
adopt-why-edge-no-port = the frontend publishes no port that the edge could take, so the gate closes by stopping what serves.
adopt-why-side-door = nothing listens there on 127.0.0.1. Probes reach the closed stack by it.
adopt-why-side-door-moved = { $taken } is taken; nothing listens here on 127.0.0.1. Probes reach the closed stack by it.
adopt-why-side-door-none = every port that was tried is taken. Write a free one.
adopt-why-edge-page = The sentence on the maintenance page:

adopt-why-probe-healthcheck = the health check of { $service } asks for it
adopt-why-probe-healthcheck-image = the HEALTHCHECK of the image of { $service } asks for it
adopt-why-probe-route = a route in { $file }
adopt-why-probe-home = the front page, in { $file }
adopt-why-probe-open = { $file } says that anyone may read it
adopt-why-probe-list = { $file } answers it with JSON, to anyone as it seems
adopt-why-probe-asked = asked just now, it answered { $status }.
adopt-why-probe-redirected = asked just now, it answered { $status } to { $location }. Another path may say more.
adopt-why-probe-refused = asked just now, it answered { $status }. Uncomment it when it answers as it should.
adopt-why-probe-not-asked = not asked, since nothing answers now.
adopt-why-probes-none = no path is known that answers 200 when the application works. Add a probe: releases are judged by them.
adopt-why-checks-command = manage.py { $command } is called as if it checked the application{ $help }. Uncomment it when you know that it leaves the data as it was.
adopt-why-checks-none = no command that tries the application out was found. With one that signs in, sells, pays and leaves nothing behind, a release proves more:

adopt-why-placeholders = the example env files use these words for values that must be filled in.
adopt-why-default-logs = Lines with these texts count as errors (the default):
adopt-why-default-watch = How long the new release is watched, and what makes it go back (the defaults):
adopt-why-default-secure = "restored" also restores each restore point beside the live data while the stack is closed:
adopt-why-default-limits = How long each may take (the defaults):
adopt-why-default-vault = Where restore points and their keys are kept; by default in the state directory. Keep a copy of the keys elsewhere.
adopt-why-default-people = Who may start releases and answer their questions, and whom to call:
adopt-why-default-checklist = What only a person can confirm, asked once a release:
adopt-why-default-window = Releases start only in this window, or with a reason:
adopt-why-default-hooks = Commands of this host at named points of a release:

adopt-written = Wrote { $path } (stack { $stack }).
adopt-not-written = Nothing was written; this is what { $path } would hold.
adopt-title-found = Found
adopt-title-check = Check these
adopt-title-missing = Not found (commented out in the file)
adopt-not-running = The stack does not run, so no probe was asked. Running it and adopting again (--force) makes the probes exact.
adopt-no-engine = Docker did not answer, so only files were looked at.
adopt-running = Running now: { $services }.
adopt-placeholders = Placeholders still stand in the env files: { $variables }. Releases are refused until they are filled in.
adopt-next = Next
adopt-next-doctor = eclusa doctor
adopt-next-edge = eclusa edge install
adopt-next-backup = eclusa backup --prove
adopt-next-plan = eclusa plan release { $release }
adopt-next-doctor-why = what is wrong, before anything is done
adopt-next-edge-why = the gate in front of { $frontend }
adopt-next-backup-why = a first restore point, restored and compared
adopt-next-plan-why = what a release would do
adopt-instead = From the first release or edge on, use this instead of a plain docker compose, so that the pinned release stays:
