package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// program is this program as operators run it: built, and serving the database
// as a process of its own.
type program struct {
	path, url string
	address   string // of its web server
	serving   *exec.Cmd
	client    *http.Client
}

var servingAt = regexp.MustCompile(`address=(http://\S+)`)

// startProgram builds the program and starts serve.
func startProgram(ctx context.Context, folder, url string) (*program, error) {
	// Without compression, because Open-Assistant's handler has none either.
	transport := &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}
	p := &program{path: filepath.Join(folder, "treewarden"), url: url,
		client: &http.Client{Timeout: 2 * time.Minute, Transport: transport}}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", p.path,
		"treewarden/cmd/treewarden").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the program: %w: %s", err, out)
	}
	p.serving = p.command("serve", "--listen", "127.0.0.1:0")
	said, err := p.serving.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.serving.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(said)
	var log []string
	for lines.Scan() {
		if match := servingAt.FindStringSubmatch(lines.Text()); match != nil {
			p.address = match[1]
			go func() { _, _ = io.Copy(os.Stderr, said) }()
			return p, nil
		}
		log = append(log, lines.Text())
	}
	p.stop()
	return nil, fmt.Errorf("serve did not start: %s", strings.Join(log, "; "))
}

// command is a command of the program on the database.
func (p *program) command(args ...string) *exec.Cmd {
	return exec.Command(p.path, append(args, "--database-url", p.url)...)
}

// run runs a command and returns its time, the start of the process included.
func (p *program) run(args ...string) (time.Duration, error) {
	took, _, err := p.watched(args...)
	return took, err
}

// watched runs a command as run does, and also returns the bytes of memory that its
// process had at its peak; 0 where the system has no /proc.
func (p *program) watched(args ...string) (took time.Duration, peak int64, err error) {
	command := p.command(args...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	began := time.Now()
	ended := make(chan error, 1)
	if err := command.Start(); err != nil {
		return 0, 0, err
	}
	go func() { ended <- command.Wait() }()
	// What the system says after the end counts this process too, from before the exec.
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				err = fmt.Errorf("treewarden %s: %w: %.500s", strings.Join(args, " "), err, out.Bytes())
			}
			return time.Since(began), peak, err
		case <-look.C:
			peak = max(peak, peakOf(command.Process.Pid))
		}
	}
}

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// peakOf returns the most memory that a process has had so far, or 0 if that is unknown.
func peakOf(process int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		return 0
	}
	match := peakLine.FindSubmatch(status)
	if match == nil {
		return 0
	}
	kilobytes, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}

func (p *program) stop() {
	_ = p.serving.Process.Signal(syscall.SIGTERM)
	_ = p.serving.Wait()
}

// refused is the error for an answer other than 200.
type refused struct {
	status int
	body   string
}

func (r *refused) Error() string { return fmt.Sprintf("HTTP %d: %.300s", r.status, r.body) }

// ask sends a request with a key. It decodes the answer if answer is not nil.
func (p *program) ask(ctx context.Context, key, method, path, contentType string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, p.address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	text, err := p.send(request, key)
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

// send sends a request with a key, and returns the answer to it.
func (p *program) send(request *http.Request, key string) ([]byte, error) {
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = &refused{response.StatusCode, string(text)}
	}
	return text, err
}

func (p *program) get(ctx context.Context, key, path string, answer any) error {
	return p.ask(ctx, key, http.MethodGet, path, "", nil, answer)
}

// ingested is the answer to an ingest.
type ingested struct {
	Accepted, Duplicate, Rejected int
	Errors                        json.RawMessage
}

// ingest sends lines and returns an error unless all of them are accepted.
func (p *program) ingest(ctx context.Context, key string, lines []byte) error {
	var done ingested
	if err := p.ask(ctx, key, http.MethodPost, "/api/v1/ingest", "application/x-ndjson", lines, &done); err != nil {
		return err
	}
	if done.Rejected > 0 || done.Duplicate > 0 {
		return fmt.Errorf("ingest: %d lines were refused, %d were known: %.300s", done.Rejected, done.Duplicate, done.Errors)
	}
	return nil
}
