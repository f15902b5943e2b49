package server

func getOpenAPI(r *request) error { return nil }
