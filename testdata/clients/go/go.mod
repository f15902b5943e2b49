module cairn-clients

go 1.26

require (
	github.com/amplitude/analytics-go v1.3.0
	github.com/mixpanel/mixpanel-go v1.2.1
)

require github.com/google/uuid v1.3.0 // indirect
