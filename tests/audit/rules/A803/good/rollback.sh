#!/bin/sh
set -e
git checkout "$1"
./restore.sh "backups/$1.dump"
docker compose up -d --build
