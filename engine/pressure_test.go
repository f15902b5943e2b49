package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestStandStill has background work wait for something short, and no longer than memory allows.
func TestStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan struct{})
		db := &DB{store: &store{}, opened: time.Now(), worker: &worker{stopped: stopped}, opt: Options{HotBytes: 100}}
		waited := func(pace func()) time.Duration {
			start := time.Now()
			pace()
			return time.Since(start)
		}
		for name, pace := range map[string]func(){"putting in order": db.standStill, "sealing": db.pacer()} {
			if w := waited(pace); w != 0 {
				t.Errorf("%s waits %v for nothing", name, w)
			}
			db.StandStill(5 * time.Millisecond)
			if w := waited(pace); w != 5*time.Millisecond {
				t.Errorf("%s waits %v, not 5 ms", name, w)
			}
			db.StandStill(time.Hour)
			go func() {
				time.Sleep(3 * time.Millisecond)
				db.StandStill(0)
			}()
			if w := waited(pace); w < 3*time.Millisecond || w > 3*time.Millisecond+pacePause {
				t.Errorf("%s waits %v for what took 3 ms", name, w)
			}
			db.StandStill(time.Hour)
			db.hot.bytes = int64(pacePressure * hotMax * 100)
			if w := waited(pace); w != 0 {
				t.Errorf("%s waits %v while memory is short", name, w)
			}
			db.hot.bytes = 0
			db.StandStill(0)
		}
		db.StandStill(time.Hour)
		close(stopped)
		if w := waited(db.standStill); w != 0 {
			t.Errorf("it waits %v while the store is closed", w)
		}
	})
}
