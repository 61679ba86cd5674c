package environ

import (
	"slices"
	"testing"
)

func TestOnlyAllowedVariablesPass(t *testing.T) {
	environ := []string{
		"PATH=/bin", "HOME=/h", "LC_ALL=C", "LC_TIME=C", "XDG_RUNTIME_DIR=/r", "http_proxy=p", "AWS_SECRET_ACCESS_KEY=s",
		"GITHUB_TOKEN=t", "ORC_RUN=x", "GIT_DIR=/elsewhere", "GIT_AUTHOR_NAME=Ann", "MY_KEY=k", "ACME_ONE=1", "ACME_TWO=2", "broken", "LD_PRELOAD=evil",
	}
	for _, c := range []struct {
		pass []string
		want []string
	}{
		{nil, []string{"PATH=/bin", "HOME=/h", "LC_ALL=C", "LC_TIME=C", "XDG_RUNTIME_DIR=/r", "http_proxy=p", "GIT_AUTHOR_NAME=Ann"}},
		{[]string{"MY_KEY"}, []string{"PATH=/bin", "HOME=/h", "LC_ALL=C", "LC_TIME=C", "XDG_RUNTIME_DIR=/r", "http_proxy=p", "GIT_AUTHOR_NAME=Ann", "MY_KEY=k"}},
		{[]string{"ACME_*"}, []string{
			"PATH=/bin", "HOME=/h", "LC_ALL=C", "LC_TIME=C", "XDG_RUNTIME_DIR=/r", "http_proxy=p", "GIT_AUTHOR_NAME=Ann", "ACME_ONE=1", "ACME_TWO=2",
		}},
		// What belongs to us or would redirect git does not pass by any name.
		{[]string{"ORC_RUN", "GIT_*", "GIT_DIR", "*"}, []string{"PATH=/bin", "HOME=/h", "LC_ALL=C", "LC_TIME=C", "XDG_RUNTIME_DIR=/r", "http_proxy=p", "GIT_AUTHOR_NAME=Ann"}},
	} {
		if got := Allowed(environ, c.pass...); !slices.Equal(got, c.want) {
			t.Errorf("pass %q: got %q, want %q", c.pass, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for word, want := range map[string]bool{
		"KEY": true, "my_key2": true, "ACME_*": true, "": false, "*": false, "2KEY": false, "A-B": false, "A=1": false, "A B": false, "A*B": false, "A**": false,
	} {
		if got := IsName(word); got != want {
			t.Errorf("IsName(%q) = %v, want %v", word, got, want)
		}
	}
	if names := Usual(); !slices.IsSorted(names) || len(names) != len(usual) {
		t.Errorf("usual names %q", names)
	}
}
