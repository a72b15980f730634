#!/bin/sh
# The database of whoever develops.
docker exec shop_local_db pg_dump -Fc shop > backups/shop.dump
