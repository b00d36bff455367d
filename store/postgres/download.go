//go:build unix

package postgres

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// repository is the address of the downloads. Only a test changes it.
var repository = "https://repo1.maven.org/maven2"

// downloads are the versions that can be downloaded, by major version.
var downloads = map[int]embeddedpostgres.PostgresVersion{
	15: embeddedpostgres.V15,
	16: embeddedpostgres.V16,
	17: embeddedpostgres.V17,
	18: embeddedpostgres.V18,
}

// downloadMajor is the version for a new data folder.
const downloadMajor = 18

// download gets the server's programs into the data folder. The library only
// downloads and unpacks: it cannot run the server as root, and it gives every
// server the same TCP port.
func (f folder) download(ctx context.Context, log *slog.Logger, major int) (programs, error) {
	if major == 0 {
		major = downloadMajor
	}
	version, ok := downloads[major]
	if !ok {
		return programs{}, fmt.Errorf("version %d cannot be downloaded", major)
	}
	log.Info("PostgreSQL is not installed; downloading it",
		"version", string(version), "from", repository, "platform", runtime.GOOS+"/"+runtime.GOARCH)

	unpacked := f.path("download")
	if err := os.RemoveAll(unpacked); err != nil {
		return programs{}, fmt.Errorf("remove an interrupted download: %w", err)
	}
	if err := unpack(ctx, version, unpacked); err != nil {
		return programs{}, err
	}
	target := f.path(fmt.Sprintf("postgresql-%d", major))
	// findInstalled refused any former download there.
	if err := os.RemoveAll(target); err != nil {
		return programs{}, fmt.Errorf("remove the former download: %w", err)
	}
	if err := os.Rename(unpacked, target); err != nil {
		return programs{}, fmt.Errorf("keep the download: %w", err)
	}
	return f.account.inspect(ctx, filepath.Join(target, "bin"), major)
}

// unpack downloads a version and unpacks it into dir.
func unpack(ctx context.Context, version embeddedpostgres.PostgresVersion, dir string) error {
	program := filepath.Join(dir, "bin", "postgres")
	config := embeddedpostgres.DefaultConfig().
		Version(version).
		Port(0).
		Logger(io.Discard).
		BinaryRepositoryURL(repository).
		CachePath(filepath.Join(dir, "archive")).
		BinariesPath(dir).
		// The library has no call that only unpacks. It stops after unpacking
		// because it cannot make this folder below a file.
		RuntimePath(filepath.Join(program, "run"))
	done := make(chan error, 1)
	go func() { done <- embeddedpostgres.NewDatabase(config).Start() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		return ctx.Err() // the library takes no context, so its transfer continues in the background
	}
	if _, statErr := os.Stat(program); statErr != nil {
		return cmp.Or(err, statErr)
	}
	if err := os.RemoveAll(filepath.Join(dir, "archive")); err != nil {
		return fmt.Errorf("remove the unpacked archive: %w", err)
	}
	return nil
}
