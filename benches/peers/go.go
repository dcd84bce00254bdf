// Go's net package, put to the harness's measures. usage: go MEASURE [ARGUMENT...]
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	message = 64
	batch   = 20
	timeout = 10 * time.Second
)

func check(err error) {
	if err != nil {
		fmt.Println("fail", err)
		os.Exit(0)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func printMedian(times []int, each float64) {
	sort.Ints(times)
	fmt.Println(float64(times[len(times)/2]) / each)
}

// The server is the harness's, which makes plain calls.
func request(length, batches string) {
	server := exec.Command(os.Getenv("BENCH"), "server", length)
	output, err := server.StdoutPipe()
	check(err)
	check(server.Start())
	var port int
	_, err = fmt.Fscan(output, &port)
	check(err)
	connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	check(err)
	question, answer := make([]byte, message), make([]byte, number(length))
	var times []int
	for i := 0; i <= number(batches); i++ {
		start := time.Now()
		for j := 0; j < batch; j++ {
			check(connection.SetDeadline(time.Now().Add(timeout)))
			_, err = connection.Write(question)
			check(err)
			_, err = io.ReadFull(connection, answer)
			check(err)
		}
		if i > 0 {
			times = append(times, int(time.Since(start)))
		}
	}
	connection.Close()
	server.Wait()
	printMedian(times, batch)
}

func cancel(count string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	var times []int
	for i := 0; i < number(count); i++ {
		connection, err := net.Dial("tcp", listener.Addr().String())
		check(err)
		other, err := listener.Accept()
		check(err)
		returned := make(chan time.Time)
		go func() {
			connection.Read(make([]byte, message))
			returned <- time.Now()
		}()
		time.Sleep(2 * time.Millisecond)
		start := time.Now()
		connection.SetReadDeadline(time.Unix(1, 0))
		times = append(times, int((<-returned).Sub(start)))
		connection.Close()
		other.Close()
	}
	printMedian(times, 1)
}

func main() {
	switch arguments := os.Args[2:]; os.Args[1] {
	case "version":
		fmt.Println("go", strings.TrimPrefix(runtime.Version(), "go"))
	case "request":
		request(arguments[0], arguments[1])
	case "cancel":
		cancel(arguments[0])
	}
}
