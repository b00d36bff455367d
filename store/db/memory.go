package db

import "context"

// SortInMemory gives the statements that follow in a transaction the memory to sort some
// 100,000 rows of the log without files.
func SortInMemory(ctx context.Context, c Conn) error {
	_, err := c.Exec(ctx, `SELECT set_config('work_mem', '128MB', true)
		WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('128MB')`)
	return err
}
