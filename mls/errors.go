package mls

import (
	"context"
	"errors"
	"fmt"

	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/secrettree"
)

// States that a caller acts on. Each is found by errors.Is.
var (
	// ErrUseAfterEviction: this client was removed from the group. Nothing
	// but Outbox, Sent and Delete is possible. Delete the group before it is
	// joined again.
	ErrUseAfterEviction = errors.New("mls: removed from the group")
	// ErrPendingProposal: proposals wait for a commit, so application data
	// may not be sent (RFC 9420 §12.4). Commit them, or discard them.
	ErrPendingProposal = errors.New("mls: proposals are pending: commit or clear them first")
	// ErrPendingProposalNotFound: no stored proposal has that reference.
	ErrPendingProposalNotFound = errors.New("mls: no such pending proposal")
	// ErrPendingCommit: a commit of this client is pending. Merge or discard
	// it first.
	ErrPendingCommit = errors.New("mls: a commit is pending: merge or discard it first")
	// ErrNoPendingCommit: there is no pending commit to merge or discard.
	ErrNoPendingCommit = errors.New("mls: no pending commit")
	// ErrReInitialized: the group was closed by a re-init commit (RFC 9420
	// §11.2). Go on in its successor: see Group.Successor.
	ErrReInitialized = errors.New("mls: group was re-initialised")
	// ErrNotReInitialized: only a re-initialised group has a successor.
	ErrNotReInitialized = errors.New("mls: group was not re-initialised")
	// ErrFenced: another owner of the same store has written this group.
	// Load it again.
	ErrFenced = errors.New("mls: another owner has written the group: load it again")
	// ErrClosed: the group was closed or deleted.
	ErrClosed = errors.New("mls: group is closed")
	// ErrGroupExists: the store has a group of this id already.
	ErrGroupExists = errors.New("mls: group exists")
	// ErrGroupNotFound: the store has no group of this id.
	ErrGroupNotFound = errors.New("mls: no such group")
	// ErrEpochChanged: the group moved on under a send three times in a row.
	// Nothing was sent; try again.
	ErrEpochChanged = errors.New("mls: epoch changed while sending")
	// ErrEpochGone: the message's epoch is over and no longer kept.
	ErrEpochGone = errors.New("mls: epoch is no longer kept")
	// ErrEpochConflict: the base of a commit is no longer the current epoch;
	// the error is an *EpochConflictError.
	ErrEpochConflict = errors.New("mls: another commit won the epoch")
	// ErrStagedUsed: the staged object was merged or discarded before.
	ErrStagedUsed = errors.New("mls: staged object was used already")
	// ErrNotApplication: the message holds no application data; use Process.
	ErrNotApplication = errors.New("mls: not an application message")
	// ErrEncrypted: an observer can't read a PrivateMessage.
	ErrEncrypted = errors.New("mls: encrypted message: only members can read it")
	// ErrOwnMessage: the message was sent by this client and can't be opened
	// by it; nothing about it is authenticated.
	ErrOwnMessage = errors.New("mls: own message")
	// ErrDiscardedCommit: a commit of this client came back that is neither
	// pending nor merged: it was discarded here, yet the delivery service has
	// taken it. If that is so, the others have gone on without this client:
	// join again by an external commit, or be added again.
	ErrDiscardedCommit = errors.New("mls: own commit that was discarded: if it was accepted, the group went on without this client")
	// ErrMessageTooLong: the plaintext exceeds Config.MaxMessage or the
	// format, or a received message Config.MaxReceive. No key was spent.
	ErrMessageTooLong = errors.New("mls: message too long")
	// ErrPartition: the key packages of ReAdd are not those of exactly the
	// members on the other side.
	ErrPartition = errors.New("mls: key packages do not fit the other partition")
	// ErrFork: a message of a kept epoch was not protected with the keys of
	// that epoch: it was damaged or forged, or its sender is on the other side
	// of a fork. Who has no keys of the epoch can't cause any other error, so
	// it tells an attacker nothing. It is an ErrDecrypt as well.
	ErrFork error = forkError{}
	// ErrCertificateKey is what an Authenticator wraps to say that the first
	// certificate of an X.509 credential is for another key than the leaf's
	// (check V042). Package x509auth does.
	ErrCertificateKey = errors.New("mls: certificate is for another key")
	// ErrNoKeyPackage: no stored key package fits the Welcome.
	ErrNoKeyPackage = errors.New("mls: no stored key package fits the welcome")
	// ErrNoRatchetTree: the GroupInfo has no tree and none was given.
	ErrNoRatchetTree = errors.New("mls: ratchet tree needed: neither given nor in the group info")
	// ErrSignerNotFound: a SignerSource has no signer for the key asked for.
	ErrSignerNotFound = errors.New("mls: no signer for this key")
)

// Refusals of the sender ratchets, RFC 9420 §9. They are also of class
// ErrRatchet.
var (
	// ErrTooDistantInThePast: the generation is older than the window of
	// out-of-order messages; its key is gone.
	ErrTooDistantInThePast = secrettree.ErrTooDistantInThePast
	// ErrTooDistantInTheFuture: the generation is further ahead than the
	// forward limit. Nothing was derived.
	ErrTooDistantInTheFuture = secrettree.ErrTooDistantInTheFuture
	// ErrSecretReuse: the key of this generation was used: a replay.
	ErrSecretReuse = secrettree.ErrSecretReuse
	// ErrRatchetTooLong: the sender's generations are used up.
	ErrRatchetTooLong = secrettree.ErrRatchetTooLong
)

// Classes of failed checks. A *ValidationError is of exactly one class.
var (
	ErrMalformed   = check.ErrMalformed
	ErrUnsupported = check.ErrUnsupported
	ErrGroup       = check.ErrGroup
	ErrEpoch       = check.ErrEpoch
	ErrWire        = check.ErrWire
	ErrSender      = check.ErrSender
	ErrLeaf        = check.ErrLeaf
	ErrKeyPackage  = check.ErrKeyPackage
	ErrCredential  = check.ErrCredential
	ErrTree        = check.ErrTree
	ErrProposal    = check.ErrProposal
	ErrList        = check.ErrList
	ErrPath        = check.ErrPath
	ErrPSK         = check.ErrPSK
	ErrWelcome     = check.ErrWelcome
	ErrGroupInfo   = check.ErrGroupInfo
	ErrRatchet     = check.ErrRatchet
	ErrState       = check.ErrState
	ErrLimit       = check.ErrLimit
	ErrProvider    = check.ErrProvider

	// ErrDecrypt is the one answer to whatever does not authenticate: a
	// signature, a MAC, an AEAD, sender data. It carries no check and no
	// detail, so it is no oracle.
	ErrDecrypt = check.ErrAuth
)

// A ValidationError is a check of RFC 9420 that received or given data failed.
// errors.Is finds its class, such as ErrTree.
type ValidationError struct {
	Check    Check
	Leaf     int64 // the leaf index concerned, -1 if none
	Proposal int   // the position in the proposal list, -1 if none
	Err      error // the failure in full
}

// Error implements error.
func (e *ValidationError) Error() string { return "mls: " + e.Err.Error() }

// Unwrap returns Err.
func (e *ValidationError) Unwrap() error { return e.Err }

// A Check is the number of one check, as docs/validation.md lists them.
type Check uint16

// String returns the number in its usual form, "V042".
func (c Check) String() string { return check.ID(c).String() }

// Section returns the section of RFC 9420 that demands the check.
func (c Check) Section() string { return check.ID(c).Section() }

// OpenMLS returns OpenMLS's identifiers of the same check, "" if it has none.
func (c Check) OpenMLS() string { return check.ID(c).OpenMLS() }

// An EpochConflictError is a commit that lost the race for its epoch.
// errors.Is(err, ErrEpochConflict) holds.
type EpochConflictError struct {
	Base   uint64 // the epoch that the commit was made for
	Epoch  uint64 // the epoch that the group is in
	Winner []byte // hash of the commit that was merged instead; nil if unknown
}

// Error implements error.
func (e *EpochConflictError) Error() string {
	return fmt.Sprintf("mls: commit for epoch %d lost: the group is in epoch %d", e.Base, e.Epoch)
}

// Is reports whether target is ErrEpochConflict.
func (e *EpochConflictError) Is(target error) bool { return target == ErrEpochConflict }

// A StorageError is a failure of the store. The group is as it was before, in
// memory and on disk, unless errors.Is(err, provider.ErrOutcomeUnknown): then
// the next call finds out first.
type StorageError struct {
	Op  string // "apply", "get", "scan", "version"
	Err error
}

// Error implements error.
func (e *StorageError) Error() string { return "mls: storage " + e.Op + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *StorageError) Unwrap() error { return e.Err }

// A SignerError is a failure of the signer. No generation was used.
type SignerError struct{ Err error }

// Error implements error.
func (e *SignerError) Error() string { return "mls: signer: " + e.Err.Error() }

// Unwrap returns Err.
func (e *SignerError) Unwrap() error { return e.Err }

// A KeyError is a failure of the custody of private keys.
type KeyError struct {
	Op  string // "generate", "load", "open", "delete"
	Err error
}

// Error implements error.
func (e *KeyError) Error() string { return "mls: key " + e.Op + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }

// A RandomError is a failure of the source of randomness. Nothing was sent.
type RandomError struct{ Err error }

// Error implements error.
func (e *RandomError) Error() string { return "mls: randomness: " + e.Err.Error() }

// Unwrap returns Err.
func (e *RandomError) Unwrap() error { return e.Err }

// Is reports whether target is ErrProvider.
func (e *RandomError) Is(target error) bool { return target == ErrProvider }

// A PSKError names pre-shared keys that are not in the store. Nothing was
// consumed: put them with PutPSK and process the message again.
type PSKError struct{ IDs []PSKID }

// Error implements error.
func (e *PSKError) Error() string {
	return fmt.Sprintf("mls: %d pre-shared keys are not in the store", len(e.IDs))
}

// Is reports whether target is ErrPSK.
func (e *PSKError) Is(target error) bool { return target == ErrPSK }

// A RecordError is a stored record that does not decode or does not fit the
// others. The store was damaged, or written by a newer version.
type RecordError struct {
	Record string // which one, such as "head"
	Err    error
}

// Error implements error.
func (e *RecordError) Error() string { return "mls: stored " + e.Record + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *RecordError) Unwrap() error { return e.Err }

// public turns an error of the packages below into the one a caller sees.
func public(err error) error {
	var ce *check.Error
	if errors.As(err, &ce) {
		var ve *ValidationError
		if errors.As(err, &ve) {
			return err
		}
		return &ValidationError{Check: Check(ce.Check), Leaf: ce.Leaf, Proposal: ce.Proposal, Err: err}
	}
	return err
}

func storageError(op string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("mls: storage %s: %w", op, err)
	}
	return &StorageError{Op: op, Err: err}
}

// An InternalError is a broken invariant of this package, and worth a report.
type InternalError struct{ Err error }

// Error implements error.
func (e *InternalError) Error() string { return "mls: internal error: " + e.Err.Error() }

// Unwrap returns Err.
func (e *InternalError) Unwrap() error { return e.Err }
