package inspect

import (
	"github.com/hardmls/hardmls/internal/check"
	"github.com/hardmls/hardmls/internal/proto"
	"github.com/hardmls/hardmls/internal/treemath"
)

// The structures of RFC 9420, in its order of fields and with its names. Checks
// are those of package proto, and so are the bounds of lists, V013.
const (
	maxMembers      = treemath.MaxLeaves
	maxNodes        = 2*treemath.MaxLeaves - 1
	maxProposals    = 1 << 16
	maxPathNodes    = 32
	maxExtensions   = 1 << 10
	maxCapabilities = 1 << 12
	maxCertificates = 1 << 6
	maxSenders      = 1 << 12
)

func version(w *walker) {
	if v := w.number("version", "ProtocolVersion", 2, versionName); v != uint64(proto.MLS10) {
		w.fail(w.r.Offset()-2, "version", check.Errorf(check.V007, "protocol version %d", v))
	}
}

func cipherSuite(w *walker) { w.number("cipher_suite", "CipherSuite", 2, suiteName) }

// mlsMessage is MLSMessage, RFC 9420 §6.
func mlsMessage(w *walker) {
	version(w)
	switch v := w.number("wire_format", "WireFormat", 2, wireFormatName); proto.WireFormat(v) {
	case proto.WireFormatPublicMessage:
		w.structure("public_message", "PublicMessage", publicMessage)
	case proto.WireFormatPrivateMessage:
		w.structure("private_message", "PrivateMessage", privateMessage)
	case proto.WireFormatWelcome:
		w.structure("welcome", "Welcome", welcome)
	case proto.WireFormatGroupInfo:
		w.structure("group_info", "GroupInfo", groupInfo)
	case proto.WireFormatKeyPackage:
		w.structure("key_package", "KeyPackage", keyPackage)
	default:
		w.fail(w.r.Offset()-2, "wire_format", check.Errorf(check.V008, "wire format %d", v))
	}
}

// publicMessage is PublicMessage, RFC 9420 §6.2.
func publicMessage(w *walker) {
	sender, content := framedContent(w)
	authData(w, content)
	if sender == proto.SenderTypeMember {
		w.opaque("membership_tag", "MAC")
	}
}

// privateMessage is PrivateMessage, RFC 9420 §6.3.
func privateMessage(w *walker) {
	w.text("group_id")
	w.uint64("epoch")
	contentType(w)
	w.text("authenticated_data")
	w.opaque("encrypted_sender_data", "opaque")
	w.opaque("ciphertext", "opaque")
}

// authenticatedContent is AuthenticatedContent, RFC 9420 §6.1.
func authenticatedContent(w *walker) {
	v := proto.WireFormat(w.number("wire_format", "WireFormat", 2, wireFormatName))
	if v != proto.WireFormatPublicMessage && v != proto.WireFormatPrivateMessage {
		w.fail(w.r.Offset()-2, "wire_format", check.Errorf(check.V008, "wire format %d", v))
	}
	_, content := framedContent(w)
	authData(w, content)
}

// framedContent is FramedContent, RFC 9420 §6, as the member content.
func framedContent(w *walker) (sender proto.SenderType, content proto.ContentType) {
	w.structure("content", "FramedContent", func(w *walker) {
		w.text("group_id")
		w.uint64("epoch")
		w.structure("sender", "Sender", func(w *walker) {
			sender = proto.SenderType(w.number("sender_type", "SenderType", 1, senderTypeName))
			switch sender {
			case proto.SenderTypeMember:
				w.uint32("leaf_index")
			case proto.SenderTypeExternal:
				w.uint32("sender_index")
			case proto.SenderTypeNewMemberProposal, proto.SenderTypeNewMemberCommit:
			default:
				w.unknown(1, "sender_type", "sender type", uint64(sender))
			}
		})
		w.text("authenticated_data")
		content = contentType(w)
		switch content {
		case proto.ContentTypeApplication:
			w.text("application_data")
		case proto.ContentTypeProposal:
			w.structure("proposal", "Proposal", aProposal)
		case proto.ContentTypeCommit:
			w.structure("commit", "Commit", commit)
		}
	})
	return sender, content
}

func contentType(w *walker) proto.ContentType {
	t := proto.ContentType(w.number("content_type", "ContentType", 1, contentTypeName))
	if t < proto.ContentTypeApplication || t > proto.ContentTypeCommit {
		w.unknown(1, "content_type", "content type", uint64(t))
	}
	return t
}

// authData is FramedContentAuthData, RFC 9420 §6.1, as the member auth.
func authData(w *walker, t proto.ContentType) {
	w.structure("auth", "FramedContentAuthData", func(w *walker) {
		w.opaque("signature", "opaque")
		if t == proto.ContentTypeCommit {
			w.opaque("confirmation_tag", "MAC")
		}
	})
}

// aProposal is Proposal, RFC 9420 §12.1. The content of a type that it does not
// define is one opaque vector, as in package proto.
func aProposal(w *walker) {
	switch t := w.number("proposal_type", "ProposalType", 2, proposalTypeName); proto.ProposalType(t) {
	case proto.ProposalTypeAdd:
		w.structure("add", "Add", add)
	case proto.ProposalTypeUpdate:
		w.structure("update", "Update", update)
	case proto.ProposalTypeRemove:
		w.structure("remove", "Remove", remove)
	case proto.ProposalTypePSK:
		w.structure("psk", "PreSharedKey", preSharedKey)
	case proto.ProposalTypeReInit:
		w.structure("reinit", "ReInit", reInit)
	case proto.ProposalTypeExternalInit:
		w.structure("external_init", "ExternalInit", externalInit)
	case proto.ProposalTypeGroupContextExtensions:
		w.structure("group_context_extensions", "GroupContextExtensions", groupContextExtensions)
	case 0:
		w.unknown(2, "proposal_type", "proposal type", 0)
	default:
		if proto.IsGREASE(uint16(t)) {
			w.fail(w.r.Offset()-2, "proposal_type", check.Errorf(check.V029, "proposal type %d", t))
		}
		w.opaque("content", "opaque")
	}
}

// The contents of proposals, RFC 9420 §12.1.1 to §12.1.7.

func add(w *walker)    { w.structure("key_package", "KeyPackage", keyPackage) }
func update(w *walker) { w.structure("leaf_node", "LeafNode", leafNode) }
func remove(w *walker) { w.uint32("removed") }

func preSharedKey(w *walker) { w.structure("psk", "PreSharedKeyID", preSharedKeyID) }

func reInit(w *walker) {
	w.text("group_id")
	w.number("version", "ProtocolVersion", 2, versionName)
	cipherSuite(w)
	extensions(w, proto.PlaceGroupContext)
}

func externalInit(w *walker) { w.opaque("kem_output", "opaque") }

func groupContextExtensions(w *walker) { extensions(w, proto.PlaceGroupContext) }

// preSharedKeyID is PreSharedKeyID, RFC 9420 §8.4.
func preSharedKeyID(w *walker) {
	switch t := w.number("psktype", "PSKType", 1, pskTypeName); proto.PSKType(t) {
	case proto.PSKTypeExternal:
		w.text("psk_id")
	case proto.PSKTypeResumption:
		u := proto.ResumptionPSKUsage(w.number("usage", "ResumptionPSKUsage", 1, pskUsageName))
		if u < proto.ResumptionPSKUsageApplication || u > proto.ResumptionPSKUsageBranch {
			w.unknown(1, "usage", "resumption PSK usage", uint64(u))
		}
		w.text("psk_group_id")
		w.uint64("psk_epoch")
	default:
		w.unknown(1, "psktype", "PSK type", t)
	}
	w.opaque("psk_nonce", "opaque")
}

// commit is Commit, RFC 9420 §12.4.
func commit(w *walker) {
	w.structs("proposals", "ProposalOrRef", maxProposals, func(w *walker) {
		switch t := w.number("type", "ProposalOrRefType", 1, proposalOrRefName); t {
		case 1:
			w.structure("proposal", "Proposal", aProposal)
		case 2:
			w.opaque("reference", "ProposalRef")
		default:
			w.unknown(1, "type", "ProposalOrRef type", t)
		}
	})
	w.optional("path", "UpdatePath", 0, updatePath)
}

// updatePath is UpdatePath, RFC 9420 §7.6.
func updatePath(w *walker) {
	w.structure("leaf_node", "LeafNode", leafNode)
	w.structs("nodes", "UpdatePathNode", maxPathNodes, func(w *walker) {
		w.opaque("encryption_key", "HPKEPublicKey")
		w.structs("encrypted_path_secret", "HPKECiphertext", maxMembers, hpkeCiphertext)
	})
}

func hpkeCiphertext(w *walker) {
	w.opaque("kem_output", "opaque")
	w.opaque("ciphertext", "opaque")
}

// welcome is Welcome, RFC 9420 §12.4.3.1.
func welcome(w *walker) {
	cipherSuite(w)
	w.structs("secrets", "EncryptedGroupSecrets", maxMembers, func(w *walker) {
		w.opaque("new_member", "KeyPackageRef")
		w.structure("encrypted_group_secrets", "HPKECiphertext", hpkeCiphertext)
	})
	w.opaque("encrypted_group_info", "opaque")
}

// groupInfo is GroupInfo, RFC 9420 §12.4.3.
func groupInfo(w *walker) {
	w.structure("group_context", "GroupContext", groupContext)
	extensions(w, proto.PlaceGroupInfo)
	w.opaque("confirmation_tag", "MAC")
	leafIndex(w, w.uint32("signer"), "signer")
	w.opaque("signature", "opaque")
}

// leafIndex checks a leaf index that was read last, V017.
func leafIndex(w *walker, i uint64, name string) {
	if i >= treemath.MaxLeaves {
		w.fail(w.r.Offset()-4, name, check.Errorf(check.V017, "leaf index %d", i))
	}
}

// groupContext is GroupContext, RFC 9420 §8.1.
func groupContext(w *walker) {
	version(w)
	cipherSuite(w)
	w.text("group_id")
	w.uint64("epoch")
	w.opaque("tree_hash", "opaque")
	w.opaque("confirmed_transcript_hash", "opaque")
	extensions(w, proto.PlaceGroupContext)
}

// keyPackage is KeyPackage, RFC 9420 §10.
func keyPackage(w *walker) {
	version(w)
	cipherSuite(w)
	w.opaque("init_key", "HPKEPublicKey")
	w.structure("leaf_node", "LeafNode", leafNode)
	extensions(w, proto.PlaceKeyPackage)
	w.opaque("signature", "opaque")
}

// leafNode is LeafNode, RFC 9420 §7.2.
func leafNode(w *walker) {
	w.opaque("encryption_key", "HPKEPublicKey")
	w.opaque("signature_key", "SignaturePublicKey")
	w.structure("credential", "Credential", credential)
	w.structure("capabilities", "Capabilities", func(w *walker) {
		w.numbers("versions", "ProtocolVersion", maxCapabilities, 2, versionName)
		w.numbers("cipher_suites", "CipherSuite", maxCapabilities, 2, suiteName)
		w.numbers("extensions", "ExtensionType", maxCapabilities, 2, extensionName)
		w.numbers("proposals", "ProposalType", maxCapabilities, 2, proposalTypeName)
		w.numbers("credentials", "CredentialType", maxCapabilities, 2, credentialName)
	})
	switch s := w.number("leaf_node_source", "LeafNodeSource", 1, leafSourceName); proto.LeafNodeSource(s) {
	case proto.LeafNodeSourceKeyPackage:
		w.structure("lifetime", "Lifetime", func(w *walker) {
			w.number("not_before", "uint64", 8, dateName)
			w.number("not_after", "uint64", 8, dateName)
		})
	case proto.LeafNodeSourceUpdate:
	case proto.LeafNodeSourceCommit:
		w.opaque("parent_hash", "opaque")
	default:
		w.unknown(1, "leaf_node_source", "leaf node source", s)
	}
	extensions(w, proto.PlaceLeafNode)
	w.opaque("signature", "opaque")
}

// credential is Credential, RFC 9420 §5.3.
func credential(w *walker) {
	switch t := w.number("credential_type", "CredentialType", 2, credentialName); proto.CredentialType(t) {
	case proto.CredentialTypeBasic:
		w.text("identity")
	case proto.CredentialTypeX509:
		w.structs("certificates", "Certificate", maxCertificates, func(w *walker) {
			w.opaque("cert_data", "opaque")
		})
	default:
		w.fail(w.r.Offset()-2, "credential_type", check.As(check.V029, check.ClassUnsupported, "credential type %d", t))
	}
}

// parentNode is ParentNode, RFC 9420 §7.1.
func parentNode(w *walker) {
	w.opaque("encryption_key", "HPKEPublicKey")
	w.opaque("parent_hash", "opaque")
	start, sorted, last := w.r.Offset(), true, uint64(0)
	w.vector("unmerged_leaves", "uint32", maxMembers, func(w *walker, i int) {
		var v uint64
		w.element("", "uint32", i, 4, nil, &v)
		leafIndex(w, v, "["+itoa(i)+"]")
		sorted = sorted && (i == 0 || last < v)
		last = v
	})
	if !sorted {
		w.fail(start, "unmerged_leaves", check.Errorf(check.V014, "unmerged leaves are not strictly increasing"))
	}
}

// ratchetTree is the content of the ratchet_tree extension, RFC 9420 §12.4.3.3.
func ratchetTree(w *walker) {
	start, blank := w.r.Offset(), true
	w.vector("ratchet_tree", "optional<Node>", maxNodes, func(w *walker, i int) {
		at := w.r.Offset()
		var t uint64
		blank = !w.optional("", "Node", i, func(w *walker) {
			switch t = w.number("node_type", "NodeType", 1, nodeTypeName); t {
			case 1:
				w.structure("leaf_node", "LeafNode", leafNode)
			case 2:
				w.structure("parent_node", "ParentNode", parentNode)
			default:
				w.unknown(1, "node_type", "node type", t)
			}
		})
		if t == 1 && i%2 == 1 || t == 2 && i%2 == 0 {
			w.fail(at, "["+itoa(i)+"]", check.Errorf(check.V015, "node %d is of the wrong type", i))
		}
	})
	w.end(check.V006)
	if blank {
		w.fail(start, "ratchet_tree", check.Errorf(check.V016, "ratchet tree is empty or ends with a blank node"))
	}
}
