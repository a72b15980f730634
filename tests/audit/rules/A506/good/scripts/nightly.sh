#!/bin/sh
set -e
docker compose exec -T db pg_dump -Fc shop > /backups/shop.dump
