package pipeline

import "github.com/twmb/franz-go/pkg/kgo"

// EraseAccount returns the record that asks an account to forget everything, for its partition of the usage topic, as a source's
// event would: somebody asks at a time, in ms since the Unix epoch.
func EraseAccount(usage Topic, accountID string, at int64) (*kgo.Record, error) {
	return (&Control{Kind: ControlEraseAccount, Account: accountID, At: at}).record(usage, accountID)
}

// EraseUser returns the record that asks an account to forget a user, for the account's partition of the usage topic.
func EraseUser(usage Topic, userID, accountID string, at int64) (*kgo.Record, error) {
	return (&Control{Kind: ControlEraseUser, User: userID, Account: accountID, At: at}).record(usage, accountID)
}

// EraseUnresolved returns the record that asks for a user to be forgotten, for the user's partition of the topic of unresolved
// events: resolve asks the accounts that it knows.
func EraseUnresolved(unresolved Topic, userID string, at int64) (*kgo.Record, error) {
	return (&Control{Kind: ControlEraseUser, User: userID, At: at}).record(unresolved, userID)
}

// record is the control's record where no record has led to it, in the partition of the account or user that it is to.
func (c *Control) record(to Topic, id string) (*kgo.Record, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &kgo.Record{
		Topic: to.Name, Partition: to.partition([]byte(id)), Value: c.encode(),
		Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(c.Kind)}},
	}, nil
}
