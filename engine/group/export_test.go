package group

// Waiting returns how many pieces wait.
func Waiting[T any](q *Queue[T]) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
