package soft_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"

	"github.com/hardmls/hardmls/provider"
	"github.com/hardmls/hardmls/provider/providertest"
	"github.com/hardmls/hardmls/provider/soft"
)

// rfc9180 are the base mode examples of RFC 9180 Appendix A for the suites that
// MLS has too, and those of the CFRG's file for X448, which the appendix leaves
// out. info, associated data, plaintext and export context are the same in all.
var rfc9180 = []struct {
	suite                            provider.CipherSuite
	section                          string
	ikmE, ikmR, pub, enc, ct, export string
}{
	{1, "A.1",
		"7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234",
		"6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037",
		"3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
		"37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
		"f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a",
		"e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931",
	},
	{2, "A.3",
		"4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e",
		"668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550",
		"04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0",
		"04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4",
		"5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434",
		"d8f1ea7942adbba7412c6d431c62d01371ea476b823eb697e1f6e6cae1dab85a",
	},
	{3, "A.2",
		"909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b",
		"1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
		"4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
		"1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
		"1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
		"5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
	},
	{4, "",
		"39ed47496020ec7c2afc214425fc6a15fb6f1e16759c2b066265b6624c84ed50ee6c3129d9ed71318b19a96e5c5cc6b27aca5e1ae9cdc7e0",
		"93e714430d3cb00e8e8a03dd820dcbcc7f0141f93c63a7dede2dfb152b5b23982a1a55f2d86dd9e0f5a0f53b9c21605257ec1349d7f89e53",
		"d920db89afdb25df110a44cf0d7dc4e4d4b74f09ceaba5e76a12d3cafefcd962e244804a58bfd12303732be21d511f877ddc2ed694447b3d",
		"390f2971ca97d513915a2bc5aac0cb81b832d9424d2264eaa9e868d80862edd7918276883a8d0434309e049408fec2340ae5799702f948d7",
		"6a5ef0f8c88a17c6d26bee63b4468cd43360eb69804fb392d8c9b8eba2f9bd806726c7d99cb9073022000ce41a",
		"419d16ff65523a00452d37ba2fd5f2b1a9261aeb30f1b1736cc2f3febb16c884",
	},
	{5, "A.6",
		"7f06ab8215105fc46aceeb2e3dc5028b44364f960426eb0d8e4026c2f8b5d7e7a986688f1591abf5ab753c357a5d6f0440414b4ed4ede71317772ac98d9239f70904",
		"2ad954bbe39b7122529f7dde780bff626cd97f850d0784a432784e69d86eccaade43b6c10a8ffdb94bf943c6da479db137914ec835a7e715e36e45e29b587bab3bf1",
		"0401b45498c1714e2dce167d3caf162e45e0642afc7ed435df7902ccae0e84ba0f7d373f646b7738bbbdca11ed91bdeae3cdcba3301f2457be452f271fa6837580e661012af49583a62e48d44bed350c7118c0d8dc861c238c72a2bda17f64704f464b57338e7f40b60959480c0e58e6559b190d81663ed816e523b6b6a418f66d2451ec64",
		"040138b385ca16bb0d5fa0c0665fbbd7e69e3ee29f63991d3e9b5fa740aab8900aaeed46ed73a49055758425a0ce36507c54b29cc5b85a5cee6bae0cf1c21f2731ece2013dc3fb7c8d21654bb161b463962ca19e8c654ff24c94dd2898de12051f1ed0692237fb02b2f8d1dc1c73e9b366b529eb436e98a996ee522aef863dd5739d2f29b0",
		"170f8beddfe949b75ef9c387e201baf4132fa7374593dfafa90768788b7b2b200aafcc6d80ea4c795a7c5b841a",
		"f389beaac6fcf6c0d9376e20f97e364f0609a88f1bc76d7328e9104df8477013",
	},
	{6, "",
		"178e4db14a03ebf5b5205e11a3c3918431b4d4bb143b62a52bebdd61d107d23122868395cca3dbc46e98964d4c1dfdc4b0e05cbb2934d9e5",
		"1a91ec4a112661d663caad07437e07486dcc80b499c83c6bf17fb2faba77c180404d983bd32ed4284fa1aee3bb3887b61402036b058c3c8d",
		"f2fdb31a7829a6d2d78b9d8b670397457c92cb2417af37dbe0c1c12a9547e4eda9fde09fc3fe0f359bb7b4151e8a6fb592530af71d9dc0b5",
		"3d4f6aa08c635205bcd96a0791695d08638714474b4d2c0132b69e25cdb826e1a2a84bc0c40c4fc75f52051b034e0afa82b8457e28794f92",
		"4df124bd68d45b84dd5b82146597cdab8b56ab618166f814c2fe98ce35f43b09917283a58810aac71e852bff0a",
		"f4b7df9f1f608657f97084d9847cab976e88083fd2d35f3636dcaa9a14ce62e5",
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC9180 seals with the example's randomness, byte for byte, and opens.
func TestRFC9180(t *testing.T) {
	info, ad := unhex(t, "4f6465206f6e2061204772656369616e2055726e"), unhex(t, "436f756e742d30")
	plaintext, label := unhex(t, "4265617574792069732074727574682c20747275746820626561757479"), unhex(t, "54657374436f6e74657874")
	ctx := context.Background()
	for _, v := range rfc9180 {
		s, err := soft.New(soft.Options{Rand: bytes.NewReader(bytes.Repeat(unhex(t, v.ikmE), 2))}).Suite(v.suite)
		if err != nil {
			t.Fatal(err)
		}
		key, err := s.HPKE().DeriveKey(unhex(t, v.ikmR))
		if err != nil || hex.EncodeToString(key.Public()) != v.pub {
			t.Errorf("%v: DeriveKey: %v", v.suite, err)
			continue
		}
		j := provider.SealJob{Pub: key.Public(), Plaintext: plaintext, Enc: make([]byte, s.Params().Nenc), CT: make([]byte, len(plaintext)+16)}
		if err := s.HPKE().SealMany(info, ad, []provider.SealJob{j}); err != nil ||
			hex.EncodeToString(j.Enc) != v.enc || hex.EncodeToString(j.CT) != v.ct {
			t.Errorf("%v: SealMany: %v", v.suite, err)
		}
		got, err := s.HPKE().Open(ctx, nil, key, unhex(t, v.enc), info, ad, unhex(t, v.ct))
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%v: Open: %v", v.suite, err)
		}
		enc, out := make([]byte, s.Params().Nenc), make([]byte, 32)
		if err := s.HPKE().ExportTo(key.Public(), info, label, enc, out); err != nil ||
			hex.EncodeToString(enc) != v.enc || hex.EncodeToString(out) != v.export {
			t.Errorf("%v: ExportTo: %v", v.suite, err)
		}
		clear(out)
		if err := s.HPKE().ExportFrom(ctx, key, enc, info, label, out); err != nil || hex.EncodeToString(out) != v.export {
			t.Errorf("%v: ExportFrom: %v", v.suite, err)
		}
	}
}

// TestSealManyShortRand: randomness that ends in the second of three jobs
// leaves nothing of the first.
func TestSealManyShortRand(t *testing.T) {
	s, err := soft.New(soft.Options{Rand: bytes.NewReader(make([]byte, 40))}).Suite(1)
	if err != nil {
		t.Fatal(err)
	}
	_, other := bind(t, 1)
	key, err := other.HPKE().DeriveKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var jobs []provider.SealJob
	for range 3 {
		jobs = append(jobs, provider.SealJob{Pub: key.Public(), Plaintext: []byte{1}, Enc: make([]byte, 32), CT: make([]byte, 17)})
	}
	if err := s.HPKE().SealMany(nil, nil, jobs); err == nil {
		t.Fatal("no error")
	}
	for i, j := range jobs {
		if !bytes.Equal(j.Enc, make([]byte, 32)) || !bytes.Equal(j.CT, make([]byte, 17)) {
			t.Errorf("output of job %d is left", i)
		}
	}
}

// FuzzOpen opens arbitrary bytes: nothing panics, and nothing opens but what
// was sealed.
func FuzzOpen(f *testing.F) {
	type recipient struct {
		s   provider.Suite
		key provider.DecryptionKey
		job provider.SealJob
	}
	var all []recipient
	for _, id := range provider.CipherSuites() {
		s, err := soft.New(soft.Options{Rand: providertest.NewRand(uint64(id))}).Suite(id) // the same in every process
		if err != nil {
			f.Fatal(err)
		}
		key, err := s.HPKE().DeriveKey(make([]byte, 66))
		if err != nil {
			f.Fatal(err)
		}
		j := provider.SealJob{Pub: key.Public(), Plaintext: []byte("plaintext"), Enc: make([]byte, s.Params().Nenc), CT: make([]byte, 25)}
		if err := s.HPKE().SealMany([]byte("info"), []byte("ad"), []provider.SealJob{j}); err != nil {
			f.Fatal(err)
		}
		all = append(all, recipient{s, key, j})
		f.Add(byte(id-1), []byte(j.Enc), []byte("info"), []byte("ad"), []byte(j.CT))
		f.Add(byte(id-1), []byte(nil), []byte(nil), []byte(nil), []byte(nil))
		f.Add(byte(id-1), make([]byte, s.Params().Nenc), []byte(nil), []byte(nil), make([]byte, 16))
	}
	f.Fuzz(func(t *testing.T, i byte, enc, info, ad, ct []byte) {
		r := all[int(i)%len(all)]
		got, err := r.s.HPKE().Open(context.Background(), nil, r.key, enc, info, ad, ct)
		sealed := bytes.Equal(enc, r.job.Enc) && bytes.Equal(ct, r.job.CT) && string(info) == "info" && string(ad) == "ad"
		if sealed != (err == nil) {
			t.Errorf("%x opens: %v", ct, err)
		}
		if err != nil && (got != nil || err != provider.ErrDecrypt) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		r.s.HPKE().CheckPublicKey(enc)
		r.s.HPKE().ParseKey(enc)
		r.s.CheckSignatureKey(enc)
		r.s.Verify(enc, ad, ct)
	})
}
