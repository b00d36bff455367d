package classifier

import (
	"fmt"
	"time"
)

// Fault says what a caller can do about an error of a Classifier.
type Fault int

const (
	// Unavailable means that the same request may work later: no connection, a time
	// limit, or an answer such as 408, 429 and 5xx.
	Unavailable Fault = iota
	// Refused means that the classifier has no scores for these texts. If there are
	// several, the others may have scores without the one that is at fault.
	Refused
	// Misconfigured means that no request will work before somebody changes
	// something: the key, the address, the account.
	Misconfigured
	// Broken means that the answer is not what this kind of classifier gives.
	Broken
)

// Error is an error of a Classifier. Its text is for people and has no key in it.
type Error struct {
	Fault   Fault
	Message string
	// Status is the HTTP status of the answer, 0 without one.
	Status int
	// RetryAfter is how long the classifier asks to wait, 0 if it does not ask.
	RetryAfter time.Duration
	// Cause is the error below this one, or nil.
	Cause error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Cause }

// TextError is an error with one text of several. The other texts may have scores.
type TextError struct {
	// Index is the place of the text among those that Classify was given.
	Index int
	Err   error
}

func (e *TextError) Error() string { return fmt.Sprintf("text %d: %v", e.Index+1, e.Err) }

func (e *TextError) Unwrap() error { return e.Err }
