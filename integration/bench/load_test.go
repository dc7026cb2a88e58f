package bench_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	callers     = 32
	connections = 4
	// patience ends a round whose server does not answer.
	patience = 30 * time.Second
)

// driven is a server and the connections to it.
type driven struct {
	pid     int
	clients []authv3.AuthorizationClient
}

func connect(b *testing.B, s *process) driven {
	b.Helper()
	d := driven{pid: s.pid()}
	for range connections {
		connection, err := grpc.NewClient("unix:"+s.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = connection.Close() }) // the server ends it if we do not
		d.clients = append(d.clients, authv3.NewAuthorizationClient(connection))
	}
	return d
}

// load is a server and what it is asked again and again.
type load struct {
	driven
	request *authv3.CheckRequest
	want    codes.Code // of the answer's status
}

// drive has every caller ask, wait for the answer and ask again until so many
// checks are done. It returns the server's CPU time of one.
func (l load) drive(b *testing.B, checks int) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	before := l.spent(b)
	var asked atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, callers)
	for i := range callers {
		client := l.clients[i%len(l.clients)]
		all.Go(func() {
			for asked.Add(1) <= int64(checks) {
				if err := l.ask(ctx, client); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		b.Fatal(err)
	default:
	}
	return (l.spent(b) - before) / time.Duration(checks)
}

func (l load) ask(ctx context.Context, client authv3.AuthorizationClient) error {
	answer, err := client.Check(ctx, l.request)
	if err != nil {
		return err
	}
	if got := codes.Code(answer.GetStatus().GetCode()); answer.GetStatus() == nil || got != l.want {
		return fmt.Errorf("the answer is %v, want %v: %v", got, l.want, answer.GetDynamicMetadata())
	}
	return nil
}

func (l load) spent(b *testing.B) time.Duration {
	b.Helper()
	spent, err := cpuTime(l.pid)
	if err != nil {
		b.Fatal(err)
	}
	return spent
}
