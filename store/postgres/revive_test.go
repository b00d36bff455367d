//go:build unix

package postgres

import (
	"syscall"
	"testing"
)

func TestReviveAfterTheServerWasKilled(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	s, err := Start(t.Context(), Options{DataDir: dir}) // not Fast, because the test checks the data after a kill
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	write(t, s.URL(""))
	if again, err := s.Revive(t.Context()); again || err != nil {
		t.Fatalf("revived a server that runs: %v, %v", again, err)
	}
	address := s.URL("")
	for range 2 {
		pid, _ := running(t, dir)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-s.child.done
		if again, err := s.Revive(t.Context()); !again || err != nil {
			t.Fatalf("a killed server was not revived: %v, %v", again, err)
		}
		if got := selectText(t, address, selectWords); got != "here" {
			t.Errorf("the table holds %q after the restart", got)
		}
	}
	stop(t, s)
	if _, ok := running(t, dir); ok {
		t.Error("the revived server was not stopped")
	}
	if again, err := s.Revive(t.Context()); again || err != nil {
		t.Errorf("revived a server after Stop: %v, %v", again, err)
	}
}

// TestReviveTheServerOfAnotherProcess kills a server that another process started.
// This process starts it again.
func TestReviveTheServerOfAnotherProcess(t *testing.T) {
	dir := prepare(t, newDir(t, "data"))
	first := startOther(t, dir)
	write(t, first.url)
	s := start(t, dir)
	pid, _ := running(t, dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, ok := running(t, dir); ok; _, ok = running(t, dir) {
		if err := pause(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := s.Revive(t.Context()); !again || err != nil {
		t.Fatalf("a killed server was not revived: %v, %v", again, err)
	}
	if got := selectText(t, first.url, selectWords); got != "here" {
		t.Errorf("the table holds %q", got)
	}
	stop(t, s)
	if _, ok := running(t, dir); !ok {
		t.Error("the server was stopped though the first process uses it")
	}
	first.leave(t)
}
