#!/bin/sh
set -eu
restic restore latest --target /tmp/check
pg_restore --dbname shop_check /tmp/check/var/backups/shop/db.dump
