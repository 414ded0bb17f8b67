package mem

import (
	"bytes"

	"github.com/hardmls/hardmls/provider"
)

// apply is Apply under the lock. Everything that can fail comes first.
func (s *Store) apply(b *provider.Batch) error {
	if err := s.admit(b); err != nil {
		return err
	}
	var keyBytes, valueBytes int
	for _, k := range b.Drop {
		s.key = provider.AppendPrefix(s.key[:0], k)
		keyBytes += len(s.key)
		s.drop(s.key)
	}
	for _, k := range b.Delete {
		s.key = provider.AppendKey(s.key[:0], k)
		keyBytes += len(s.key)
		s.delete(s.key)
	}
	for _, r := range b.Put {
		s.key = provider.AppendKey(s.key[:0], r.Key)
		keyBytes += len(s.key)
		valueBytes += len(r.Value)
		s.put(s.key, r.Value)
	}
	s.advance(b.Group, b.Expect+1)
	for _, k := range b.Drop {
		if namesGroup(k) && !puts(b, k.Group) {
			delete(s.versions, string(k.Group))
		}
	}
	s.stats.Batches++
	s.stats.Puts += int64(len(b.Put))
	s.stats.KeyBytes += int64(keyBytes)
	s.stats.ValueBytes += int64(valueBytes)
	return nil
}

// admit returns why b cannot be applied, or nil.
func (s *Store) admit(b *provider.Batch) error {
	if s.closed {
		return provider.ErrClosed
	}
	if len(b.Group) > 0 && s.version(b.Group) != b.Expect {
		if b.Expect == 0 {
			return provider.ErrGroupExists
		}
		return provider.ErrConflict
	}
	for _, k := range b.Drop {
		if len(k.Group) == 0 && k.Kind == 0 {
			return provider.ErrDropAll
		}
	}
	for _, k := range b.Require {
		s.key = provider.AppendKey(s.key[:0], k)
		if s.records[string(s.key)] == nil {
			return provider.ErrConflict
		}
	}
	return nil
}

// version returns the version of group, 0 if there is none.
func (s *Store) version(group []byte) uint64 {
	if v := s.versions[string(group)]; v != nil {
		return *v
	}
	return 0
}

// advance sets the version of group, unless that is empty.
func (s *Store) advance(group []byte, version uint64) {
	if len(group) == 0 {
		return
	}
	if v := s.versions[string(group)]; v != nil {
		*v = version
		return
	}
	s.versions[string(group)] = new(version)
}

// namesGroup reports whether k, as a prefix, is a whole group and no more.
func namesGroup(k provider.Key) bool { return len(k.Group) > 0 && k.Epoch == 0 && k.Kind == 0 }

// puts reports whether b puts a record of group.
func puts(b *provider.Batch, group []byte) bool {
	for i := range b.Put {
		if bytes.Equal(b.Put[i].Key.Group, group) {
			return true
		}
	}
	return false
}

// put sets key to a copy of value. A value that is replaced leaves no byte.
func (s *Store) put(key, value []byte) {
	n := s.records[string(key)]
	if n == nil {
		n = s.order.insert(string(key))
		s.records[n.key] = n
	}
	n.set(value)
}

func (s *Store) delete(key []byte) {
	n := s.records[string(key)]
	if n == nil {
		return
	}
	s.order.remove(n)
	delete(s.records, n.key)
	n.set(nil)
}

// drop removes every record whose encoded key begins with prefix.
func (s *Store) drop(prefix []byte) {
	for n := s.order.cut(string(prefix)); n != nil; n = n.next[0] {
		delete(s.records, n.key)
		n.set(nil)
	}
}
