#!/bin/sh
set -e
git checkout "$1"
docker compose up -d --build
