#!/bin/sh
set -e
pg_dump -Fc shop > /backups/shop.dump
