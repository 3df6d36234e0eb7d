package pipeline

import (
	"errors"
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Requests names the events that are no usage but ask for something. An empty name is no event's.
type Requests struct {
	Merge        string // the account of the property MergedFrom becomes part of the event's
	MergedFrom   string
	EraseAccount string // everything about the event's account is erased
	EraseUser    string // everything about the event's user is erased
}

// of returns what an event asks for, nil for usage. Its error is a *usage.Error. The event is not valid yet; what it returns may alias it.
func (q *Requests) of(ev *usage.Event, resolves bool) (*Control, error) {
	switch ev.Name {
	case "":
		return nil, nil
	case q.Merge:
		return q.merge(ev)
	case q.EraseAccount:
		c := asked(ControlEraseAccount, ev)
		c.Account = ev.AccountID
		return c, nil
	case q.EraseUser:
		return eraseUser(ev, resolves)
	}
	return nil, nil
}

func (q *Requests) merge(ev *usage.Event) (*Control, error) {
	from := ev.Property(q.MergedFrom)
	fail := func(code string, err error) (*Control, error) {
		return nil, &usage.Error{Code: code, Field: usage.PropertyField(q.MergedFrom), Err: err}
	}
	c := asked(ControlMerge, ev)
	c.Into = ev.AccountID
	switch from.Kind() {
	case usage.String, usage.Long: // ids that are numbers come as such here, too
		c.Account = from.String()
	case usage.Null:
	default:
		return fail(CodeMergedAccountWrongType, errors.New("it is no account's id"))
	}
	switch {
	case c.Account == "":
		return fail(CodeMergedAccountMissing, errors.New("it must name the account that becomes part of the event's"))
	case len(c.Account) > usage.MaxIDBytes:
		return fail(CodeMergedAccountTooLong, fmt.Errorf("has %d bytes, at most %d are allowed", len(c.Account), usage.MaxIDBytes))
	case c.Account == c.Into:
		return fail(CodeMergeIntoItself, fmt.Errorf("account %q can't become part of itself", c.Into))
	}
	return c, nil
}

func eraseUser(ev *usage.Event, resolves bool) (*Control, error) {
	switch {
	case ev.UserID == "":
		return nil, &usage.Error{Code: usage.CodeUserIDMissing, Field: usage.FieldUserID, Err: errors.New("it must name the user who is to be erased")}
	case ev.AccountID == "" && !resolves:
		return nil, &usage.Error{Code: usage.CodeAccountIDMissing, Field: usage.FieldAccountID, Err: errors.New(
			"nothing is known of which accounts a user belongs to: name the account, or set input.identity.users_without_account to resolve")}
	}
	c := asked(ControlEraseUser, ev)
	c.User, c.Account = ev.UserID, ev.AccountID
	return c, nil
}
