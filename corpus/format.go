package corpus

import "bytes"

// lfsPointer begins the small file that Git LFS keeps in place of a big one.
var lfsPointer = []byte("version https://git-lfs.github.com/spec/")

// otherFormat returns the Fault of a file that is known by its first line not to be
// JSON Lines, or nil. One fault for the file says more than one for each line.
func (r *Reader) otherFormat(first []byte) *Fault {
	switch first = bytes.TrimSpace(first); {
	case bytes.HasPrefix(first, lfsPointer):
		return fault(OtherFormat, "this is a Git LFS pointer, not the data: fetch the data with \"git lfs pull\", then "+
			"import the file again")
	case r.goesOn(first, '{'):
		return fault(OtherFormat, "this is JSON over several lines, not JSON Lines: write each object on a line of its own, "+
			"for example with \"jq -c .\", then import that file")
	case r.goesOn(first, '['):
		return fault(OtherFormat, "this is a JSON array over several lines, not JSON Lines: write each of its objects on a "+
			"line of its own, for example with \"jq -c '.[]'\", then import that file")
	}
	return nil
}

// goesOn reports whether the first line is only an opening bracket, and the next line
// is indented.
func (r *Reader) goesOn(first []byte, bracket byte) bool {
	if len(first) != 1 || first[0] != bracket {
		return false
	}
	next, err := r.src.Peek(1)
	return err == nil && (next[0] == ' ' || next[0] == '\t')
}
