// Package waves finds waves: messages whose texts are alike, as when several
// accounts send one text with small changes. Waves are kept in the background, from
// the sketches of the package similar.
//
// Two messages are of one wave if a chain of messages leads from one to the other,
// each like the next. A message leaves its wave if its text was edited and is not
// like that of a member any more; what it had joined stays together.
package waves

// Least is the likeness from which two messages are of one wave. Of copies of a text
// of 12 to 60 words, with other digits and one word in ten changed, nearly all have
// that to another copy; two unlike texts of one language hardly have 0.1.
const Least = 0.45

// LeastLetters is the least number of letters and digits of a text of a wave.
// Shorter ones, such as "Yes, please." and "Thank you for your help!", are written by
// people who copy nothing. A letter of Chinese, Japanese or Korean text stands for
// two: it is a syllable.
const LeastLetters = 30

const lettersOfSyllable = 2

// MembersSQL selects the tree_id and the message_id of the members of a wave; $1 is
// its id.
const MembersSQL = "SELECT tree_id, message_id FROM wave_messages WHERE wave_id = $1"
