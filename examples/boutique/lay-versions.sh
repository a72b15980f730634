#!/usr/bin/env bash
# Lays the versions of the boutique into a new git repository: lay-versions.sh DIRECTORY
# Tags: v1; v2 and v5 on `main`; v3 and v4 each on a branch of their own from v2. The same every time, down to
# the commit ids, while app/ and versions/ do not change.
set -euo pipefail

[ "$#" -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly HERE TARGET=$1
if [ -e "$TARGET" ] && [ -n "$(ls -A "$TARGET")" ]; then
    echo "$TARGET is not empty" >&2
    exit 1
fi

# Nothing of the person's own git configuration has a say in what is laid.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 TZ=UTC
export GIT_AUTHOR_NAME=Boutique GIT_AUTHOR_EMAIL=boutique@example.org
export GIT_COMMITTER_NAME=Boutique GIT_COMMITTER_EMAIL=boutique@example.org
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

commit() { # tag, day, message
    export GIT_AUTHOR_DATE="2026-03-$2T09:00:00+0000" GIT_COMMITTER_DATE="2026-03-$2T09:00:00+0000"
    git -C "$TARGET" add --all
    git -C "$TARGET" commit --quiet --message "$3"
    git -C "$TARGET" tag "$1"
}

release() { # tag, day, message
    git -C "$TARGET" apply --whitespace=nowarn "$HERE/versions/$1.patch"
    commit "$@"
}

mkdir -p "$TARGET"
git -C "$TARGET" init --quiet --initial-branch main
tar -C "$HERE/app" --exclude=__pycache__ --exclude='*.pyc' --exclude=.env.production --exclude=.pytest_cache \
    -c . | tar -C "$TARGET" -x
commit v1 02 'The shop: sales, billing, credit, reports'
release v2 09 'Discounts and loyalty points'
git -C "$TARGET" switch --quiet --create merge-customers
release v3 16 'One customer per mailbox'
git -C "$TARGET" switch --quiet --create faster-products v2
release v4 17 'Sales channels; the product list is kept for a second'
git -C "$TARGET" switch --quiet main
release v5 18 'The average sale in the daily report'
