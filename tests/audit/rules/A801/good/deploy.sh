#!/bin/sh
set -e
docker compose exec -T db pg_dump -Fc shop > before.dump
docker compose run --rm web python manage.py migrate
docker compose up -d
