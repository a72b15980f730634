#!/bin/sh
docker compose pull
docker compose up -d
docker compose exec -T backend bench --site all migrate
