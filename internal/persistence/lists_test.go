package persistence

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestListsAreStoredAsPackageJSONWritesThem(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z",\\\[\] <>&/*.\x00-\x7f]{0,8}`))
		list := rapid.SliceOfN(texts, 1, 4).Draw(r, "list")
		stored, err := jsonOf(list)
		if err != nil {
			r.Fatal(err)
		}
		if want, err := json.Marshal(list); err != nil || stored != string(want) {
			r.Fatalf("stored as %s, package json writes %s, %v", stored, want, err)
		}
		if got, err := listOf(stored.(string)); err != nil || !slices.Equal(got, list) {
			r.Fatalf("%s is read as %q, %v", stored, got, err)
		}
	})
}

func TestEachCharacterIsStoredAsPackageJSONWritesIt(t *testing.T) {
	for c := range rune(0x100) {
		list := []string{"a" + string(c) + "b"}
		stored, err := jsonOf(list)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := json.Marshal(list); err != nil || stored != string(want) {
			t.Errorf("%q is stored as %s, package json writes %s, %v", c, stored, want, err)
		}
		if got, err := listOf(stored.(string)); err != nil || !slices.Equal(got, list) {
			t.Errorf("%s is read as %q, %v", stored, got, err)
		}
	}
}

func TestListsOfAnyShapeOfJSONAreRead(t *testing.T) {
	for stored, want := range map[string][]string{
		`["a","b"]`:         {"a", "b"},
		`["a", "b"]`:        {"a", "b"},
		"[\n\"a\",\n\"b\"]": {"a", "b"},
		`[ "a" ]`:           {"a"},
		`[""]`:              {""},
		`["",""]`:           {"", ""},
		`[","]`:             {","},
		`["a,","b"]`:        {"a,", "b"},
		`["],["]`:           {"],["},
		`["\"","\","]`:      {`"`, `",`},
		`["日本"]`:            {"日本"},
		`[ ]`:               {},
		`[]`:                {},
	} {
		if got, err := listOf(stored); err != nil || !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s is read as %#v, %v", stored, got, err)
		}
	}
	for _, stored := range []string{`["a"`, `["a",]`, `["a""b"]`, `["a","b]`, `[1]`, `{}`, `["]`, ``, `["a",,"b"]`} {
		if got, err := listOf(stored); err == nil {
			t.Errorf("%s is read as %q", stored, got)
		}
	}
}
