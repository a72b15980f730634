#!/bin/bash
git pull
docker compose -f docker-compose.yml -f docker-compose.prod.yml build
docker compose run --rm web python manage.py migrate
docker compose up -d
