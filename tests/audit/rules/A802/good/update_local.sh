#!/bin/bash
docker compose -f local.yml build
docker compose -f local.yml run --rm web python manage.py migrate
