package syntax_test

import (
	"fmt"

	"cairn/query/syntax"
)

func ExampleParse() {
	q, err := syntax.Parse(`pay_success{channel = "qr", amount >= 10} last 30d
| stats count(), users(), sum(amount) as revenue by bin(1d), region
| sort revenue desc`)
	if err != nil {
		panic(err)
	}
	fmt.Println(q.Selector)
	fmt.Println(q.Range.Last)
	for _, s := range q.Stages {
		fmt.Println(syntax.StageString(s))
	}
	fmt.Println(syntax.ResultColumns(&q.Pipeline))
	// Output:
	// pay_success{channel = "qr" and amount >= 10}
	// 30d
	// stats count(), users(), sum(amount) as revenue by bin(1d), region
	// sort revenue desc
	// [time region count users revenue] false
}

func ExampleParse_error() {
	_, err := syntax.Parse("* last 7d\n| stats count() by city\n| sort cuont desc")
	fmt.Println(err)
	// Output:
	// line 3, column 8: unknown column "cuont" (did you mean "count"?)
}
