// Package mls implements Messaging Layer Security, RFC 9420: groups whose
// members agree on keys that change with every epoch.
//
// # Life of a group
//
// A client publishes key packages ([NewKeyPackage]). Another creates a group
// ([NewGroup]) and adds it: [Group.Commit] makes a commit and a Welcome,
// [Group.MergePending] makes the commit the group's next epoch once the delivery
// service has accepted it, and the new member turns the Welcome into a group of
// its own ([OpenWelcome]). Members send application messages
// ([Group.AppendMessage]), propose changes ([Group.Propose]) and commit them.
// Everything that arrives goes through [Group.Process]; a commit of another
// member is staged, looked at, and merged ([Group.Merge]).
//
// # Promises
//
//   - A failed call changes nothing: the group in memory and on disk is as it was,
//     and the genuine message behind a tampered copy still opens.
//   - One storage batch per transition; memory follows after it is durable.
//   - The generation of a message is on disk before its key is used.
//   - Keys are gone after use. Application messages are always encrypted.
//   - No lock is held while a signer, a token, a store or an authenticator works.
//
// # Concurrency
//
// A Group is safe for concurrent use. Sending and receiving run in parallel;
// transitions (commits, merges, proposals) are serialised per group. Who sends
// concurrently and needs an order publishes in the order of
// [MessageInfo.Generation].
//
// # Compatibility
//
// The API follows semantic versioning. Stored records carry a version byte.
package mls
