package main

import (
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	width     = 1200.0
	rowHeight = 17
	narrowest = 0.6 // what is narrower is left out, with all above it
	character = 6.6 // width
)

type box struct {
	x, width float64
	depth    int
	node     *node
}

func draw(w io.Writer, root *node) error {
	boxes := layOut(nil, root, 0, width/float64(root.spent), 0)
	deepest := 0
	for _, b := range boxes {
		deepest = max(deepest, b.depth)
	}
	height := (deepest + 1) * rowHeight
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %d" font-family="monospace" font-size="11">`+"\n", width, height)
	for _, b := range boxes {
		y := height - (b.depth+1)*rowHeight
		fmt.Fprintf(&s, `<g><title>%s, %.1f %%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" stroke="white" stroke-width="0.5"/>`,
			escape(b.node.name), 100*float64(b.node.spent)/float64(root.spent), b.x, y, b.width, rowHeight-1, colour(b.node.name))
		if label := fit(b.node.name, b.width); label != "" {
			fmt.Fprintf(&s, `<text x="%.1f" y="%d">%s</text>`, b.x+3, y+rowHeight-5, escape(label))
		}
		s.WriteString("</g>\n")
	}
	s.WriteString("</svg>\n")
	_, err := io.WriteString(w, s.String())
	return err
}

// layOut places a node at x and what it called above it, the most expensive first.
func layOut(boxes []box, n *node, x, perNanosecond float64, depth int) []box {
	wide := float64(n.spent) * perNanosecond
	if wide < narrowest {
		return boxes
	}
	boxes = append(boxes, box{x, wide, depth, n})
	called := slices.SortedFunc(maps.Values(n.called), func(a, b *node) int {
		if a.spent != b.spent {
			return int(min(max(b.spent-a.spent, -time.Nanosecond), time.Nanosecond))
		}
		return strings.Compare(a.name, b.name)
	})
	for _, c := range called {
		boxes = layOut(boxes, c, x, perNanosecond, depth+1)
		x += float64(c.spent) * perNanosecond
	}
	return boxes
}

// fit returns as much of a function's name, without its package's path, as a box has room for.
func fit(name string, width float64) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	room := int((width - 6) / character)
	switch {
	case room < 3:
		return ""
	case len(name) > room:
		return name[:room-1] + "…"
	}
	return name
}

// colour is the same for all functions of a package: warm for the program's own, cold for others'.
func colour(name string) string {
	slash := strings.LastIndexByte(name, '/')
	pkg := name[:slash+1] + strings.SplitN(name[slash+1:], ".", 2)[0]
	h := fnv.New32a()
	_, _ = h.Write([]byte(pkg)) // it returns no error
	hue, lightness := 190+h.Sum32()%60, 72+h.Sum32()>>8%12
	if strings.Contains(pkg, "pqlstream") {
		hue = 10 + h.Sum32()%45
	}
	return fmt.Sprintf("hsl(%d 65%% %d%%)", hue, lightness)
}

func escape(text string) string {
	var s strings.Builder
	_ = xml.EscapeText(&s, []byte(text)) // a Builder takes everything
	return s.String()
}
