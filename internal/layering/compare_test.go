package layering

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// secretive are the packages that hold tags, keys or secrets. What compares
// bytes there does it with subtle.ConstantTimeCompare, or stands below.
var secretive = []string{
	"internal/secret", "internal/labels", "internal/proto", "internal/schedule", "internal/secrettree",
	"internal/ratchettree", "internal/framing", "internal/proposal", "mls/...", "provider", "provider/soft", "provider/asm", "provider/auto", "provider/pkcs11",
	"internal/asm/sha256",
}

// publicCompares are the functions of secretive packages whose operands of a
// comparison that stops at the first difference are public, and why they are.
var publicCompares = map[string]string{
	"internal/framing.Epoch.match":                 "group ids stand in the clear in every message",
	"internal/ratchettree.Edit.ApplyPath":          "parent hashes stand in leaves",
	"internal/ratchettree.Edit.checkPathKeys":      "public keys",
	"internal/ratchettree.Private.Prune":           "public keys",
	"internal/ratchettree.Private.Restore":         "public keys",
	"internal/ratchettree.Private.keyOf":           "public keys",
	"internal/ratchettree.Tree.VerifyParentHashes": "parent hashes stand in nodes",
	"internal/ratchettree.Tree.hasEncryptionKey":   "public keys",
	"internal/ratchettree.Tree.hasSignatureKey":    "public keys",
	"internal/ratchettree.climb":                   "public keys",
	"mls.Credential.Equal":                         "credentials are public",
	"mls.Group.signerOf":                           "public keys",
	"mls/x509auth.Authenticator.SameClient":        "names in certificates",
	"mls/x509auth.batch.successor":                 "names in certificates",
	"mls/x509auth.batch.verify":                    "names in certificates",
	"mls/x509auth.tail.parse":                      "names in certificates",
	"mls.ProposeToJoin":                            "public keys",
	"mls.PublicGroup.open":                         "group ids stand in the clear in every message",
	"mls.PublicGroup.process":                      "hashes of messages",
	"mls.publicState.decode":                       "tree hashes stand in group contexts",
	"mls.publicView.lookup":                        "references of proposals are hashes of messages",
	"mls.predecessor.check":                        "group ids stand in the clear in every message",
	"mls.sameExtensions":                           "extensions of group contexts",
	"mls.Group.ClearProposal":                      "references of proposals are hashes of messages",
	"mls.Group.beginPublic":                        "group ids stand in the clear in every message",
	"mls.Group.compareGroupInfo":                   "group contexts and ids stand in GroupInfos",
	"mls.Group.epochFor":                           "group ids stand in the clear in every message",
	"mls.Group.isOwnPending":                       "a message as it is sent",
	"mls.Group.merged":                             "hashes of messages",
	"mls.Group.stored":                             "references of proposals are hashes of messages",
	"mls.ImportKeyPackage":                         "public keys",
	"mls.Welcome.ownLeaf":                          "leaf nodes are public",
	"mls.Welcome.stage":                            "public keys",
	"mls.loader.private":                           "public keys",
	"mls.loader.publicState":                       "tree hashes stand in the GroupContext",
	"mls.overlay.Scan":                             "names of records",
	"mls.overlay.hidden":                           "names of records",
	"mls.overlay.put":                              "names of records",
	"mls.puts":                                     "names of records",
	"mls.signerList.Signer":                        "public keys",
	"provider/pkcs11.Signer.locate":                "public keys",
	"provider/pkcs11.Token.Signer":                 "public keys",
	"provider/pkcs11.Token.findKeys":               "public keys",
	"provider/pkcs11.curve.publicKey":              "public keys",
	"provider/pkcs11.curveOf":                      "names of curves",
	"provider/pkcs11.Token.parseRef":               "names of tokens",
	"provider/pkcs11.session.publicBeside":         "public keys",
}

// variableTime are the functions whose running time tells where two byte
// strings differ.
var variableTime = []string{
	"bytes.Equal", "bytes.Compare", "bytes.HasPrefix", "bytes.HasSuffix", "bytes.Contains", "bytes.Index",
	"slices.Equal", "slices.Compare", "reflect.DeepEqual", "strings.Compare",
}

// compares returns the functions of a file that compare byte strings in
// variable time, as "dir.Function" or "dir.Type.Method".
func compares(dir string, file *ast.File) (found []string) {
	for _, decl := range file.Decls {
		name := dir + "." + declName(decl)
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr: // a call, or the function as a value
				if x, ok := n.X.(*ast.Ident); ok && slices.Contains(variableTime, x.Name+"."+n.Sel.Name) {
					found = append(found, name)
				}
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && isString(n.X) && isString(n.Y) {
					found = append(found, name)
				}
			}
			return true
		})
	}
	return found
}

// isString reports whether e is a conversion string(x).
func isString(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && id.Name == "string"
}

func declName(decl ast.Decl) string {
	f, ok := decl.(*ast.FuncDecl)
	if !ok {
		return "init"
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	return fmt.Sprint(t) + "." + f.Name.Name
}

func TestSecretsAreComparedInConstantTime(t *testing.T) {
	used := map[string]bool{}
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || !matchAny(secretive, dir) {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", path), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, f := range compares(dir, file) {
			used[f] = true
			if publicCompares[f] == "" {
				t.Errorf("%s (%s) compares bytes in variable time: use subtle.ConstantTimeCompare, or give the reason why both are public in publicCompares", f, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for f := range publicCompares {
		if !used[f] {
			t.Errorf("publicCompares names %s, which compares nothing", f)
		}
	}
}

// TestComparesAreFound shows that the lint sees what it is for.
func TestComparesAreFound(t *testing.T) {
	const source = `package p
func direct(a, b []byte) bool { return bytes.Equal(a, b) }
func value() { slices.EqualFunc(x, y, bytes.Equal) }
func (t *tag) ok(b []byte) bool { return string(t.b) == string(b) }
func constant(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
func named(a string) bool { return a == "x" }
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"p.direct", "p.value", "p.tag.ok"}
	if got := compares("p", file); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
