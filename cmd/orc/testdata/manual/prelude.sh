# What the blocks of a page run behind. Each block is on a line of its own in what is printed: "@@ N".
set -e
block() { printf '\n@@ %s\n' "$1"; }
wants() { test "$1" = "$2" || { printf '\n@@ exit code %s, want %s\n' "$1" "$2"; exit 1; }; }
until_says() { until test "$(orc status --jq "$1")" = true; do sleep 0.05; done; }
asks() { until_says '.tasks | any(.questions | length > 0)'; }
done_() { until_says '.run.state != "running"'; }
