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
json() { printf '"%s"' "$(flat "$*" | sed -e 's/"/\\"/g')"; }
use() { # use TOOL JSON: calls a tool of the first server; what it says is in ANSWER
	test -n "$FAKE_TOOLS" || fail invalid "there are no tools"
	pipes="$sessions/$FAKE_SESSION.pipes"
	rm -rf "$pipes" && mkdir "$pipes" && mkfifo "$pipes/in" "$pipes/out" || exit 9
	/bin/sh -c "exec $FAKE_TOOLS" <"$pipes/in" >"$pipes/out" &
	exec 3>"$pipes/in" 4<"$pipes/out"
	line '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"fake","version":"0"}}}' >&3
	read -r reply <&4 || fail crashed "the tools do not answer"
	line '{"jsonrpc":"2.0","method":"notifications/initialized"}' >&3
	line "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"$1\",\"arguments\":$2}}" >&3
	read -r reply <&4 || fail crashed "the tool $1 does not answer"
	exec 3>&- 4<&-
	wait
	rm -rf "$pipes"
	ANSWER=$(line "$reply" | sed -n 's/.*"text":"\(.*\)"}\].*/\1/p')
}
ask() { # ask QUESTION [OPTION...]: the person's answer is in ANSWER afterwards
	wanted=$(json "$1") options=
	shift
	for option; do options="$options${options:+,}$(json "$option")"; done
	use ask "{\"question\":$wanted,\"options\":[$options]}"
}
complete() { use task_complete "{\"summary\":$(json "$*")}"; } # says that the task is done
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
