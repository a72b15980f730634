#!/usr/bin/env bash
# Brings a bench of the testbench up on this host as its owner would, without containers and without Eclusa:
# DIR PORT SITES. Afterwards DIR/bench is a bench at v15.1 whose apps are git repositories with the releases as tags,
# supervisor runs its processes with a MariaDB, two Redis and an nginx of its own, and it serves SITES sites, named
# s01.localhost and so on, on 127.0.0.1:PORT. The ports after PORT are used too. `stop DIR` ends it all.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ "$1" = stop ]; then
    pid=$(cat "$2/supervisord.pid" 2>/dev/null) || exit 0
    kill "$pid" 2>/dev/null || exit 0
    for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.1; done
    kill -KILL "$pid"
    exit 0
fi
directory=$1 port=$2 sites=$3
web=$((port + 1)) socket=$((port + 2)) cache=$((port + 3)) queue=$((port + 4)) database=$((port + 5))
mkdir -p "$directory/log" "$directory/bin" "$directory/nginx.d" "$directory/tmp"
directory=$(cd "$directory" && pwd)
bench=$directory/bench
exec 3>&2 >"$directory/made.log" 2>&1
trap '[ "$?" = 0 ] || tail -n 30 "$directory/made.log" >&3' EXIT

# The apps, each a repository whose tags are the releases.
release() { # tag, version, overlays
    for app in frappe erpshop; do
        work=$directory/upstream/$app
        [ -d "$work" ] || git init --quiet --initial-branch main "$work"
        find "$work" -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
        for overlay in base $3; do
            if [ -d "$root/testbench/apps/$overlay/$app" ]; then cp -R "$root/testbench/apps/$overlay/$app/." "$work/"; fi
        done
        grep -rl '@VERSION@' "$work" --include=__init__.py | xargs -r sed -i "s/@VERSION@/$2/"
        printf '__pycache__/\n' >"$work/.gitignore"
        git -C "$work" add --all
        git -C "$work" -c user.name=test -c user.email=test@localhost commit --quiet --allow-empty -m "$1"
        git -C "$work" tag "$1"
    done
}
release v15.1 15.1.0 ''
mkdir -p "$bench"/{apps,sites,logs,config/pids}
for app in frappe erpshop; do
    git clone --quiet --origin upstream "$directory/upstream/$app" "$bench/apps/$app"
    git -C "$bench/apps/$app" checkout --quiet v15.1
done
# What comes later is not known to the bench yet.
release v15.2 15.2.0 15.2.0
release v15.3 15.3.0 '15.2.0 15.3.0'
printf 'erpshop\nfrappe\n' >"$bench/sites/apps.txt"

# The environment, and the command that finds the bench it runs in.
# A cache of wheels makes the second bench of a machine cheap.
wheels=${TESTBENCH_WHEELS:-${XDG_CACHE_HOME:-$HOME/.cache}/eclusa/wheels}
if [ ! -e "$wheels/complete" ]; then
    mkdir -p "$wheels"
    python3 -m venv "$directory/tmp/wheel"
    cp -R "$root/testbench" "$directory/tmp/source"
    "$directory/tmp/wheel/bin/pip" wheel --quiet --wheel-dir "$wheels" "$directory/tmp/source"
    rm -f "$wheels"/testbench-*.whl
    touch "$wheels/complete"
fi
python3 -m venv "$bench/env"
rm -rf "$directory/tmp/source" && cp -R "$root/testbench" "$directory/tmp/source"
"$bench/env/bin/pip" install --quiet --find-links "$wheels" "$directory/tmp/source"
rm -rf "$directory/tmp/source"
printf '#!/bin/sh\n[ -x env/bin/bench ] || { echo "no bench here: $PWD" >&2; exit 1; }\nexec ./env/bin/bench "$@"\n' >"$directory/bin/bench"
chmod 755 "$directory/bin/bench"
export PATH="$directory/bin:$PATH"
cd "$bench"

cat >"$directory/nginx.conf" <<NGINX
worker_processes 1;
pid $directory/tmp/nginx.pid;
error_log $directory/log/nginx.log warn;
events { worker_connections 512; }
http {
  include /etc/nginx/mime.types;
  access_log off;
  client_body_temp_path $directory/tmp/body; proxy_temp_path $directory/tmp/proxy; fastcgi_temp_path $directory/tmp/f;
  uwsgi_temp_path $directory/tmp/u; scgi_temp_path $directory/tmp/s;
  include $bench/config/nginx.conf;
  include $directory/nginx.d/*.conf;
}
NGINX
# What \`bench setup production\` writes, and what the host's own files include.
cat >"$bench/config/nginx.conf" <<NGINX
upstream bench-frappe {
	server 127.0.0.1:$web fail_timeout=0;
}
upstream bench-socketio-server {
	server 127.0.0.1:$socket fail_timeout=0;
}
server {
	listen 127.0.0.1:$port;
	server_name _;
	root $bench/sites;
	location /assets { try_files \$uri =404; }
	location ~ ^/files/ { try_files /\$host/public/\$uri =404; }
	location /socket.io {
		proxy_http_version 1.1;
		proxy_set_header Upgrade \$http_upgrade;
		proxy_set_header Connection "upgrade";
		proxy_set_header Host \$host;
		proxy_pass http://bench-socketio-server;
	}
	location / {
		proxy_set_header Host \$host;
		proxy_set_header X-Frappe-Site-Name \$host;
		proxy_read_timeout 120;
		proxy_pass http://bench-frappe;
	}
}
NGINX

program() { # name, command, directory, seconds to stop
    cat <<PROGRAM
[program:$1]
command=$2
directory=$3
stopwaitsecs=$4
stopasgroup=true
killasgroup=true
startsecs=1
stdout_logfile=$bench/logs/${1#frappe-bench-}.log
stderr_logfile=$bench/logs/${1#frappe-bench-}.error.log

PROGRAM
}
user=$(id -un)
{
    cat <<SUPERVISOR
[unix_http_server]
file=$directory/supervisor.sock
chmod=0700
[supervisord]
logfile=$directory/log/supervisord.log
pidfile=$directory/supervisord.pid
environment=PATH="$directory/bin:$PATH"
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://$directory/supervisor.sock
[include]
files=$bench/config/supervisor.conf

SUPERVISOR
    program nginx "nginx -c $directory/nginx.conf -g 'daemon off;'" "$directory" 5
    program mariadb "/usr/sbin/mariadbd --no-defaults --user=$user --datadir=$directory/data --socket=$directory/mariadb.sock --port=$database --bind-address=127.0.0.1 --skip-log-bin --innodb-buffer-pool-size=256M --innodb-flush-log-at-trx-commit=2" "$directory" 30
} >"$directory/supervisord.conf"
{
    program frappe-bench-frappe-web "$bench/env/bin/gunicorn --chdir=$bench/sites --bind=127.0.0.1:$web --workers=2 --threads=4 testbench.web:application" "$bench/sites" 20
    program frappe-bench-node-socketio "$bench/env/bin/bench websocket" "$bench" 5
    program frappe-bench-frappe-short-worker "$bench/env/bin/bench worker --queue short,default" "$bench" 30
    program frappe-bench-frappe-long-worker "$bench/env/bin/bench worker --queue long,default,short" "$bench" 30
    program frappe-bench-frappe-schedule "$bench/env/bin/bench schedule" "$bench" 5
    program frappe-bench-redis-cache "redis-server --port $cache --bind 127.0.0.1 --save '' --dir $directory/tmp" "$directory" 5
    program frappe-bench-redis-queue "redis-server --port $queue --bind 127.0.0.1 --save '' --dir $directory/tmp" "$directory" 5
    cat <<GROUPS
[group:frappe-bench-web]
programs=frappe-bench-frappe-web,frappe-bench-node-socketio
[group:frappe-bench-workers]
programs=frappe-bench-frappe-schedule,frappe-bench-frappe-short-worker,frappe-bench-frappe-long-worker
[group:frappe-bench-redis]
programs=frappe-bench-redis-cache,frappe-bench-redis-queue
GROUPS
} >"$bench/config/supervisor.conf"

password=$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')
(umask 077 && printf '%s\n' "$password" >"$directory/root-password")
mariadb-install-db --no-defaults --user="$user" --datadir="$directory/data" --skip-test-db --auth-root-authentication-method=normal >/dev/null
printf '{"db_host": "127.0.0.1", "db_port": %s, "redis_cache": "redis://127.0.0.1:%s", "redis_queue": "redis://127.0.0.1:%s", "redis_socketio": "redis://127.0.0.1:%s", "socketio_port": %s}' \
    "$database" "$cache" "$queue" "$queue" "$socket" >"$bench/sites/common_site_config.json"
bench setup requirements
bench build
# Its processes must hold nothing of the caller's open, who waits for the end of this.
supervisord -c "$directory/supervisord.conf" 3>&-
for _ in $(seq 150); do mariadb-admin --no-defaults --socket="$directory/mariadb.sock" --user=root ping >/dev/null 2>&1 && break; sleep 0.2; done
mariadb --no-defaults --socket="$directory/mariadb.sock" --user=root -e "
    ALTER USER root@localhost IDENTIFIED BY '$password';
    CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '$password'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;"
for number in $(seq "$sites"); do
    site=$(printf "s%02d.localhost" "$number")
    bench new-site "$site" --db-root-password "$password" --admin-password admin --no-mariadb-socket --install-app erpshop
    bench --site "$site" enable-scheduler
    printf "file of %s\n" "$site" >"sites/$site/public/files/logo.txt"
    printf "secret of %s\n" "$site" >"sites/$site/private/files/contract.txt"
    bench --site "$site" migrate
done
for _ in $(seq 100); do
    supervisorctl -c "$directory/supervisord.conf" status | grep -qv RUNNING || break
    sleep 0.2
done
