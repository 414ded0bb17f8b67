// Package proposal decides what a group's members may change and applies it:
// RFC 9420 §5.3.1, 7.2–7.3, 10.1, 11.1, 12.1–12.3 and 14.
//
// It is a set of functions over immutable values. It knows no group, takes no
// lock, opens no PSK and asks no authentication service: what the application
// has to authenticate comes back as CredentialChecks.
//
// A commit goes through three steps, by its creator and by each receiver alike:
//
//	Resolve       references → the proposals they name, each with its sender
//	ValidateList  §12.2: each proposal alone, then all of them together
//	Apply         §12.3: the edited tree, the new extensions, what to do next
//
// and a commit with a path through a fourth, ValidatePathLeaf, once the
// committer's leaf in the new tree is known.
//
// A list of n proposals is validated in time linear in n, plus one pass over
// the members where the list adds members or changes what members must support.
//
// A failed check is an *check.Error that names the proposal's position or the
// leaf it concerns, or check.ErrAuth for a signature.
package proposal
