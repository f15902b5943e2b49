package query_test
import ("testing";"os";"fmt";"context";"cairn/query";"cairn/query/querytest")
func TestDbg(t *testing.T) {
	text, _ := os.ReadFile("/tmp/dbg/events"); q, _ := os.ReadFile("/tmp/dbg/query")
	ev, err := querytest.ParseEvents(string(text)); if err != nil { t.Fatal(err) }
	src, _ := query.Memory(ev)
	var ref querytest.Reference; ref.Load(t, ev)
	want, err := ref.Query(string(q), querytest.DefaultEnv()); fmt.Println("ref", err); if err == nil { fmt.Println(querytest.Text(want)) }
	got, err := query.Run(context.Background(), src, string(q), withEnv(query.Options{}, querytest.DefaultEnv())); fmt.Println("exec", err); if err == nil { fmt.Println(querytest.Text(got)) }
}
