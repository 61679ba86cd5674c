echo '--- FAIL: TestExchange/pkce (0.02s)'
echo 'internal/oauth/client_test.go:88: got "invalid_grant", want a token'
exit 1
