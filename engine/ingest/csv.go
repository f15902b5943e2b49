package ingest

type csvState struct{}

func (s *Scanner) scanCSV(body []byte) (*Result, error) { return nil, ErrHeader }
