package querytest

import "testing"

func TestGolden(t *testing.T) {
	Run(t, func(testing.TB) Evaluator { return &Reference{} })
}
