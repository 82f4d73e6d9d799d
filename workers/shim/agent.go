package main

import (
	"encoding/json"
	"io"
	"net"
	"sync"
	"time"
)

const (
	dialTimeout  = time.Second
	writeTimeout = 5 * time.Second
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
)

// agentLink carries messages to the agent. It connects in the background, as often as needed, and says everything
// from the beginning on every new connection; the agent ignores what it already knows.
type agentLink struct {
	socket string

	mutex sync.Mutex
	lines [][]byte
	// more is closed and replaced when lines grows.
	more      chan struct{}
	connected bool

	// last is closed when the last line (the exit message) may be written, delivered when it was.
	last      chan struct{}
	delivered chan struct{}
}

func connectAgent(socket string) *agentLink {
	link := &agentLink{
		socket:    socket,
		more:      make(chan struct{}),
		last:      make(chan struct{}),
		delivered: make(chan struct{}),
	}
	go link.keep()
	return link
}

// send queues a message; it never blocks.
func (link *agentLink) send(text message) {
	line, err := json.Marshal(text)
	if err != nil {
		return
	}
	link.mutex.Lock()
	defer link.mutex.Unlock()
	link.lines = append(link.lines, append(line, '\n'))
	close(link.more)
	link.more = make(chan struct{})
}

// finish waits until everything was written: `late` for an agent that never came, `lost` for one that was there.
// The exit record on disk says the same to an agent that comes later still.
func (link *agentLink) finish(late, lost time.Duration) {
	close(link.last)
	link.mutex.Lock()
	patience := late
	if link.connected {
		patience = lost
	}
	link.mutex.Unlock()
	select {
	case <-link.delivered:
	case <-time.After(patience):
	}
}

func (link *agentLink) keep() {
	pause := firstPause
	for {
		conn, err := net.DialTimeout("unix", link.socket, dialTimeout)
		if err == nil {
			link.mutex.Lock()
			link.connected = true
			link.mutex.Unlock()
			done := link.speak(conn)
			_ = conn.Close()
			if done {
				close(link.delivered)
				return
			}
		}
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
}

// speak writes every line, old and new, until the connection breaks (false) or the last one is written (true).
func (link *agentLink) speak(conn net.Conn) bool {
	gone := make(chan struct{})
	go func() {
		// The agent says nothing; the read ends when it goes away.
		_, _ = io.Copy(io.Discard, conn)
		close(gone)
	}()
	for next := 0; ; {
		// Asked before the lines are looked at: the last line is queued before `last` is closed.
		complete := isClosed(link.last)
		link.mutex.Lock()
		lines, more := link.lines[next:], link.more
		link.mutex.Unlock()
		for _, line := range lines {
			_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			if _, err := conn.Write(line); err != nil {
				return false
			}
			next++
		}
		if len(lines) > 0 {
			continue
		}
		if complete {
			return true
		}
		select {
		case <-more:
		case <-link.last:
		case <-gone:
			return false
		}
	}
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
