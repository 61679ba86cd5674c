package stream

import "bytes"

// lineLimit is the longest line that is decoded, in bytes. Agents write a whole answer, and a tool's whole output,
// as one line.
const lineLimit = 64 << 20

// line is one line of a log, without its end.
type line struct {
	text []byte // valid until the next call
	end  int64  // offset just behind it
	long bool   // over the limit: text is empty
}

// cutter cuts a stream into lines. An over-long line costs no memory and ends nothing.
type cutter struct {
	limit  int
	offset int64 // of the next byte
	buf    []byte
	skip   bool // in an over-long line
}

// feed takes the next bytes and calls each for every line that they end; it stops when each fails.
func (c *cutter) feed(b []byte, each func(line) error) error {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			c.keep(b)
			return nil
		}
		c.keep(b[:i])
		c.offset++ // the line's end
		b = b[i+1:]
		if err := c.flush(each); err != nil {
			return err
		}
	}
	return nil
}

// rest calls each for what follows the last line's end, if there is anything.
func (c *cutter) rest(each func(line) error) error {
	if len(c.buf) == 0 && !c.skip {
		return nil
	}
	return c.flush(each)
}

func (c *cutter) keep(b []byte) {
	c.offset += int64(len(b))
	if c.skip || len(c.buf)+len(b) > c.limit {
		c.skip, c.buf = true, nil
		return
	}
	c.buf = append(c.buf, b...)
}

func (c *cutter) flush(each func(line) error) error {
	l := line{text: bytes.TrimSuffix(c.buf, []byte("\r")), end: c.offset, long: c.skip}
	err := each(l)
	c.skip, c.buf = false, c.buf[:0]
	if cap(c.buf) > 1<<20 {
		c.buf = nil
	}
	return err
}
