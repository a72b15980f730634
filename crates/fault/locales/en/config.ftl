# Mistakes in eclusa.toml and env files: what is wrong (the end of E0102's sentence), what stands beside the caret
# (-label), what to write (-hint).

config-syntax = { $reason }
config-syntax-label = this is not TOML
config-syntax-hint = Texts stand in "quotes", lists in [brackets], each key on a line of its own: key = "value"
config-not-utf8 = line { $line } is not UTF-8 text
config-not-utf8-hint = Save the file as UTF-8.
config-duplicate-key = a key stands here twice
config-duplicate-key-label = it was set before
config-duplicate-key-hint = Keep one of the two, or put both tables together.
config-other = { $reason }
config-other-label = not accepted
config-name = { $reason }
config-name-label = not a name
config-name-hint = Use letters, digits, ".", "_" and "-".

config-unknown-key = there is no key { $key } here
config-unknown-key-label = unknown key; known here: { $known }
config-unknown-key-hint = Remove it, or use a known key; docs/configuration.md lists them all.
config-unknown-key-near = there is no key { $key } here
config-unknown-key-near-label = unknown key; did you mean { $meant }?
config-unknown-key-near-hint = Write { $meant } instead of { $key }.
config-unknown-word = "{ $word }" is not known here
config-unknown-word-label = expected one of: { $known }
config-unknown-word-hint = Write one of the words shown above.
config-unknown-word-near = "{ $word }" is not known here
config-unknown-word-near-label = did you mean "{ $meant }"?
config-unknown-word-near-hint = Write "{ $meant }" instead of "{ $word }".
config-missing-key = the key { $key } is missing
config-missing-key-label = { $key } is missing here
config-missing-key-hint = Add { $example }
config-type = { $found } stands where { $expected } is expected
config-type-label = expected { $expected }
config-type-hint = Write { $expected }.
config-value = { $found } is not { $expected }
config-value-label = expected { $expected }
config-value-hint = Write { $expected }.
config-secret-type = the value is no text
config-secret-type-label = expected { $expected }
config-secret-type-hint = Write { $expected }, or a reference such as "env:NAME".
config-secret-literal = a secret stands in the file itself
config-secret-literal-label = expected a reference: "env:NAME" or "file:PATH"
config-secret-literal-hint = Put the secret into an env file and write "env:NAME", or into a file of its own and write "file:PATH".
config-empty-command = a command without a program
config-empty-command-label = expected a program and its arguments
config-empty-command-hint = Write each word as a text of its own, such as ["python", "manage.py", "check"].
config-empty-text = an empty text
config-empty-text-label = expected some text
config-empty-text-hint = Write a text, or remove the key.
config-empty-list = { $key } is empty
config-empty-list-label = expected at least one
config-empty-list-hint = Name at least one, or remove the key where it is optional.
config-duplicate-name = the name "{ $name }" stands in the list twice
config-duplicate-name-label = used before
config-duplicate-name-hint = Give it another name.
config-base-server = base backups of { $service }, which is the server of no PostgreSQL database here
config-base-server-label = expected the service of a PostgreSQL server
config-base-server-hint = Name the service that stands as service of a database with engine = "postgresql", or as services.database.
config-base-directory = a directory of another form
config-base-directory-label = expected an absolute path of letters, digits and . _ -
config-base-directory-hint = Write the path from the root as the server's container sees it, such as "/var/lib/postgresql/base".
config-base-same = base backups and log in one directory
config-base-same-label = expected another directory than that of the base backups
config-base-same-hint = Give each a directory of its own, such as "/var/lib/postgresql/wal".
config-mirror-name = a name that cannot be a mirror's
config-mirror-name-label = expected small letters, digits and -
config-mirror-name-hint = Write a short name, such as nas.
config-mirror-place = a mirror without a place, or with several
config-mirror-place-label = this mirror needs exactly one of directory, s3 and sftp
config-mirror-place-hint = Write directory = "/mnt/nas/eclusa", or s3 = {"{"} … {"}"}, or sftp = {"{"} … {"}"}.
config-mirror-same = same_file_system of a mirror on another machine
config-mirror-same-label = only a directory of this machine can lie on the vault's file system
config-mirror-same-hint = Leave it out.
config-mirror-endpoint = no address of a storage service
config-mirror-endpoint-label = expected https:// and a host
config-mirror-endpoint-hint = Write its address without the bucket and without credentials, such as https://s3.eu-central-1.amazonaws.com.
config-mirror-bucket = a name that cannot be a bucket's
config-mirror-bucket-label = expected letters, digits, -, . and _
config-mirror-bucket-hint = Write the bucket's name alone; a path within it goes into prefix.
config-mirror-prefix = a prefix that is no path
config-mirror-prefix-label = expected names with / between them
config-mirror-prefix-hint = Write it without / at its ends and without .., such as backups/eclusa.
config-mirror-host = a name that ssh would take for something else
config-mirror-host-label = expected a plain name
config-mirror-host-hint = Write the host and the user each by itself; the port goes into port.
config-mirror-file = a path that ssh would read a meaning into
config-mirror-file-label = expected a path without ", %, $ and ~
config-mirror-file-hint = Write the whole path, or one from the directory of eclusa.toml.
config-mirror-directory = a relative directory of a mirror
config-mirror-directory-label = expected an absolute path
config-mirror-directory-hint = Write the path from the root, such as /mnt/nas/eclusa. The directory must be there.
config-keep-nothing = rules that keep no restore point
config-keep-nothing-label = expected at least one rule
config-keep-nothing-hint = Write how many are kept, such as daily = 14. Without the table every point is kept.
config-zero-period = a length of time that is nothing
config-zero-period-label = expected more than nothing
config-zero-period-hint = Write a length of time such as "30s" or "10m".
config-at-least-one = 0 is too few
config-at-least-one-label = expected 1 or more
config-at-least-one-hint = Write 1 or more.
config-audit-runtime = this stack has no Compose files to audit
config-audit-runtime-label = goes only with runtime = "compose"
config-audit-runtime-hint = Take the line out, and audit the directory of the files by itself: eclusa audit
config-percent = a share above 99 % can never be free
config-percent-label = expected a whole number from 0 to 99
config-percent-hint = Write a share in percent, such as 20.
config-variable-name = "{ $name }" cannot be the name of a variable
config-variable-name-label = expected letters, digits and "_", not beginning with a digit
config-variable-name-hint = Write a name such as POSTGRES_DB.
config-language = this is no language
config-language-label = expected a tag such as "en" or "pt-BR"
config-language-hint = Write a tag such as "en" or "pt-BR", or remove the key.

config-version = version { $found } of the format is not known
config-version-label = expected 1
config-version-hint = Write version = 1, or use a newer Eclusa.
config-no-stacks = there is no stack
config-no-stacks-label = expected at least one stack
config-no-stacks-hint = Add a table [stacks.NAME], or have one written: eclusa adopt docker-compose.prod.yml
config-stack-unknown = there is no stack { $stack }.
config-stack-several = there are several.

config-runtime-table = the table for runtime "{ $runtime }" is missing
config-runtime-table-label = expected a table [stacks.{ $stack }.{ $runtime }]
config-runtime-table-hint = Add [stacks.{ $stack }.{ $runtime }], or change the runtime.
config-runtime-other = a table { $other } in a stack whose runtime is "{ $runtime }"
config-runtime-other-label = not used by runtime "{ $runtime }"
config-runtime-other-hint = Remove this table, or write runtime = "{ $other }".
config-override-own = the override is one of your own Compose files
config-override-own-label = Eclusa would overwrite this file
config-override-own-hint = Name a file that Eclusa may write, such as "docker-compose.eclusa.yml".
config-no-services = there is no service
config-no-services-label = expected at least one service
config-no-services-hint = Add a table [stacks.NAME.process.services.web].
config-no-web = no service runs the application's code
config-no-web-label = expected web = ["…"] here
config-no-web-hint = Add web = ["web"] with the service that answers requests.
config-service-twice = the service { $service } has two roles
config-service-twice-label = it stands under { $role } already
config-service-twice-hint = Keep it under one role; only the frontend may also be one of web.
config-unknown-service = there is no service { $service }
config-unknown-service-label = known: { $known }
config-unknown-service-hint = Name one of the services under process.services: { $known }
config-unknown-service-near = there is no service { $service }
config-unknown-service-near-label = did you mean "{ $meant }"? Known: { $known }
config-unknown-service-near-hint = Write "{ $meant }" instead of "{ $service }".
config-port-zero = a port cannot be 0
config-port-zero-label = expected 1 to 65535
config-port-zero-hint = Write the port's number.
config-port-taken = port { $port } is used twice
config-port-taken-label = taken by the service { $by }
config-port-taken-hint = Give each its own port.
config-port-side-door = the side door has port { $port }, which serves the public or a service
config-port-side-door-label = expected a port of its own
config-port-side-door-hint = Write a port that nothing else uses, such as 18081.
config-needs-port = { $key } without a port
config-needs-port-label = expected port = … beside it
config-needs-port-hint = Add port with the number on which the service listens, or remove { $key }.

config-supervisor-app = a bench under supervisor in a stack whose app is another
config-supervisor-app-label = runtime "supervisor" goes with app = "frappe"
config-supervisor-app-hint = Write app = "frappe", or runtime = "process" for another application.
config-supervised-nothing = a service that supervisor does not run and that listens nowhere
config-supervised-nothing-label = neither program nor address
config-supervised-nothing-hint = Write program = "GROUP:NAME" as supervisorctl status names it, or address = "HOST:PORT".
config-address = this is no address
config-address-label = expected HOST:PORT
config-address-hint = Write it like "127.0.0.1:8000".
config-supervised-address = service { $service } needs an address
config-supervised-address-label = no address here
config-supervised-address-hint = Write where it listens: address = "127.0.0.1:8000".
config-supervisor-nginx = an edge without the nginx that it stands behind
config-supervisor-nginx-label = expected [stacks.NAME.supervisor.nginx]
config-supervisor-nginx-hint = Name nginx's file, or write enabled = false in [stacks.NAME.edge]: then sites are closed by their maintenance mode only.
config-supervisor-edge-port = an edge without a port of its own
config-supervisor-edge-port-label = edge.public_port is missing
config-supervisor-edge-port-hint = Choose a free port for it, such as public_port = 18000 in [stacks.NAME.edge]; nginx will send requests there.

config-source-runtime = this source does not go with the stack's runtime
config-source-runtime-label = "image" goes with compose, "directory" with process, "git" with both, "bench" with supervisor
config-source-runtime-hint = Write source = "git", or the source that fits the runtime.
config-image-variable = the variable that holds the image tag is missing
config-image-variable-label = expected variable = "…" beside it
config-image-variable-hint = Add variable with the name that stands in image: of the Compose file, such as "BOUTIQUE_TAG".
config-image-env-file = no env file is named in which the image tag stands
config-image-env-file-label = expected env_file = "…" beside it
config-image-env-file-hint = Add env_file, or name env_files in the compose table.
config-keep-zero = no earlier release would be kept to go back to
config-keep-zero-label = expected 1 or more
config-keep-zero-hint = Write how many releases before the running one are kept, such as 2.

config-no-database = the stack has no database
config-no-database-label = expected a table "database", or tenants with one each
config-no-database-hint = Add [stacks.NAME.database] with engine = "postgresql", "mariadb" or "sqlite".
config-tenant-database = the tenant { $tenant } has no database
config-tenant-database-label = expected a table "database" of its own
config-tenant-database-hint = Add [stacks.NAME.tenants.{ $tenant }.database].
config-frappe-engine = the sites of a bench are in MariaDB
config-frappe-engine-label = expected "mariadb"
config-frappe-engine-hint = Write engine = "mariadb". Benches on PostgreSQL are not supported.
config-frappe-site = { $key } is known from each site
config-frappe-site-label = a bench's sites say this themselves
config-frappe-site-hint = Remove { $key }: it is read from sites/SITE on the bench.
config-frappe-table = a Frappe stack without its bench
config-frappe-table-label = expected a table "frappe" in this stack
config-frappe-table-hint = Add [stacks.NAME.frappe] with cache = "redis-cache".
config-frappe-other = "frappe" belongs to stacks with app = "frappe"
config-frappe-other-label = this stack runs another application
config-frappe-other-hint = Remove the table, or write app = "frappe".
config-frappe-own-setting = a release does not set this key
config-frappe-own-setting-label = it says which database is the site's, or the runbook sets it
config-frappe-own-setting-hint = Remove this entry. Maintenance mode and scheduler are set and put back by every release.
config-frappe-common-setting = what all sites share is of no single site
config-frappe-common-setting-label = this entry has common = true
config-frappe-common-setting-hint = Remove tenant, or remove common = true.
config-frappe-name = this cannot be the name of a queue, a check or a module
config-frappe-name-label = expected letters, digits, and any of _ - .
config-frappe-name-hint = Write it as the bench has it, such as short or acme.tests.test_prices.
config-frappe-share = no table loses more than all of its rows
config-frappe-share-label = expected a whole number from 0 to 100
config-frappe-share-hint = Write a share in percent, such as 10.
config-frappe-cache = the service that holds the bench's cache is not named
config-frappe-cache-label = expected cache = "…" here
config-frappe-cache-hint = Add cache = "redis-cache". It is emptied when the release changes, since another release cannot read it.
config-belongs-to-tenant = { $key } stands beside tenants
config-belongs-to-tenant-label = each tenant has its own
config-belongs-to-tenant-hint = Move { $key } under the tenant it belongs to.
config-database-shared = the tenants { $tenant } and { $other } have the same database
config-database-shared-label = the tenant { $other } has it already
config-database-shared-hint = Give each tenant a database of its own: what is restored for one would overwrite the other.
config-frappe-cache-queue = the cache is emptied at each release, and the queues are in it
config-frappe-cache-queue-label = the same service as gates.queue
config-frappe-cache-queue-hint = Add cache_keeps_queue = true where both are in one database. Where they are in two, add cache_database = 0 here and queue_database = 1 to gates, with their numbers.
config-database-host = this key belongs to a mariadb database
config-database-host-label = not for { $engine }
config-database-host-hint = Remove it. The tools of other engines run where the server runs.
config-database-servers = only the sites of a bench name servers of their own
config-database-servers-label = this stack is no bench
config-database-servers-hint = Remove it. Each tenant has its own database table, with its own service.
config-database-server-nowhere = it is not said how this server is reached
config-database-server-nowhere-label = expected service = "…" or host = "…"
config-database-server-nowhere-hint = Add service = "db2", the service whose container holds the server, or host = "db2.internal", reached from the service of the other databases.
config-database-needs = a { $engine } database without { $key }
config-database-needs-label = expected { $key } = "…" beside it
config-database-needs-hint = Add { $key }.
config-database-service = it is not said which service is the database server
config-database-service-label = expected service = "…" beside it
config-database-service-hint = Add service = "db" here, or database = "db" under services.
config-database-foreign = { $key } does not belong to a { $engine } database
config-database-foreign-label = not used by { $engine }
config-database-foreign-hint = Remove it, or change the engine.
config-file-set = files that are nowhere, or in two places
config-file-set-label = expected either directory, or service with path
config-file-set-hint = Write directory = "media", or service = "web" and path = "/app/media".
config-file-set-name = this cannot name files in a restore point
config-file-set-name-label = expected letters, digits, "-", "_" and "."
config-file-set-name-hint = Write a short name such as "media".
config-path-inside = this is no directory inside a service
config-path-inside-label = expected an absolute path without ".."
config-path-inside-hint = Write the path at which the service mounts it, such as "/app/media".
config-domain = this is no host name
config-domain-label = expected a name without scheme, port and path
config-domain-hint = Write it as browsers send it, such as "shop.example.org".
config-domain-shared = { $domain } belongs to two tenants
config-domain-shared-label = the tenant { $other } has it already
config-domain-shared-hint = Leave it with one of the two.

config-unknown-tenant = there is no tenant { $tenant }
config-unknown-tenant-label = known: { $known }
config-unknown-tenant-hint = Name one of: { $known }; or remove the key, which means each.
config-unknown-tenant-near = there is no tenant { $tenant }
config-unknown-tenant-near-label = did you mean "{ $meant }"?
config-unknown-tenant-near-hint = Write "{ $meant }" instead of "{ $tenant }".
config-path-slash = this is no path of a request
config-path-slash-label = expected a path that begins with "/", without spaces
config-path-slash-hint = Write the path without scheme and host, such as "/healthz".
config-status = there is no such HTTP status
config-status-label = expected 100 to 599
config-status-hint = Write the status that is expected, such as 200.
config-header = this is no header's name
config-header-label = expected letters, digits and "-"
config-header-hint = Write a name such as content-type.
config-json-pointer = "{ $pointer }" is no JSON pointer
config-json-pointer-label = expected a pointer that begins with "/"
config-json-pointer-hint = Write "/{ $pointer }"; levels are parted by "/".
config-host-service = a check on the host has no service
config-host-service-label = not used with place = "host"
config-host-service-hint = Remove service, or write place = "service".
config-check-service = it is not said in which service the check runs
config-check-service-label = expected service = "…"
config-check-service-hint = Add service, or name services.web.
config-error-rate = an error rate is a share from 0 to 1
config-error-rate-label = expected a number from 0 to 1
config-error-rate-hint = Write a share: 0.05 is 5 %.
config-slowdown = a slowdown is a ratio above 1
config-slowdown-label = expected a number above 1
config-slowdown-hint = Write a ratio: 1.5 allows answers that take 50 % longer.
config-synthetic = this many requests a second cannot be sent
config-synthetic-label = expected a number from 0 to 1000
config-synthetic-hint = Write requests a second, such as 1.0; 0 sends none.
config-watch-length = the watch ({ $length }) is not longer than { $key } ({ $period })
config-watch-length-label = expected more than { $key }, which is { $period }
config-watch-length-hint = Lengthen the watch, or shorten { $key }.
config-window-empty = the window begins and ends at { $time }
config-window-empty-label = expected another time than from
config-window-empty-hint = Write when it ends; a time before from means the next morning. Without a window, releases may start at any time.

config-schedule-only = { $key } belongs to { $job } alone
config-schedule-only-label = not here
config-schedule-only-hint = Move { $key } into the table { $job } of the schedule.

config-schedule-base = base backups are scheduled, and nothing says where they lie
config-schedule-base-label = there is no table base_backups
config-schedule-base-hint = Add a table [stacks.NAME.base_backups.SERVICE], or remove this one.
config-schedule-mirror = copies are scheduled, and there is no mirror
config-schedule-mirror-label = there is nowhere to copy to
config-schedule-mirror-hint = Add a table mirrors to the stack, or remove this one.

config-nice = no such step back from the processor
config-nice-label = expected 1 to 19
config-nice-hint = Write how far a backup steps back: 19 is as far as it goes.

config-rate = so few bytes a second are too few
config-rate-label = expected { $least } or more
config-rate-hint = Slower, the database server would take the backup for gone and end it. Write { $least } or more, or remove the key.

config-schedule-sample = a drill of no tenant proves nothing
config-schedule-sample-label = expected 1 or more
config-schedule-sample-hint = Write how many tenants each drill proves, or remove the key: then it proves all.

config-unknown-person = nobody is called { $person }
config-unknown-person-label = expected someone under people
config-unknown-person-hint = Add [stacks.NAME.people.{ $person }], or name someone who is there.
config-unknown-person-near = nobody is called { $person }
config-unknown-person-near-label = did you mean "{ $meant }"?
config-unknown-person-near-hint = Write "{ $meant }" instead of "{ $person }".
config-url = this is no address of a webhook
config-url-label = expected http:// or https:// and a host
config-url-hint = Write an address such as "https://example.org/hook", or a reference such as "env:WEBHOOK_URL".

config-env-file-hint = It is named as an env file in eclusa.toml: mend its path there, or make it (often by copying its example).
config-env-no-name = a line without a name
config-env-no-name-label = expected NAME=value
config-env-no-name-hint = Write NAME=value, or put # before a comment.
config-env-no-value = a line without "="
config-env-no-value-label = expected NAME=value
config-env-no-value-hint = Write NAME=value, put # before a comment, or put a value of several lines into double quotes.
config-env-name = this cannot be the name of a variable
config-env-name-label = expected letters, digits and "_"
config-env-name-hint = Write a name such as POSTGRES_DB before the "=".
config-env-quote = a quote is opened here and never closed
config-env-quote-label = expected a closing quote
config-env-quote-hint = Close the quote, or put a value that holds a quote into the other kind of quotes.
config-env-after-quote = something stands after the closing quote
config-env-after-quote-label = expected the end of the line
config-env-after-quote-hint = Put the whole value into quotes, and write \" for a quote inside them.
config-env-brace = what stands in {"${"}…{"}"} cannot be read
config-env-brace-label = expected {"${NAME}"}, {"${NAME:-default}"} or {"${NAME:?message}"}
config-env-brace-hint = Mend the braces; where a dollar sign is meant, write $$ or put the value into single quotes.
config-env-nesting = defaults within defaults go too deep
config-env-nesting-label = expected fewer levels
config-env-nesting-hint = Put the inner default into a variable of its own.
config-env-required = the variable { $name } is needed and not set
config-env-required-label = needs { $name }
config-env-required-hint = Set { $name } above this line or in the environment.

config-variable-nowhere = the variable { $name } is not set, and the stack has no env file
config-variable-absent = the variable { $name } is neither in { $paths } nor in the environment
config-reference-file = the file cannot be read
config-reference-empty = it is empty
config-reference-none = it is neither env:NAME nor file:PATH
config-secret-readable = { $path } holds a secret and every user of this host may read it (chmod o-rwx)
config-path-utf8 = used, since its name is not UTF-8
