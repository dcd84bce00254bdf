package sock_test

import (
	"net"
	"testing"

	"example.com/scenario/nettest"
)

// What x/net has every net.Conn tested by.
func TestConn(t *testing.T) {
	t.Run("unix", func(t *testing.T) {
		nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
			one, other := pair(t)
			return one, other, func() { one.Close(); other.Close() }, nil
		})
	})
	t.Run("tcp", func(t *testing.T) {
		nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
			one, other := tcp(t)
			return one, other, func() { one.Close(); other.Close() }, nil
		})
	})
}
