package exec

import "cairn/engine/event"

// property returns the profile property that is all an expression looks at; nil if it looks at something
// else.
func (p *program) property() *userValues {
	var found *userValues
	for _, l := range p.leaves {
		if l.perUser == nil || l.perUser.profile == nil || found != nil && l.perUser != found {
			return nil
		}
		found = l.perUser
	}
	return found
}

// propertyRow evaluates programs on one value of the property that they look at.
type propertyRow struct{ value event.Value }

// Value implements scalar.Row.
func (r propertyRow) Value(int) event.Value { return r.value }

// perUser returns the value of an inputPerUser for a user.
func (in *input) perUser(user uint32) event.Value {
	return in.program.value(&userReader{x: in.x, p: in.program, user: user})
}

// perUserGids puts the numbers of an inputPerUser's values in the place of dense ids of users. A user's rows
// lie together.
func (k *keyColumn) perUserGids(users []uint32) {
	last, gid := ^uint32(0), uint32(0)
	for i, u := range users {
		if u != last {
			last, gid = u, k.perUserGid(u)
		}
		users[i] = gid
	}
}

func (k *keyColumn) perUserGid(user uint32) uint32 {
	if k.property == nil {
		return k.ids.intern(k.perUser(user))
	}
	n := k.property.number(user)
	if k.byNumber == nil {
		k.byNumber = make([]uint32, len(k.property.values))
		k.ids.account.add(4 * len(k.byNumber))
	}
	if k.byNumber[n] == 0 {
		k.byNumber[n] = k.ids.intern(k.program.value(propertyRow{k.property.values[n]})) + 1
	}
	return k.byNumber[n] - 1
}

// propertyTable tells which values of the property that a condition looks at, by number, fulfil it; nil if
// that is not all that it looks at. It is made once and shared by workers.
func (c *condition) propertyTable() ([]bool, *userValues) {
	property := c.program.property()
	if property == nil {
		return nil, nil
	}
	c.once.Do(func() {
		c.byNumber = make([]bool, len(property.values))
		for n, v := range property.values {
			c.byNumber[n] = c.program.test(propertyRow{v})
		}
		property.x.Budget.Add("profile properties", len(c.byNumber))
	})
	return c.byNumber, property
}
