package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sums maps folder/file to the SHA-256 of the file's content.
type sums map[string][sha256.Size]byte

// parseSums reads the format of sha256sum. Names have two elements, so that no
// line reaches outside the destination.
func parseSums(text string) (sums, error) {
	s := sums{}
	for line := range strings.Lines(text) {
		digest, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		b, err := hex.DecodeString(digest)
		if !ok || err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("sums: %q is no line of sha256sum", line)
		}
		if !filepath.IsLocal(name) || path.Clean(name) != name || strings.Count(name, "/") != 1 {
			return nil, fmt.Errorf("sums: name %q is not folder/file", name)
		}
		s[name] = [sha256.Size]byte(b)
	}
	if len(s) == 0 {
		return nil, errors.New("sums: no line")
	}
	return s, nil
}

// in returns the names of the files of folder, sorted.
func (s sums) in(folder string) []string {
	var names []string
	for name := range s {
		if dir, file := path.Split(name); dir == folder+"/" {
			names = append(names, file)
		}
	}
	slices.Sort(names)
	return names
}

// verify reports the first file, in order of names, that is missing below dir
// or has another content.
func (s sums) verify(dir string) error {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if got := sha256.Sum256(b); got != s[name] {
			return fmt.Errorf("%s: SHA-256 is %x, want %x", name, got, s[name])
		}
	}
	return nil
}
