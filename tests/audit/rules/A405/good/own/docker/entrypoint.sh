#!/bin/sh
set -e
python <<'END'
import shop.wait
END
echo 'PostgreSQL is available' >&2
exec "$@"
