#!/bin/sh
set -eu
bin/backup.sh
docker compose run --rm migrate
docker compose up -d
