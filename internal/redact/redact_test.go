package redact

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Keys of the known forms, put together here so that no scanner takes this file for a leak.
var keys = []string{
	"sk" + "-ant-api03-" + strings.Repeat("Ab1_", 20),
	"sk" + "-proj-" + strings.Repeat("x9", 20),
	"gh" + "p_" + strings.Repeat("a1B2", 9),
	"github" + "_pat_" + strings.Repeat("a1B2", 9),
	"gl" + "pat-" + strings.Repeat("a1B2", 5),
	"AK" + "IA" + "ABCDEFGHIJKLMNOP",
	"AI" + "za" + strings.Repeat("Sy", 18),
	"xo" + "xb-123456789012-" + strings.Repeat("q", 20),
	"np" + "m_" + strings.Repeat("a", 36),
	"hf" + "_" + strings.Repeat("a", 34),
	"ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NTYifQ.SflKxwRJSMeKKF2QT4",
}

func pem() string {
	return "-----BEGIN RSA " + "PRIVATE KEY-----\n" + strings.Repeat("MIIEowIBAAKCAQEAsecret\n", 30) + "-----END RSA " + "PRIVATE KEY-----"
}

func world() *Redactor {
	return New([]string{
		"ANTHROPIC_API_KEY=value-of-the-key", "DB_PASSWORD=correct horse battery", "GITHUB_TOKEN=value-of-the-key-and-more", "PATH=/usr/bin:/bin",
		"SHORT_TOKEN=abc", "PWD=/home/ann/project", "PIN_SECRET=12345678", "MARKED_SECRET=<b> \"quoted\" ünd", "QUOTED_SECRET=say \"hello\" now", "TOKENIZER=tokenizer-value", "LINES_KEY=first line of it\nsecond line of it",
	})
}

func TestSecretsAreTakenOut(t *testing.T) {
	r := world()
	for in, want := range map[string]string{
		"the key is value-of-the-key.":            "the key is [redacted].",
		"value-of-the-key-and-more":               "[redacted]",
		"login: correct horse battery!":           "login: [redacted]!",
		`{"x":"say \"hello\" now"}`:               `{"x":"[redacted]"}`,
		"first line of it\nand second line of it": "[redacted]\nand [redacted]",
		"abc 12345678 /home/ann/project":          "abc 12345678 /home/ann/project",
		"tokenizer-value stays":                   "tokenizer-value stays",
		"clone https://ann:hunter2@host/x":        "clone https://ann:[redacted]@host/x",
		"http://localhost:8080/a@b":               "http://localhost:8080/a@b",
		"a " + pem() + " z":                       "a [redacted] z",
		"cut " + pem()[:100]:                      "cut [redacted]",
		pem()[100:] + " z":                        "[redacted] z",
		"":                                        "",
	} {
		if got := r.String(in); got != want {
			t.Errorf("String(%q) = %q, want %q", in, got, want)
		}
	}
	for _, text := range []string{
		`{"x":"\u003cb\u003e \"quoted\" \u00fcnd"}`,
		"\"<b> \\\"quoted\\\" \u00fcnd\"",
		"\"<b> \\\"quoted\\\" \\u00fcnd\"",
		"https://host/?q=%3Cb%3E+%22quoted%22+%C3%BCnd",
	} {
		if got := r.String(text); strings.Contains(got, "quoted") || !strings.Contains(got, Mark) {
			t.Errorf("String(%q) = %q", text, got)
		}
	}
	for _, k := range keys {
		for _, text := range []string{k, "key=" + k + "\n", `"` + k + `"`, "(" + k + ")"} {
			if got := (*Redactor)(nil).String(text); strings.Contains(got, k) || !strings.Contains(got, Mark) {
				t.Errorf("%q is shown as %q", text, got)
			}
		}
		if !HasForm("x " + k) {
			t.Errorf("%q is no key", k)
		}
	}
	if harmless := "task-skipped sk-learn AKIAshort ghp_short eyJ.eyJ.x"; HasForm(harmless) || r.String(harmless) != harmless {
		t.Errorf("%q is shown as %q", harmless, r.String(harmless))
	}
}

func TestNamesOfSecrets(t *testing.T) {
	for name, want := range map[string]bool{
		"ANTHROPIC_API_KEY": true, "GITHUB_TOKEN": true, "AWS_SECRET_ACCESS_KEY": true, "DB_PASSWORD": true, "PGPASSWORD": true, "NPM_AUTH": true,
		"npm_config__authToken": true, "MYSECRET": true, "PATH": false, "HOME": false, "PWD": false, "KEYBOARD": false, "MONKEY": false, "SSH_AUTH_SOCK": false,
		"TOKENIZER": false, "AUTHOR": false, "PASSIVE": false,
	} {
		if got := SecretName(name); got != want {
			t.Errorf("SecretName(%q) = %v, want %v", name, got, want)
		}
	}
}

// TestStreamFindsWhatCrossesPieces cuts one text at every place.
func TestStreamFindsWhatCrossesPieces(t *testing.T) {
	r := world()
	text := "a value-of-the-key b\nc correct horse battery d " + strings.Join(keys, " e ") + "\n" + pem() + "\nhttps://ann:hunter2@host/ ünd\n-----BEGIN CERTIFICATE-----\nx\n"
	want := r.String(text)
	for _, secret := range append([]string{"value-of-the-key", "horse", "MIIE", "hunter2"}, keys...) {
		if strings.Contains(want, secret) {
			t.Fatalf("%q is in %q", secret, want)
		}
	}
	for cut := range len(text) + 1 {
		s := r.Stream()
		if got := s.Next(text[:cut]) + s.Next(text[cut:]) + s.Rest(); got != want {
			t.Fatalf("cut at %d:\n got %q\nwant %q", cut, got, want)
		}
	}
	for _, size := range []int{1, 2, 3, 7, 64} {
		s := r.Stream()
		var b strings.Builder
		for at := 0; at < len(text); at += size {
			b.WriteString(s.Next(text[at:min(len(text), at+size)]))
		}
		b.WriteString(s.Rest())
		if b.String() != want {
			t.Fatalf("pieces of %d:\n got %q\nwant %q", size, b.String(), want)
		}
	}
}

func TestStreamGivesLinesWhenTheyEnd(t *testing.T) {
	s := world().Stream()
	if got := s.Next("one\ntwo"); got != "one\n" {
		t.Errorf("got %q", got)
	}
	if got := s.Next("\n"); got != "two\n" {
		t.Errorf("got %q", got)
	}
	if got := s.Rest(); got != "" {
		t.Errorf("got %q at the end", got)
	}
}

func TestStreamHoldsLittleOfAnEndlessWord(t *testing.T) {
	s := world().Stream()
	word := strings.Repeat("ü", 100_000)
	got := s.Next(word)
	if len(word)-len(got) > held || !utf8.ValidString(got) {
		t.Errorf("%d of %d bytes are kept back", len(word)-len(got), len(word))
	}
	if got += s.Rest(); got != word {
		t.Error("the text has changed")
	}
	for at := range 200 {
		s := world().Stream()
		filler := strings.Repeat("x", held-100+at)
		got := s.Next(filler+"value-of-the-key"+strings.Repeat("y", held/2)) + s.Rest()
		if strings.Contains(got, "value-of-the-key") {
			t.Fatalf("shown after %d bytes", len(filler))
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add("a value-of-the-key b "+pem(), 7)
	f.Add("-----BEGIN x\n-----BEGIN "+"PRIVATE KEY", 3)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		if cut < 0 || cut > len(text) {
			return
		}
		r := world()
		s := r.Stream()
		got := s.Next(text[:cut]) + s.Next(text[cut:]) + s.Rest()
		for _, v := range r.values {
			if strings.Contains(got, v) && !strings.Contains(r.String(text), v) {
				t.Fatalf("%q is in %q", v, got)
			}
		}
	})
}

func TestEveryBeginningOfAKeyIsNoticed(t *testing.T) {
	samples := []string{strings.Repeat("A1", 8), strings.Repeat("a1B2", 12), strings.Repeat("a1", 6) + ".ey" + "J" + strings.Repeat("a1", 6) + "." + strings.Repeat("a1", 6)}
	for _, f := range known {
		for _, word := range f.begins {
			noticed := false
			for _, s := range samples {
				noticed = noticed || (*Redactor)(nil).String("it is "+word+s+" here") == "it is "+Mark+" here"
			}
			if !noticed {
				t.Errorf("nothing that begins with %q is noticed", word)
			}
		}
	}
}
