package linear

// Extractor finds the features of texts, for training. It is for one goroutine at
// a time.
type Extractor struct {
	reader   *reader
	features []uint32
}

// NewExtractor returns an extractor.
func NewExtractor() *Extractor { return &Extractor{reader: newReader()} }

// Features returns the features of a text. They are valid until the next call.
func (e *Extractor) Features(text string) []uint32 {
	e.features = e.features[:0]
	e.reader.read(text, e)
	return e.features
}

func (e *Extractor) word(hash uint64, marked []rune) {
	e.features = appendWord(e.features, hash, marked)
}
func (e *Extractor) feature(hash uint64) { e.features = append(e.features, bucket(hash)) }
