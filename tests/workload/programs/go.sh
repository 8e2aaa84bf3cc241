# packages: golang-go
# seconds: 2400
# env: GOFLAGS=-p=2
mkdir -p /tmp/go/lib; cd /tmp/go; export HOME=/root GOCACHE=/tmp/gc GO111MODULE=on GOTOOLCHAIN=local CGO_ENABLED=0
printf 'module ex\n\ngo 1.21\n' > go.mod; printf 'package lib\n\nfunc Twice(n int) int { return 2 * n }\n' > lib/l.go
cat > main.go <<'S'
package main

import (
	"ex/lib"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	fmt.Println(strings.ToUpper("ü"), lib.Twice(21), runtime.GOARCH)
	var wg sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func() { defer wg.Done(); for j := 0; j < 100; j++ { mu.Lock(); n++; mu.Unlock() } }()
	}
	wg.Wait()
	c := make(chan int)
	go func() { for i := 0; i < 3; i++ { c <- i * i }; close(c) }()
	for v := range c { fmt.Print(v, " ") }
	fmt.Println(n)
	r, w, _ := os.Pipe()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "echo sub; exit 3"}, &os.ProcAttr{Files: []*os.File{nil, w, os.Stderr}})
	w.Close()
	b := make([]byte, 9)
	k, _ := r.Read(b) // by epoll
	s, _ := p.Wait()
	fmt.Println(strings.TrimSpace(string(b[:k])), s, err)
	g := make(chan os.Signal, 1)
	signal.Notify(g, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-g)
	select { case <-time.After(20 * time.Millisecond): fmt.Println("timer") }
	func() { defer func() { fmt.Println("recovered:", recover()) }(); var p *int; fmt.Println(*p) }()
	done := make(chan bool)
	go func() { x := 0; for i := 0; i < 30000000; i++ { x += i }; done <- x > 0 }() // no calls: preempted by a signal
	runtime.GC()
	fmt.Println(<-done)
	os.Exit(7)
}
S
go version | cut -d' ' -f1-2; go build -o m . && ./m; echo "code $?"
