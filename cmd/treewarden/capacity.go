package main

import (
	"fmt"
	"log/slog"
	"syscall"

	"treewarden/admin"
)

// keptFiles is the number of open files that are kept for other things than clients:
// connections to the database, files that are read, the runtime's own.
const keptFiles = 100

// clientConnections returns the most connections of clients: those that are
// configured, or else the default, as far as the limit of open files allows.
func clientConnections(configured int, log *slog.Logger) (int, error) {
	if configured != 0 && configured < admin.MinMaxConnections {
		return 0, usageError(fmt.Sprintf("--max-connections (TREEWARDEN_MAX_CONNECTIONS) is %d; give %d or more, or 0 for "+
			"the default", configured, admin.MinMaxConnections))
	}
	most := configured
	if most == 0 {
		most = admin.DefaultMaxConnections
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return most, nil //nolint:nilerr // the listener goes on when there are no more files
	}
	allowed := max(admin.MinMaxConnections, int(min(files.Cur, 1<<30))-keptFiles)
	if configured > allowed {
		log.Warn("the limit of open files (ulimit -n) allows fewer connections than --max-connections",
			"max_connections", configured, "used", allowed)
	}
	return min(most, allowed), nil
}
