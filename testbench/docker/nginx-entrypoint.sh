#!/bin/sh
# As the official one, it does not exec nginx, which is why a stop takes the whole grace period.
nginx -g 'daemon off;'
