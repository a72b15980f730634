#!/bin/sh
set -e
pg_restore --dbname shop_check /backups/shop.dump
