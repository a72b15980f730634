#!/bin/sh
# What the configurator does on every `up`.
set -e
ls -1 apps >sites/apps.txt
[ -f sites/common_site_config.json ] || echo '{}' >sites/common_site_config.json
bench set-config -g db_host "$DB_HOST"
bench set-config -gp db_port 3306
bench set-config -g redis_cache "redis://$REDIS_CACHE"
bench set-config -g redis_queue "redis://$REDIS_QUEUE"
bench set-config -g redis_socketio "redis://$REDIS_QUEUE"
bench set-config -gp socketio_port 9000
