#!/bin/sh
set -e
docker compose pull
docker compose run --rm web python manage.py migrate
docker compose up -d
