#!/bin/sh
exec celery -A shop flower --basic_auth="$FLOWER_USER:$FLOWER_PASSWORD"
