package workload

import (
	"context"

	"github.com/hardmls/hardmls/mls"
)

// messageRoom is what a message takes besides its plaintext, at most.
const messageRoom = 4096

func sendMessage(s Setup) (*Run, error) {
	cfg := Config(s.Suite)
	p, err := NewPair(s, cfg)
	if err != nil {
		return nil, err
	}
	alice := p.Alice
	if s.Null {
		if alice, err = p.WithNullSigner(cfg); err != nil {
			return nil, err
		}
	}
	f, err := NewFloor(s)
	if err != nil {
		return nil, err
	}
	ctx, plaintext, dst := context.Background(), make([]byte, s.Size), make([]byte, 0, s.Size+messageRoom)
	return &Run{
		Op: func() error {
			_, err := alice.AppendMessage(ctx, dst, plaintext, mls.MessageOptions{})
			return err
		},
		Floor: f.Send,
	}, nil
}

func sendUnsigned(s Setup) (*Run, error) {
	s.Null = true
	return sendMessage(s)
}

func receiveMessage(s Setup) (*Run, error) {
	p, err := NewPair(s, Config(s.Suite))
	if err != nil {
		return nil, err
	}
	f, err := NewFloor(s)
	if err != nil {
		return nil, err
	}
	if err := f.Send(); err != nil {
		return nil, err
	}
	ctx, plaintext, dst := context.Background(), make([]byte, s.Size), make([]byte, 0, s.Size+messageRoom)
	var msgs [][]byte
	next := 0
	return &Run{
		Prepare: func(n int) error {
			for len(msgs) < n {
				msgs = append(msgs, make([]byte, 0, s.Size+messageRoom))
			}
			next = 0
			for i := range n {
				var err error
				if msgs[i], err = p.Alice.AppendMessage(ctx, msgs[i][:0], plaintext, mls.MessageOptions{}); err != nil {
					return err
				}
			}
			return nil
		},
		Op: func() error {
			_, err := p.Bob.OpenMessage(ctx, dst, msgs[next], nil)
			next++
			return err
		},
		Floor: f.Receive,
		Most:  max(1, min(256, (16<<20)/(s.Size+1))), // messages are held in memory
	}, nil
}
