#!/bin/bash
set -e
./backup.sh
bench --site all migrate || true
supervisorctl restart all
