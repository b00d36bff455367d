package rings

// What tests of the queries need.
var (
	PartnersSQL = partnersSQL
	PairsSQL    = pairsSQL
)

// The limits of the queries.
const (
	ReadLimit = read
	PerTarget = perTarget
	Compared  = compared
	Judged    = judged
)
