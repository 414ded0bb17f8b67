package inspect

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/wire"
)

// MaxFields is how many fields of one input are kept. What is beyond is checked
// all the same.
const MaxFields = 1 << 20

// A walker reads a structure and keeps its fields.
type walker struct {
	r      wire.Reader
	trail  []*Field   // the fields that are being read, the outermost first
	budget int        // fields that may still be kept
	keep   bool       // false: only the verdict counts
	failed *Problem   // the first error
	inside *[]Problem // errors in the content of extensions; nil: it is not read
}

// A Problem is what is wrong with the input.
type Problem struct {
	Offset int    // of the field that is wrong
	Path   string // of the field, from the outermost structure
	Err    error  // *check.Error, or check.ErrAuth
}

// maxDepth bounds the nesting of fields. RFC 9420's structures do not reach it:
// a leaf's application id, in the tree of a GroupInfo, stands at about ten.
const maxDepth = 32

// path returns the names of the fields that are being read.
func (w *walker) path() (p string) {
	for _, f := range w.trail[1:] {
		p = join(p, f.label())
	}
	return p
}

// field reads one field with read, which fills f in.
func (w *walker) field(f Field, read func(f *Field)) {
	if w.r.Err() != nil {
		return
	}
	f.Offset = w.r.Offset()
	outer := w.trail[len(w.trail)-1]
	kept := w.keep && w.budget > 0
	if kept {
		w.budget--
	}
	w.trail = append(w.trail, &f)
	if len(w.trail) > maxDepth {
		w.fail(f.Offset, "", check.Errorf(check.V013, "structures in one another"))
	} else {
		read(&f)
	}
	if w.r.Err() != nil && w.failed == nil {
		w.failed = &Problem{Offset: f.Offset, Path: w.path(), Err: w.r.Err()}
	}
	w.trail = w.trail[:len(w.trail)-1]
	f.Length = w.r.Offset() - f.Offset
	if kept {
		outer.Fields = append(outer.Fields, f)
	} else {
		outer.Left++
	}
}

// fail makes a failed check the error of the field that begins at offset; label
// names it below the current one, if it is not the current one.
func (w *walker) fail(offset int, label string, err error) {
	if w.r.Err() != nil {
		return
	}
	w.r.Fail(err)
	path := w.path()
	if label != "" {
		path = join(path, label)
	}
	w.failed = &Problem{Offset: offset, Path: path, Err: err}
}

// structure reads a member that is a struct.
func (w *walker) structure(name, typ string, members func(w *walker)) {
	w.field(Field{Name: name, Type: typ}, func(*Field) { members(w) })
}

// number reads an unsigned integer of size bytes. names may be nil.
func (w *walker) number(name, typ string, size int, names func(v uint64) string) (v uint64) {
	w.element(name, typ, 0, size, names, &v)
	return v
}

func (w *walker) element(name, typ string, index, size int, names func(v uint64) string, v *uint64) {
	w.field(Field{Name: name, Type: typ, Kind: Number, Index: index}, func(f *Field) {
		if left := w.r.Len(); left < size {
			w.short(f, size, left)
			return
		}
		for _, b := range w.r.Bytes(size) {
			f.Number = f.Number<<8 | uint64(b)
		}
		if names != nil && w.keep {
			f.Text = names(f.Number)
		}
		*v = f.Number
	})
}

func (w *walker) uint32(name string) uint64 { return w.number(name, "uint32", 4, nil) }
func (w *walker) uint64(name string) uint64 { return w.number(name, "uint64", 8, nil) }

// opaque reads opaque name<V>; typ is its type where RFC 9420 gives it one.
func (w *walker) opaque(name, typ string) {
	w.field(Field{Name: name, Type: typ, Kind: Opaque}, func(f *Field) { w.bytes(f) })
}

// bytes reads the content of an opaque field.
func (w *walker) bytes(f *Field) []byte {
	sub := w.open(f)
	return sub.Rest()
}

// open reads the length of f, and returns a Reader of the content, which is
// skipped.
func (w *walker) open(f *Field) wire.Reader {
	if size, announced, ok := length(w.r.Rest()); ok && announced > w.r.Len()-size {
		w.short(f, announced, w.r.Len()-size)
	}
	sub := w.r.Vector()
	f.Broken = w.r.Err() != nil
	f.Prefix = uint8(w.r.Offset() - f.Offset - sub.Len())
	return sub
}

// length returns the length that a vector begins with and in how many bytes; ok is
// false if the Reader refuses it anyway.
func length(b []byte) (size, n int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	if size = 1 << (b[0] >> 6); size > 4 || len(b) < size {
		return 0, 0, false
	}
	n = int(b[0] & 0x3f)
	for _, c := range b[1:size] {
		n = n<<8 | int(c)
	}
	return size, n, wire.VarintLen(n) == size
}

// short fails with a field that is longer than what is left, V004.
func (w *walker) short(f *Field, needed, left int) {
	f.Broken = true
	w.fail(f.Offset, "", check.Errorf(check.V004, "%s needed, %d left", plural(needed, "byte"), left))
}

// text reads opaque bytes that are often text.
func (w *walker) text(name string) {
	w.field(Field{Name: name, Type: "opaque", Kind: Opaque}, func(f *Field) {
		if b := w.bytes(f); w.keep && !f.Broken {
			f.Text = Quote(b)
		}
	})
}

// vector reads T name<V> of at most limit elements, V013, each read by element,
// which must read something.
func (w *walker) vector(name, typ string, limit int, element func(w *walker, i int)) {
	w.field(Field{Name: name, Type: typ, Kind: Vector}, func(f *Field) {
		sub := w.open(f)
		outer := w.r
		w.r = sub
		for i := 0; !w.r.Empty(); i++ {
			if i == limit {
				w.fail(w.r.Offset(), "", check.Errorf(check.V013, "list of more than %d elements", limit))
				break
			}
			element(w, i)
		}
		outer.Join(&w.r)
		if w.r.Err() != nil {
			// The outer reader has skipped the vector; the field ends where
			// its reading did.
			outer = w.r
		}
		w.r = outer
	})
}

// structs reads a vector of structs.
func (w *walker) structs(name, typ string, limit int, members func(w *walker)) {
	w.vector(name, typ, limit, func(w *walker, i int) {
		w.field(Field{Type: typ, Index: i}, func(*Field) { members(w) })
	})
}

// numbers reads a vector of integers.
func (w *walker) numbers(name, typ string, limit, size int, names func(v uint64) string) {
	w.vector(name, typ, limit, func(w *walker, i int) {
		var v uint64
		w.element("", typ, i, size, names, &v)
	})
}

// optional reads optional<T> name, and the members of T if it is there.
func (w *walker) optional(name, typ string, index int, members func(w *walker)) (present bool) {
	w.field(Field{Name: name, Type: "optional<" + typ + ">", Kind: Optional, Index: index}, func(f *Field) {
		if present = w.r.Optional(); present {
			f.Number = 1
			members(w)
		}
	})
	return present
}

// unknown fails with an enum value that RFC 9420 does not define, V009. The value
// was read last and took size bytes.
func (w *walker) unknown(size int, name, what string, v uint64) {
	w.fail(w.r.Offset()-size, name, check.Errorf(check.V009, "unknown %s %d", what, v))
}

// content reads the content of f, an opaque field that was read. What is wrong
// inside is no error of the structure around it: it goes to w.inside.
func (w *walker) content(r wire.Reader, members func(w *walker)) {
	if w.r.Err() != nil || w.inside == nil {
		return
	}
	sub := *w
	sub.r = r
	members(&sub)
	sub.end(check.V006)
	w.budget = sub.budget
	if sub.failed != nil {
		w.addInside(*sub.failed)
	}
}

// end fails if bytes are left, with check id.
func (w *walker) end(id check.ID) {
	if n := w.r.Len(); n > 0 {
		w.fail(w.r.Offset(), "", check.As(id, check.ClassMalformed, "%s", plural(n, "trailing byte")))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return itoa(n) + " " + what + "s"
}
