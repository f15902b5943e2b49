package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"cairn/engine"
	"cairn/server/access"
	"cairn/server/api"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token and print it, this once."`
	List   tokenListCmd   `cmd:"" help:"List tokens, without their texts."`
	Revoke tokenRevokeCmd `cmd:"" help:"Make a token unknown, at once."`
}

func (tokenCmd) Help() string {
	return `A token says whose events a request is about and what it may do: ingest tokens can only write and
may sit in apps, query tokens read, admin tokens erase users and manage the tenant's tokens.

Examples:

  cairn token create --data ./cairn-data --tenant shop --scope ingest
  cairn token create --data ./cairn-data --tenant shop --scope ingest --import 1a2b3c4d5e --protocol posthog
  cairn token list --server http://127.0.0.1:8081 --token ck_…`
}

// tokens is where tokens are kept: a data directory that no server has open, or the admin listener of
// a running server.
type tokenStore struct {
	Data   string `help:"Data directory, which no server has open (default: $$CAIRN_DATA)." placeholder:"DIR"`
	Server string `help:"Address of the admin listener of a running server, such as http://127.0.0.1:8081 (default: $$CAIRN_SERVER)." placeholder:"URL"`
	Token  string `help:"The operator's token, or an admin token of the tenant, for --server (default: $$CAIRN_TOKEN)." placeholder:"TEXT"`
}

// open resolves the flags; the functions work on either kind of store.
func (s *tokenStore) open() (*tokenTable, error) {
	t := target{store: store{Data: s.Data}, Server: s.Server, Token: s.Token}
	if err := t.resolve(); err != nil {
		return nil, err
	}
	if t.Server != "" {
		return &tokenTable{client: t.client()}, nil
	}
	db, err := t.openDB(engine.Options{NoBackground: true})
	if err != nil {
		return nil, err
	}
	table, err := access.Open(db, time.Now)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &tokenTable{db: db, table: table}, nil
}

type tokenTable struct {
	db     *engine.DB
	table  *access.Table
	client *client
}

func (t *tokenTable) close() error {
	if t.db == nil {
		return nil
	}
	return t.db.Close()
}

type tokenCreateCmd struct {
	tokenStore
	Tenant     string        `help:"The tenant (default: $$CAIRN_TENANT, or \"default\")." placeholder:"NAME"`
	Scope      []string      `help:"ingest, query or admin; several with commas." placeholder:"SCOPE"`
	Operator   bool          `help:"An operator's token: for all tenants, tokens and backups."`
	Import     string        `help:"Take this key of another vendor for the token, so that released apps need only a new host." placeholder:"KEY"`
	Expires    time.Duration `help:"Time after which it is no longer good, such as 2160h (default: never)." placeholder:"TIME"`
	Origin     []string      `help:"Web origins that may use it, such as https://shop.example (default: all)." placeholder:"ORIGIN"`
	Protocol   []string      `help:"Protocols that may be spoken with it, such as cairn, segment or posthog (default: all)." placeholder:"NAME"`
	HashIDs    bool          `name:"hash-ids" help:"Give events without an insert id one made of their content, so that repeats are found."`
	UserMember string        `help:"Member of a CloudEvent's data that is its user (default: the subject)." placeholder:"NAME"`
}

func (tokenCreateCmd) Help() string {
	return `The text of the token is printed once and not kept. The first token of a tenant closes a server that
was open to everybody on its machine.

Examples:

  cairn token create --data ./cairn-data --tenant shop --scope ingest
  cairn token create --data ./cairn-data --tenant shop --scope query,admin --expires 720h
  cairn token create --data ./cairn-data --operator`
}

func (cmd *tokenCreateCmd) Run(ctx context.Context, c *console) (err error) {
	if cmd.Tenant == "" {
		cmd.Tenant = os.Getenv("CAIRN_TENANT")
	}
	switch {
	case cmd.Operator && (cmd.Tenant != "" || len(cmd.Scope) > 0):
		return usagef("--operator goes without --tenant and --scope: it is for all tenants")
	case !cmd.Operator && len(cmd.Scope) == 0:
		return usagef("what is the token good for? Give --scope ingest, query or admin, or several with commas")
	}
	if cmd.Operator {
		cmd.Scope = []string{"admin"}
	} else if cmd.Tenant == "" {
		cmd.Tenant = "default"
	}
	scopes, bad, ok := access.ParseScopes(cmd.Scope)
	if !ok {
		return usagef("--scope %s: expected ingest, query or admin", bad)
	}
	t, err := cmd.open()
	if err != nil {
		return err
	}
	defer func() {
		if closed := t.close(); err == nil {
			err = closed
		}
	}()
	var expires time.Time
	if cmd.Expires != 0 {
		if cmd.Expires < 0 {
			return usagef("--expires %v: expected a time from now", cmd.Expires)
		}
		expires = time.Now().Add(cmd.Expires).UTC().Truncate(time.Second)
	}
	if t.client != nil {
		var made api.TokenMade
		body := api.NewToken{
			Tenant: cmd.Tenant, Scopes: cmd.Scope, Import: cmd.Import, Origins: cmd.Origin, Protocols: cmd.Protocol,
			HashIDs: cmd.HashIDs, UserMember: cmd.UserMember,
		}
		if !expires.IsZero() {
			body.Expires = &expires
		}
		if err := t.client.call(ctx, http.MethodPost, "/v1/tokens", body, &made); err != nil {
			return err
		}
		return printToken(c, made.ID, made.Tenant, made.Scopes, made.Text)
	}
	if !cmd.Operator {
		if err := ensureTenant(t.db, cmd.Tenant); err != nil {
			return err
		}
	}
	token, text, err := t.table.Create(access.Token{
		Tenant: cmd.Tenant, Scopes: scopes, Expires: expires, Origins: cmd.Origin, Protocols: cmd.Protocol,
		HashIDs: cmd.HashIDs, UserMember: cmd.UserMember,
	}, cmd.Import)
	if err != nil {
		return err
	}
	return printToken(c, token.ID, token.Tenant, token.Scopes.Names(), text)
}

// ensureTenant stores a tenant that is not yet.
func ensureTenant(db *engine.DB, name string) error {
	tenant, err := db.Tenant(name)
	if err != nil || db.Exists(name) {
		return err
	}
	return tenant.Configure(tenant.Settings())
}

func printToken(c *console, id, tenant string, scopes []string, text string) error {
	who := "the tenant " + tenant
	if tenant == "" {
		who = "the operator"
	}
	fmt.Fprintf(c.err, "token %s of %s, good for %s; its text is shown this once:\n", id, who, strings.Join(scopes, ", "))
	_, err := fmt.Fprintln(c.out, text)
	return err
}

type tokenListCmd struct {
	tokenStore
	JSON bool `help:"Print JSON."`
}

func (tokenListCmd) Help() string {
	return "Examples:\n\n  cairn token list --data ./cairn-data\n  cairn token list --server http://127.0.0.1:8081 --token ck_…"
}

func (cmd *tokenListCmd) Run(ctx context.Context, c *console) (err error) {
	t, err := cmd.open()
	if err != nil {
		return err
	}
	defer t.close()
	var answer api.TokensAnswer
	if t.client != nil {
		err = t.client.call(ctx, http.MethodGet, "/v1/tokens", nil, &answer)
	} else {
		for _, one := range t.table.List("*") {
			answer.Tokens = append(answer.Tokens, one.API())
		}
	}
	if err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(c.out).Encode(answer)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTENANT\tSCOPES\tBEGINS\tCREATED\tEXPIRES\tLAST USED")
	for _, one := range answer.Tokens {
		tenant := one.Tenant
		if tenant == "" {
			tenant = "(operator)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", one.ID, tenant, strings.Join(one.Scopes, ","), one.Prefix+"…",
			one.Created.Format("2006-01-02"), day(one.Expires), day(one.LastUsed))
	}
	return w.Flush()
}

func day(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.Format("2006-01-02 15:04")
}

type tokenRevokeCmd struct {
	tokenStore
	ID string `arg:"" help:"Its id, from cairn token list."`
}

func (tokenRevokeCmd) Help() string {
	return "Example:\n\n  cairn token revoke --data ./cairn-data 4f2a01bc"
}

func (cmd *tokenRevokeCmd) Run(ctx context.Context, c *console) (err error) {
	t, err := cmd.open()
	if err != nil {
		return err
	}
	defer func() {
		if closed := t.close(); err == nil {
			err = closed
		}
	}()
	if t.client != nil {
		err = t.client.call(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(cmd.ID), nil, nil)
	} else {
		var found bool
		if found, err = t.table.Revoke("*", cmd.ID); err == nil && !found {
			err = fmt.Errorf("there is no token with the id %s; see: cairn token list", cmd.ID)
		}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "revoked %s\n", cmd.ID)
	return nil
}
