#!/usr/bin/env bash
# Brings a stack of the testbench up as its owner would, without Eclusa: DIR PROJECT PORT SITES
# Afterwards DIR holds a Compose file and a filled .env at v15.1, and the stack serves SITES sites, named
# s01.localhost and so on, each with the applications frappe and erpshop, and the scheduler on.
# TESTBENCH_IMAGE is another repository than testbench for the images, so that a trial does not replace those in use.
set -euo pipefail
directory=$1 project=$2 port=$3 sites=$4
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$directory"
sed "s|image: testbench:|image: ${TESTBENCH_IMAGE:-testbench}:|" "$root/testbench/compose.yml" >"$directory/compose.yml"
cd "$directory"
printf 'TESTBENCH_VERSION=v15.1\nTESTBENCH_PORT=%s\nDB_ROOT_PASSWORD=%s\n' "$port" \
    "$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')" >.env
chmod 600 .env
compose() { docker compose --ansi never -p "$project" --env-file .env "$@"; }
compose up -d --wait
# shellcheck disable=SC2016  # the shell in the container fills these in
compose exec -T -e SITES="$sites" -e ROOT_PASSWORD="$(sed -n 's/^DB_ROOT_PASSWORD=//p' .env)" backend bash -euc '
    for number in $(seq "$SITES"); do
        site=$(printf "s%02d.localhost" "$number")
        bench new-site "$site" --db-root-password "$ROOT_PASSWORD" --admin-password admin --no-mariadb-socket \
            --install-app erpshop
        bench --site "$site" enable-scheduler
        printf "file of %s\n" "$site" >"sites/$site/public/files/logo.txt"
        printf "secret of %s\n" "$site" >"sites/$site/private/files/contract.txt"
        bench --site "$site" migrate
    done' >"$directory/made.log" 2>&1 || { tail -n 30 "$directory/made.log" >&2; exit 1; }
