# What a script of the fake agent can say. It is read by /bin/sh with the script's path as first argument.
line() { printf '%s\n' "$*"; }
flat() { printf '%s' "$*" | sed -e 's/\\/\\\\/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'; }

say() { line "text $(flat "$*")"; }
think() { line "thought $(flat "$*")"; }
notice() { line "notice $(flat "$*")"; }
retry() { line "retry $(flat "$*")"; }
deny() { line "deny $1"; }
call() { id=$1 tool=$2; shift 2; line "call $id $tool $*"; }          # call ID TOOL JSON
result() { id=$1 tool=$2; shift 2; line "result $id $tool $(flat "$*")"; } # result ID TOOL TEXT
broken() { id=$1 tool=$2; shift 2; line "broken $id $tool $(flat "$*")"; } # a result that did not work
usage() { line "usage $*"; }                                          # usage INPUT OUTPUT [DOLLARS]
edit() { # edit FILE TEXT
	edits=$((${edits:-0} + 1))
	call "edit-$edits" write "{\"path\":\"$1\"}"
	mkdir -p "$(dirname "$1")" && printf '%s\n' "$2" >"$1" || exit 9
	line "edited edit-$edits $1"
	result "edit-$edits" write "$1 written"
}
fail() { # fail KIND TEXT [SECONDS SINCE 1970]: a provider.Kind, and until when
	line "fail $1 ${3:-0} $(flat "$2")"
	exit 1
}
until_file() { while ! test -e "$1"; do sleep 0.02; done; }
hang() { trap '' TERM; while :; do sleep 1; done; }

sessions="$HOME/.fake-agent"
FAKE_FOLDER="$sessions/$FAKE_SESSION"
if test -n "$FAKE_RESUME" && ! test -d "$FAKE_FOLDER"; then
	fail session "no session $FAKE_SESSION"
fi
mkdir -p "$FAKE_FOLDER" || exit 9
FAKE_TURN=$(($(ls "$FAKE_FOLDER" | wc -l) + 1))
cat >"$FAKE_FOLDER/$FAKE_TURN" || exit 9
PROMPT="$FAKE_FOLDER/$FAKE_TURN"
line "session $FAKE_SESSION"
. "$1"
line end
