package server

import (
	"context"

	"cairn/query"
	"cairn/server/api"
)

// explainQuery tells what a query would read, without reading it.
func explainQuery(r *request) error {
	request, format, err := queryRequest(r)
	if err != nil {
		return err
	}
	var explanation *query.Explanation
	var memory int64
	err = r.ask(request, func(ctx context.Context, src query.Source, opt query.Options) (err error) {
		memory = opt.MemoryBytes
		explanation, err = query.Explain(ctx, src, request.Query, opt)
		return err
	})
	if err != nil {
		return err
	}
	if format == "text" {
		r.SetContentType(formats[format])
		r.SetBodyString(explanation.String())
		return nil
	}
	return r.json(200, explainAnswer(explanation, memory))
}

func explainAnswer(e *query.Explanation, memoryBytes int64) api.ExplainAnswer {
	answer := api.ExplainAnswer{Index: []api.ExplainIndex{}, Memory: memoryBytes}
	for _, s := range e.Steps {
		answer.Plan = append(answer.Plan, api.ExplainStep{
			Name: s.Name, Operator: s.Operator, Stages: s.Stages, Filter: s.Filter, Columns: append([]string{}, s.Columns...),
		})
		answer.Reads.Partitions += s.Partitions
		answer.Reads.Segments += s.Segments
		answer.Reads.Blocks += s.Blocks
		answer.Reads.Rows += s.Rows
		answer.Reads.Bytes += s.Bytes
		for _, a := range s.Answers {
			answer.Index = append(answer.Index, api.ExplainIndex{Condition: a.Condition, By: a.By, Segments: a.Segments})
		}
	}
	return answer
}
