#!/usr/bin/env bash
# Brings the boutique of examples/ up as its owner would, without Eclusa: DIR PROJECT PORT SIDE_DOOR STATE
# Afterwards DIR holds the checkout at v1, a filled env file and an eclusa.toml.
#
# Environment:
#   BOUTIQUE_OVERLAY   a directory whose files are laid over the checkout first, as an owner's own changes
set -euo pipefail
directory=$1 project=$2 port=$3 side_door=$4 state=$5
root=$(cd "$(dirname "$0")/../.." && pwd)
"$root/examples/boutique/lay-versions.sh" "$directory" >/dev/null
cd "$directory"
git checkout --quiet v1
[ -z "${BOUTIQUE_OVERLAY:-}" ] || cp -R "$BOUTIQUE_OVERLAY/." .
"$root/tests/stack/env.sh" .env.production.example "BOUTIQUE_PORT=$port" >.env.production
compose() { docker compose --ansi never -p "$project" -f docker-compose.prod.yml --env-file .env.production "$@"; }
compose build --quiet
compose up -d --wait db redis
compose run --rm web python manage.py migrate --noinput
compose run --rm web python manage.py collectstatic --noinput
compose up -d --wait
compose exec -T web python manage.py seed_demo_data --force
sed -e "s|@PROJECT@|$project|" -e "s|@SIDE_DOOR@|$side_door|" -e "s|@STATE@|$state|" \
  "$root/tests/stack/boutique.toml" >eclusa.toml
