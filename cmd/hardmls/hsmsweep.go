package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hardmls/hardmls/mls"
	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/pkcs11"
	"github.com/hardmls/hardmls/storage/bbolt"
)

func hsmSweepCommand(t *terminal, f *tokenFlags) *cobra.Command {
	var stores []string
	var remove bool
	var age time.Duration
	cmd := &cobra.Command{
		Use:   "sweep --store FILE...",
		Short: "List init and leaf keys that no store names, and remove them with --remove",
		Long: `Compares the init and leaf keys in the token with the references in the stores that
use it, and lists those that none names: a crash left them behind. Name every store
that keeps keys in this token, while none of them is open elsewhere. Keys younger
than --older-than may be in the making and are left alone, as are signature keys.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(stores) == 0 {
				return usageError{errors.New("--store is needed, once for each store that keeps keys in this token")}
			}
			return f.open(cmd.Context(), t, func(tok *pkcs11.Token) error {
				return sweep(cmd.Context(), t, tok.Keys(), stores, remove, age)
			})
		},
	}
	cmd.Flags().StringArrayVar(&stores, "store", nil, "file of a store (may be repeated)")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the keys that are listed")
	cmd.Flags().DurationVar(&age, "older-than", time.Hour, "leave younger keys alone")
	return cmd
}

// sweepResult is what sweep shows, for --json.
type sweepResult struct {
	Objects int        `json:"objects"`
	Named   int        `json:"named"`
	Young   int        `json:"young"`
	Orphans []sweepRow `json:"orphans"`
	Removed int        `json:"removed"`
}

type sweepRow struct {
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Use     string    `json:"use"`
	Created time.Time `json:"created"`
}

func sweep(ctx context.Context, t *terminal, keys *pkcs11.Keys, stores []string, remove bool, age time.Duration) error {
	named := map[string]bool{}
	for _, path := range stores {
		if err := collect(ctx, keys, path, named); err != nil {
			return err
		}
	}
	objects, err := keys.Objects(ctx)
	if err != nil {
		return err
	}
	res := sweepResult{Objects: len(objects), Orphans: []sweepRow{}}
	for _, o := range objects {
		switch {
		case named[string(o.ID)]:
			res.Named++
		case time.Since(o.Created) < age:
			res.Young++
		default:
			res.Orphans = append(res.Orphans, sweepRow{hex.EncodeToString(o.ID), o.Label, o.Use.String(), o.Created})
			if !remove {
				continue
			}
			if err := keys.Remove(ctx, o.ID); err != nil {
				return fmt.Errorf("remove %x: %w", o.ID, err)
			}
			res.Removed++
		}
	}
	if t.json {
		return t.encode(res)
	}
	t.line("keys", "%d in the token: %d named by a store, %d too young to tell, %d named by none", res.Objects, res.Named, res.Young, len(res.Orphans))
	for _, r := range res.Orphans {
		t.line("orphan", "%s %s %q of %s", r.Use, r.ID, r.Label, r.Created.UTC().Format(time.DateTime))
	}
	switch {
	case res.Removed > 0:
		t.line("removed", "%d", res.Removed)
	case len(res.Orphans) > 0:
		t.line("next", "the same with --remove, if every store was named")
	}
	return nil
}

// collect adds the objects that a store names.
func collect(ctx context.Context, keys *pkcs11.Keys, path string, named map[string]bool) error {
	s, err := bbolt.Open(path, bbolt.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer s.Close()
	for ref, err := range mls.KeyRefs(ctx, s) {
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		id, err := keys.ObjectID(ref)
		if errors.Is(err, provider.ErrForeignKey) {
			continue // of software, or of another token
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		named[string(id)] = true
	}
	return nil
}
