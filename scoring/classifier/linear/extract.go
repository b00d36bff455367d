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
	e.reader.read(text)
	for i := range e.reader.items {
		if it := &e.reader.items[i]; it.isWord() {
			e.features = appendWord(e.features, it.hash, e.reader.mark(e.reader.letters[it.from:it.to]))
		} else {
			e.features = append(e.features, bucket(it.hash))
		}
	}
	return e.features
}
