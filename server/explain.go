package server

import (
	"github.com/valyala/fasthttp"

	"cairn/query"
	"cairn/server/api"
)

// explain tells what a query would read, without reading it.
func (s *Server) explain(ctx *fasthttp.RequestCtx) {
	request, format, err := queryRequest(ctx)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	var explanation *query.Explanation
	err = s.ask(ctx, request, func(src query.Source, opt query.Options) (err error) {
		explanation, err = query.Explain(s.running, src, request.Query, opt)
		return err
	})
	switch {
	case err != nil:
		s.fail(ctx, err)
	case format == "text":
		ctx.SetContentType(formats[format])
		ctx.SetBodyString(explanation.String())
	default:
		writeJSON(ctx, fasthttp.StatusOK, explainAnswer(explanation, s.opt.QueryMemoryBytes))
	}
}

func explainAnswer(e *query.Explanation, memoryBytes int64) api.ExplainAnswer {
	answer := api.ExplainAnswer{Index: []api.ExplainIndex{}, Memory: memoryBytes}
	for _, s := range e.Steps {
		answer.Plan = append(answer.Plan, api.ExplainStep{
			Name: s.Name, Operator: s.Operator, Stages: s.Stages, Filter: s.Filter, Columns: s.Columns,
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
