package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// A source is a git repository that holds the files of one folder.
type source struct {
	folder string // in the destination
	repo   string
	commit string
	path   string // of the files in the repository
	env    string // prefix of the environment variables that change it
}

// A fetcher gets the files of sums from sources.
type fetcher struct {
	sources  []source
	sums     sums
	progress io.Writer
}

// fetch makes dest, with the files of f.sums and no other; on error dest is as
// it was.
func (f *fetcher) fetch(ctx context.Context, dest string) error {
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	// Beside dest, so that the last step is a rename in one file system.
	work, err := os.MkdirTemp(filepath.Dir(dest), ".fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	corpus := filepath.Join(work, "corpus")
	for _, s := range f.sources {
		names := f.sums.in(s.folder)
		fmt.Fprintf(f.progress, "%s: %d files of %s at %s\n", s.folder, len(names), s.repo, s.commit)
		clone := filepath.Join(work, "clone-"+s.folder)
		if err := s.clone(ctx, clone, names, f.progress); err != nil {
			return fmt.Errorf("%s: %w", s.folder, err)
		}
		if err := collect(filepath.Join(clone, s.path), filepath.Join(corpus, s.folder), names); err != nil {
			return fmt.Errorf("%s: %w", s.folder, err)
		}
	}
	if err := f.sums.verify(corpus); err != nil {
		return err
	}
	if err := replace(dest, corpus, filepath.Join(work, "old")); err != nil {
		return err
	}
	fmt.Fprintf(f.progress, "%s: %d files, all sums agree\n", dest, len(f.sums))
	return nil
}

// clone checks the named files out into dir. It asks for one commit and, where
// the server can leave the rest out, for no other file: Wycheproof is large.
func (s source) clone(ctx context.Context, dir string, names []string, progress io.Writer) error {
	checkout := []string{"checkout", "--quiet", "FETCH_HEAD", "--"}
	for _, name := range names {
		checkout = append(checkout, s.path+"/"+name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"config", "core.autocrlf", "false"}, // the sums are of the bytes upstream
		{"remote", "add", "--", "origin", s.repo},
		{"fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", s.commit},
		checkout,
	} {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_DIR="+filepath.Join(dir, ".git"), "GIT_WORK_TREE="+dir)
		cmd.Stdout, cmd.Stderr = progress, progress
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("git %s of %s at %s: %w", args[0], s.repo, s.commit, err)
		}
	}
	return nil
}

// collect moves the named files from one directory to another.
func collect(from, to string, names []string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// replace puts the directory corpus at dest; what was there goes to old.
func replace(dest, corpus, old string) error {
	err := os.Rename(dest, old)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	existed := err == nil
	if err := os.Rename(corpus, dest); err != nil {
		if existed {
			os.Rename(old, dest)
		}
		return err
	}
	return nil
}
