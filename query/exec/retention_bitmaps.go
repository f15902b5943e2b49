package exec

import (
	"context"

	"cairn/query/syntax"
)

func (r *retentionRun) fromBitmaps(context.Context) ([]*retentionGroup, bool, error) {
	return nil, false, nil
}

func (r *lifecycleRun) fromBitmaps(context.Context, *syntax.Lifecycle) (bool, error) {
	return false, nil
}

func (r *stickinessRun) fromBitmaps(context.Context, *syntax.Stickiness) (bool, error) {
	return false, nil
}
