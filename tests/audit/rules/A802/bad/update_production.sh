#!/bin/bash
docker compose -f production.yml build
docker compose -f production.yml run --rm web python manage.py migrate
