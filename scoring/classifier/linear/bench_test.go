package linear

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// sampleTexts generates texts whose length is distributed like that of OASST's
// messages (190 bytes in the middle, 620 on average), of words that are about as
// frequent as those of a language (Zipf's law), with some capitals, punctuation,
// accents, other scripts and emoji.
func sampleTexts(n int) []string {
	random := rand.New(rand.NewPCG(1, 1))
	letters := []string{
		"etaoinshrdlucmfwypvbgk", "eaosrnidlctumpvgébqhfóáíñ", "оеаинтсрвлкмдпуяыьгзбчй", "的一是不了人我在有他这中大来上国",
	}
	vocabularies := make([][]string, len(letters))
	for i, alphabet := range letters {
		runes := []rune(alphabet)
		for range 20_000 {
			word := make([]rune, 1+random.IntN(9))
			for k := range word {
				word[k] = runes[int(float64(len(runes))*math.Pow(random.Float64(), 1.5))]
			}
			vocabularies[i] = append(vocabularies[i], string(word))
		}
	}
	zipf := rand.NewZipf(random, 1.07, 3, 19_999)
	texts := make([]string, n)
	for i := range texts {
		vocabulary := vocabularies[[...]int{0, 0, 0, 0, 0, 1, 1, 1, 2, 3}[random.IntN(10)]]
		length := min(int(190*math.Exp(1.54*random.NormFloat64())), 10_000)
		text := new(strings.Builder)
		for text.Len() < length {
			word := vocabulary[zipf.Uint64()]
			switch random.IntN(20) {
			case 0:
				word = strings.ToUpper(word)
			case 1:
				word += ", " + word + "."
			case 2:
				word += "!\n"
			case 3:
				word += " 🙂"
			}
			text.WriteString(word + " ")
		}
		texts[i] = text.String()
	}
	return texts
}

// BenchmarkScore scores one text per operation.
func BenchmarkScore(b *testing.B) {
	texts, out, m := sampleTexts(3000), make([]float64, 2), Default()
	bytes := 0
	for _, text := range texts {
		bytes += len(text)
	}
	b.SetBytes(int64(bytes / len(texts)))
	b.ReportAllocs()
	for _, text := range texts { // builds tables and fills the cache of words, once
		m.Score(text, out)
	}
	i := 0
	for b.Loop() {
		m.Score(texts[i%len(texts)], out)
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
