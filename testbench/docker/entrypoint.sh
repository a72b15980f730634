#!/bin/sh
# The assets are part of the image; the sites' directory is a volume that all versions share.
ln -sfn /home/frappe/frappe-bench/assets /home/frappe/frappe-bench/sites/assets
exec "$@"
