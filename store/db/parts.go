package db

// partSize is the number of objects that one statement changes, so that a job shows its
// progress.
const partSize = 1000

// InParts does something to n objects, part by part, and calls progress, unless it is
// nil, with the number of objects that are done.
func InParts(n int, progress func(done int64), do func(from, to int) error) error {
	for from := 0; from < n; from += partSize {
		to := min(from+partSize, n)
		if err := do(from, to); err != nil {
			return err
		}
		if progress != nil {
			progress(int64(to))
		}
	}
	return nil
}
