package store

// SetSearchAtOnce makes a search of more than n messages a job.
func (s *Store) SetSearchAtOnce(n int) { s.searchAtOnce = n }
