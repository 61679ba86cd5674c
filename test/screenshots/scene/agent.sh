# The agents of the pictures. Each waits at a gate, a file that the program of the pictures makes.
gate() { until_file "$GATES/$1"; }
case $ORC_TASK in
schema)
	say "Two tables, and a down migration for each."
	edit migrations/001.sql "CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE);
CREATE TABLE sessions (token TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users, expires INTEGER NOT NULL);"
	usage 21000 2100 0.09
	complete "Users and sessions, with down migrations."
	;;
session-store)
	edit internal/session/store.go "package session

// Store keeps sessions in SQLite until they expire.
type Store struct{}"
	usage 48000 5200 0.21
	complete "internal/session keeps sessions and forgets expired ones."
	;;
oauth-client)
	say "The token exchange needs PKCE; I add a verifier and store it in the session."
	call read-1 read '{"path":"internal/session/store.go"}'
	result read-1 read "package session"
	edit internal/oauth/client.go "package oauth

// Exchange turns a code into a token.
func (c *Client) Exchange(ctx context.Context, code, verifier string) (*Token, error) {
	return c.post(ctx, code, verifier)
}"
	say "Now the tests of the exchange."
	usage 61000 6300 0.42
	call bash-1 bash '{"command":"go test ./internal/oauth/..."}'
	gate oauth
	complete "The exchange with PKCE."
	;;
login-ui)
	say "The old route is linked from three e-mail templates."
	usage 19000 1800 0.18
	ask "Keep /login as the route, or move it to /auth/login?
The old route is linked from 3 e-mail templates." "Keep /login" "Move to /auth/login"
	edit web/login.html "<a href=\"/login\">Sign in with GitHub</a>"
	complete "The button, with the answer: $ANSWER."
	;;
esac
