package exec

import (
	"context"
	"errors"
	"slices"
)

// checkEvery is how many cheap steps may pass between two looks at the context.
const checkEvery = 1 << 12

var errAbandoned = errors.New("exec: sort abandoned")

// sortRows sorts rows, stably, unless the context ends meanwhile.
func sortRows(ctx context.Context, rows []row, compare func(a, b *row) int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != any(errAbandoned) {
				panic(r)
			}
			err = context.Cause(ctx)
		}
	}()
	calls := 0
	slices.SortStableFunc(rows, func(a, b row) int {
		if calls++; calls%checkEvery == 0 && ctx.Err() != nil {
			panic(errAbandoned)
		}
		return compare(&a, &b)
	})
	return nil
}

// interrupted returns why the context has ended, looking only at every checkEvery-th step.
func interrupted(ctx context.Context, step int) error {
	if step%checkEvery == 0 && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
