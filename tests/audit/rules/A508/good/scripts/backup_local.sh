#!/bin/sh
docker compose -f local.yml exec backend bench --site all backup
