package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const inspectData = "../../internal/inspect/testdata/"

func TestInspect(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{inspectData + "key-package.hex"}, 0, "✓ well-formed MLSMessage"},
		{[]string{"--as", "KeyPackage", inspectData + "key-package.hex"}, exitFailed, "✗ not a well-formed KeyPackage"},
		{[]string{"--group-id", "626f6f6b20636c7562", inspectData + "ratchet-tree.hex"}, 0, "4 leaf signatures verified"},
		{[]string{"--group-id", "00", inspectData + "ratchet-tree.hex"}, exitFailed, "1 leaf signature wrong, the first at leaf 0"},
		{[]string{"--encoding", "raw", inspectData + "key-package.hex"}, exitFailed, "✗ not a well-formed"},
	} {
		out, errs, code := hardmls(t, append([]string{"inspect"}, c.args...)...)
		if code != c.code || errs != "" || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit %d, %s\n%s", c.args, code, errs, out)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%v: an escape sequence", c.args)
		}
	}
}

func TestInspectJSON(t *testing.T) {
	out, errs, code := hardmls(t, "inspect", "--json", inspectData+"group-info.hex")
	var res struct {
		Schema string
		Valid  bool
		Tree   struct{ Members int }
	}
	if err := json.Unmarshal([]byte(out), &res); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if res.Schema != "hardmls.inspect/1" || !res.Valid || res.Tree.Members != 4 {
		t.Errorf("%+v", res)
	}
}

func TestInspectUsage(t *testing.T) {
	file := inspectData + "key-package.hex"
	for _, args := range [][]string{{}, {file, file}, {"--as", "nonsense", file}, {"--encoding", "morse", file},
		{"--suite", "99", file}, {"--suite", "x", file}, {"--group-id", "xyz", file}} {
		if out, errs, code := hardmls(t, append([]string{"inspect"}, args...)...); code != exitUsage || out != "" || !strings.HasPrefix(errs, "hardmls: ") {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errs)
		}
	}
	if _, errs, code := hardmls(t, "inspect", "no such file"); code != exitError || !strings.Contains(errs, "no such file") {
		t.Errorf("missing file: exit %d: %s", code, errs)
	}
	if _, errs, code := hardmls(t, "inspect", "--encoding", "hex", "main.go"); code != exitError || !strings.Contains(errs, "not hex") {
		t.Errorf("not hexadecimal: exit %d: %s", code, errs)
	}
}

var (
	transcript = regexp.MustCompile("(?ms)^    \\$ (.*?)\n((?:    .*?\n|\n)*?)(?:\n[^ ]|\\z)")
	command    = regexp.MustCompile(`^(?:head -c ([0-9]+) (\S+) \| )?hardmls (.*)$`)
)

// TestInspectTranscripts: what docs/inspect.md shows is what the command prints. A
// line of "[…]" stands for any lines.
func TestInspectTranscripts(t *testing.T) {
	doc, err := os.ReadFile("../../docs/inspect.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := transcript.FindAllStringSubmatch(string(doc), -1)
	if len(shown) < 3 {
		t.Fatalf("%d transcripts", len(shown))
	}
	t.Chdir("../..")
	for _, m := range shown {
		c := command.FindStringSubmatch(m[1])
		if c == nil {
			t.Errorf("what is %q?", m[1])
			continue
		}
		var stdin []byte
		if c[1] != "" {
			b, err := os.ReadFile(filepath.FromSlash(c[2]))
			n, _ := strconv.Atoi(c[1])
			if err != nil || len(b) < n {
				t.Fatalf("%s: %d bytes, %v", c[2], len(b), err)
			}
			stdin = b[:n]
		}
		var out, errs bytes.Buffer
		run(t.Context(), bytes.NewReader(stdin), strings.Fields(c[3]), &out, &errs)
		want := strings.TrimSpace(strings.ReplaceAll("\n"+m[2], "\n    ", "\n"))
		rest := out.String()
		for i, part := range strings.Split(want, "[…]") {
			at := strings.Index(rest, strings.TrimSpace(part))
			if at < 0 || i == 0 && at != 0 {
				t.Errorf("%s prints\n%s\nnot\n%s", m[1], out.String(), want)
				break
			}
			rest = rest[at+len(strings.TrimSpace(part)):]
		}
		if strings.TrimSpace(rest) != "" && !strings.HasSuffix(want, "[…]") {
			t.Errorf("%s prints more:\n%s", m[1], rest)
		}
	}
}
