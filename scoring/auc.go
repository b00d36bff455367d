package scoring

import "math"

// AUCInterval returns the 95 % confidence interval of an AUC of so many positive and
// negative cases, by the standard error of J. A. Hanley and B. J. McNeil, The meaning and
// use of the area under a receiver operating characteristic (ROC) curve, Radiology 143,
// 1982. It is cut to 0 and 1. It is too narrow for an AUC of almost 0 or 1, and has no
// width for these. ok is false without cases of both kinds.
func AUCInterval(auc float64, positives, negatives int64) (around Interval, ok bool) {
	if positives == 0 || negatives == 0 {
		return around, false
	}
	half := 1.96 * aucError(auc, float64(positives), float64(negatives))
	return Interval{max(0, auc-half), min(1, auc+half)}, true
}

// aucError returns the standard error of an AUC.
func aucError(auc, positives, negatives float64) float64 {
	q1, q2 := auc/(2-auc), 2*auc*auc/(1+auc)
	variance := auc*(1-auc) + (positives-1)*(q1-auc*auc) + (negatives-1)*(q2-auc*auc)
	return math.Sqrt(max(0, variance) / (positives * negatives))
}
