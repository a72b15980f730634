#!/usr/bin/env bash
# Makes the pictures of the README from a real run: docs/images/make.sh
# Runs `eclusa demo` in a terminal of its own, and takes a picture of its output and of the report that it leaves.
# Needs chromium, python3 and a font with fixed width: apt-get install chromium python3 fonts-dejavu-core
# Nothing is drawn by hand: numbers, names and times are those of the run, and differ each time.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$HERE/../.." && pwd)"
readonly HERE ROOT
# A path that is short and says nothing of the machine, since it stands in the pictures.
readonly PLACE=/tmp/eclusa-pictures

picture() { # HTML file, PNG file, width, height
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1.5 \
        --user-data-dir="$PLACE/chromium" --window-size="$3,$4" --screenshot="$2" "file://$1" >/dev/null 2>&1
    test -s "$2"
}

rm -rf "$PLACE"
mkdir -p "$PLACE"
# `bin` holds the program under its usual name, since what it is called stands in the pictures too.
mkdir "$PLACE/bin"
(cd "$ROOT" && cargo build --package eclusa)
directory="${CARGO_TARGET_DIR:-$ROOT/target}"
cp "$directory/x86_64-unknown-linux-gnu/debug/eclusa" "$PLACE/bin/eclusa"

cd "$PLACE"
# The seed makes the bad release and the traffic those of the pictures before; times still differ.
ECLUSA_PERSON=maria python3 "$HERE/terminal.py" record session.txt 140 \
    "$PLACE/bin/eclusa" demo --directory shop --seed 11
python3 "$HERE/terminal.py" draw session.txt 140 '━━━ 2\.' '━━━ 3\.' 'close\.gate' terminal-release.html >release.size
python3 "$HERE/terminal.py" draw session.txt 140 'What was measured' 'Every part|Something' '' terminal-end.html >end.size
# shellcheck disable=SC2046  # width and height are two words
picture "$PLACE/terminal-release.html" "$HERE/terminal-release.png" $(<release.size)
# shellcheck disable=SC2046
picture "$PLACE/terminal-end.html" "$HERE/terminal-end.png" $(<end.size)
picture "$PLACE/shop/reports/2-release-v3.html" "$HERE/report.png" 1100 1500
rm -rf "$PLACE"
printf 'written: %s\n' "$HERE"/*.png
