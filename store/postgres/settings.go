//go:build unix

package postgres

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	megabyte = int64(1) << 20
	gigabyte = int64(1) << 30
)

// settings returns the settings file of a server that shares its machine with this
// program and others. The server's cache gets an eighth of the memory. Commits are
// durable.
func settings(logDir string, connections int) string {
	memory := memorySize()
	var b strings.Builder
	b.WriteString("# Treewarden writes this file at each start. ALTER SYSTEM overrides it.\n")
	for _, s := range [][2]string{
		{"shared_buffers", sizeOf(memory/8, 128*megabyte, 4*gigabyte)},
		{"effective_cache_size", sizeOf(memory/2, 512*megabyte, 64*gigabyte)},
		{"maintenance_work_mem", sizeOf(memory/48, 64*megabyte, gigabyte)},
		{"work_mem", "32MB"},
		{"max_connections", strconv.Itoa(max(100, connections+50))},
		{"max_wal_size", "4GB"},
		{"min_wal_size", "256MB"},
		{"checkpoint_timeout", "15min"},
		{"wal_compression", "on"},
		{"synchronous_commit", "on"},
		{"random_page_cost", "1.1"}, // the disk is an SSD, which reads many pages at once
		{"effective_io_concurrency", "200"},
		{"jit", "off"}, // queries of milliseconds do not gain from it
		{"track_io_timing", "on"},
		{"timezone", "'UTC'"},
		{"log_timezone", "'UTC'"},
		{"lc_messages", "'C'"},
		{"logging_collector", "on"},
		{"log_directory", quote(logDir)},
		{"log_filename", "'postgres-%a.log'"}, // one file for each day of the week
		{"log_truncate_on_rotation", "on"},
		{"log_rotation_age", "1d"},
		{"log_rotation_size", "0"},
		{"log_min_messages", "warning"},
		{"log_line_prefix", "'%m [%p] %d '"},
	} {
		fmt.Fprintf(&b, "%s = %s\n", s[0], s[1])
	}
	return b.String()
}

// fastArguments make the server fast, but not durable.
var fastArguments = []string{
	"-c", "wal_compression=off", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
}

func quote(s string) string {
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(s) + "'"
}

func sizeOf(want, least, most int64) string {
	return strconv.FormatInt(min(max(want, least), most)/megabyte, 10) + "MB"
}

// memorySize returns the memory that this process may use, in bytes: that of the
// machine, or the limit of the container if it is lower. If both are unknown, it
// returns 4 GB.
func memorySize() int64 {
	size := 4 * gigabyte
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err == nil && kilobytes > 0 {
			size = kilobytes << 10
		}
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if text, err := os.ReadFile(path); err == nil {
			limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" means no limit, and does not parse
			if err == nil && limit > 0 {
				size = min(size, limit)
			}
		}
	}
	return size
}
