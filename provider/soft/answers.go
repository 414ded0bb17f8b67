package soft

import "github.com/hardmls/hardmls/provider"

const (
	goCurves = "crypto/ecdh"
	only     = "the only one at hand"
)

// The known answers were made with crypto/hpke and the standard library, or
// with circl for X448 and Ed448, and those that a standard prints are its own.
var (
	byKDF = map[uint16]*primitive{
		provider.KDF_SHA256: {"kdf/hkdf-sha256", "crypto/sha256", "own HMAC and HKDF, without allocation", "", testKDF(kdf256, hashSHA256, okmSHA256)},
		provider.KDF_SHA384: {"kdf/hkdf-sha384", "crypto/sha512", "own HMAC and HKDF, without allocation", "", testKDF(kdf384, hashSHA384, okmSHA384)},
		provider.KDF_SHA512: {"kdf/hkdf-sha512", "crypto/sha512", "own HMAC and HKDF, without allocation", "", testKDF(kdf512, hashSHA512, okmSHA512)},
	}
	byAEAD = map[uint16]*primitive{
		provider.AEAD_AES128GCM:        {"aead/aes128gcm", "crypto/aes", "", "", testAEAD(aes128, sealedAES128)},
		provider.AEAD_AES256GCM:        {"aead/aes256gcm", "crypto/aes", "", "", testAEAD(aes256, sealedAES256)},
		provider.AEAD_CHACHA20POLY1305: {"aead/chacha20poly1305", "golang.org/x/crypto", "", "", testAEAD(chacha, sealedChaCha)},
	}
	byKEM = map[uint16]*primitive{
		provider.KEM_X25519: {"kem/x25519", "filippo.io/edwards25519, circl", "faster for base point and other points", goCurves, testKEM(1, secretX25519)},
		provider.KEM_X448:   {"kem/x448", "circl", only, "", testKEM(4, secretX448)},
		provider.KEM_P256:   {"kem/p256", goCurves, "", "", testKEM(2, secretP256)},
		provider.KEM_P384:   {"kem/p384", goCurves, "", "", testKEM(7, secretP384)},
		provider.KEM_P521:   {"kem/p521", goCurves, "", "", testKEM(5, secretP521)},
	}
	bySignature = map[provider.SignatureScheme]*primitive{
		provider.Ed25519:           {"sig/ed25519", "crypto/ed25519", "", "", testSignature(provider.Ed25519, publicEd25519, signedEd25519)},
		provider.Ed448:             {"sig/ed448", "circl", only, "", testSignature(provider.Ed448, publicEd448, signedEd448)},
		provider.ECDSA_P256_SHA256: {"sig/ecdsa-p256", "crypto/ecdsa", "", "", testSignature(provider.ECDSA_P256_SHA256, publicP256, signedP256)},
		provider.ECDSA_P384_SHA384: {"sig/ecdsa-p384", "crypto/ecdsa", "", "", testSignature(provider.ECDSA_P384_SHA384, publicP384, signedP384)},
		provider.ECDSA_P521_SHA512: {"sig/ecdsa-p521", "crypto/ecdsa", "", "", testSignature(provider.ECDSA_P521_SHA512, publicP521, signedP521)},
	}
	primitives = []*primitive{
		byKDF[provider.KDF_SHA256], byKDF[provider.KDF_SHA384], byKDF[provider.KDF_SHA512],
		byAEAD[provider.AEAD_AES128GCM], byAEAD[provider.AEAD_AES256GCM], byAEAD[provider.AEAD_CHACHA20POLY1305],
		byKEM[provider.KEM_X25519], byKEM[provider.KEM_X448],
		byKEM[provider.KEM_P256], byKEM[provider.KEM_P384], byKEM[provider.KEM_P521],
		bySignature[provider.Ed25519], bySignature[provider.Ed448],
		bySignature[provider.ECDSA_P256_SHA256], bySignature[provider.ECDSA_P384_SHA384], bySignature[provider.ECDSA_P521_SHA512],
	}
)

const (
	hashSHA256    = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	okmSHA256     = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
	hashSHA384    = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
	okmSHA384     = "9b5097a86038b805309076a44b3a9f38063e25b516dcbf369f394cfab43685f748b6457763e4f0204fc5"
	hashSHA512    = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
	okmSHA512     = "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb"
	sealedAES128  = "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"
	sealedAES256  = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
	sealedChaCha  = "9f07e7be5551387a98ba977c732d080dc34a88047320f52aa2c6683ef8084d2f"
	secretX25519  = "1ef2e204522c0b38549f5ffaddb4f626289c0e06a8451d93f0e6ababd9753cac"
	secretX448    = "525f9fa4477de941cb761df3cf0ec43dc361153f6fe38a077acf4a4d1c197325666bc8806dae61c9a46eb4bc370ad0aca21416dd94a39c951483a47685547139"
	secretP256    = "e3e6bde50c4b8c936ed405c7115809471b106e25903b8eb9a2f40de5482ae30f"
	secretP384    = "8a5e93a2ad4ef28c6395468c800920337b3aee5a9c10641cab95feb6bd023aaf49543d4434f618c1dcdd78f873e782f8"
	secretP521    = "70a45afb27b6b8757473b7c93c312f82757e4d8d6d7622f952feb131021ae9157b4250cd1cb7e8eaccede2ccbb498daf485c0e62c2a35b8806aef05fed5c4515"
	publicEd25519 = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
	signedEd25519 = "cc46d62d3754f41754b27b6ea2cb2c272bafa7a5a1f6062bd060f414e50caaeac2da66ad39cef4424a90236ea907b7d8057e3443dc5abfc9986967ee7213a407"
	publicEd448   = "18d0a70e42a742dfb561279893385061d7b4dad8f6feed4791eaab66b2f4a4f02fc09462a8bfb1842d0bac60e8a1b3e55ba2407f33226f3800"
	signedEd448   = "824d0bd89164ff94dc74449cdf96347d22291de67166901ddc348505e37e7185b59580d906b70a9a2dd7c9b7a96c3539faa4d357903ca1a40023c3683b761d292a5854a09f6dd6466f1c1b881e1a621dc04ce89cc156b8fac7d197f9cb66fbc85d8d8a049b71df4e16e12e9171e66af02b00"
	publicP256    = "047a593180860c4037c83c12749845c8ee1424dd297fadcb895e358255d2c7d2b2a8ca25580f2626fe579062ff1b99ff91c24a0da06fb32b5be20148c9249f5650"
	signedP256    = "304402204a05e96304c4da94ed91d8232b1caeba1b42721d7e5240ab4b4e77ee9d11d78e02207413cb94fd0c082f9c5314bc7b0342a0e511b451f473970534dce2419c831f6d"
	publicP384    = "04e62a3a94e407b16bff82947b56a30380269da64a130371cb641501d9b90b226a93d2e8c059b26530f025bd8d83d55613cc96e994d700581e2d9785cb2974e5e0a0937e71f09c7b51178b40cadb28e1444e387b9c2b967add040b087157c39836"
	signedP384    = "3066023100a0162749261ce7253812628663af86b178c0764ab221edcc6a5b58d7a4eb6dd6edf5a2e4e1a4fccaa47ffcd67f19e545023100cb39767efdc1ffaa1caea967c3a0a63f7ce8317a32b050373302a15e18a43bdf4667d9c2c750b7cf2747bab7617731e0"
	publicP521    = "040126f7e6a6df7087c94b0c1b0b194a85669ee810fda2eae12ca64160ded6b26c46475ebedcceae4011da8edd5c6394e0b0bd4209a15227f2574656256854a7eb6e4601b9a248cd4017ddd4c2f6cc27cf0a307a1838ee9237913d8a501760b7a638c9573b9a0a08ced30befa7a3c0938bbaaa770a7bc37dd175957cb3a45ebde3c9826eeb"
	signedP521    = "308188024200f10017aa2a3f47b738e4de0fc42b2325cfcca6b6a5af2d27ce10964e4443034b3f84cac6dbde4479f4448e789d76ae0cdd91fe6b4834a5479d740c203244b26b39024200afa06c2edcf74d033b9cee7edbfbf4652432847bd64896b3602cfd8a907f0c9ec63dfd0157f150a28d2819f1985e0e3b8103cf7f32aefef67da3a6c14006325822"
)
