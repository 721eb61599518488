// Package browser_test opens the page of report html in a real browser.
package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/page"
	"github.com/epperf/epperf/go/internal/page/pagetest"
)

func write(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := page.Write(&out, pagetest.Rich(t)); err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"); folder != "" { // for who wants to look
		if err := os.WriteFile(filepath.Join(folder, "page.html"), out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// probe is what a browser is asked of a page: does it fit, has every figure something that is drawn, and
// how far do words and lines stand out from what is behind them?
const probe = `<script>addEventListener("load", () => {
  const parts = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => parts(c).slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (parts(c).length < 4 || parts(c)[3] > 0) return c; } return "rgb(255,255,255)"; };
  const contrast = (e, c) => { const [a, b] = [light(c), light(behind(e))].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
  const least = (of, colour) => Math.min(...[...document.querySelectorAll(of)].map(e => contrast(e, colour(getComputedStyle(e)))));
  const figures = [...document.querySelectorAll("figure")];
  const drawn = f => [...f.querySelectorAll(".line, .mark, .bar, .cells")].some(m => { const b = m.getBoundingClientRect(); return b.width > 1 || b.height > 1; });
  const found = {
    width: innerWidth, needs: document.documentElement.scrollWidth, figures: figures.length,
    empty: figures.filter(f => !drawn(f)).map(f => f.id), dark: light(getComputedStyle(document.body).backgroundColor) < 0.2,
    words: least("h1, h2, h3, p, figcaption, li, th, td, summary, pre", s => s.color),
    letters: least("svg text", s => s.fill), lines: least(".line", s => s.stroke), bars: least(".bar", s => s.fill),
    small: Math.min(...[...document.querySelectorAll("svg text")].map(e => e.getBoundingClientRect().height)),
  };
  const pre = document.createElement("pre"); pre.id = "found"; pre.textContent = JSON.stringify(found); document.body.append(pre);
});</script>`

type found struct {
	Width, Needs, Figures              int
	Empty                              []string
	Dark                               bool
	Words, Letters, Lines, Bars, Small float64
}

// browser returns Chromium; without one the test is skipped, and says so.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("skipped: no browser on this machine; Debian's is in the package chromium")
	return ""
}

// open opens a page and returns its elements as they are then, and what it said on its console.
func open(t *testing.T, text string, flags ...string) (dom, console string) {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "page.html")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser(t), append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr",
		"--user-data-dir=" + filepath.Join(folder, "profile"), "--dump-dom",
	}, append(flags, "file://"+path)...)...)
	cmd.Env = append(os.Environ(), "HOME="+folder)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "CONSOLE") && !strings.Contains(line, "source: chrome://") { // the browser's own pages talk
			console += line
		}
	}
	return stdout.String(), console
}

// probed is a page that tells of itself; its own rules forbid scripts.
func probed(t *testing.T, text string) string {
	t.Helper()
	const forbids, allows = "default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';"
	if !strings.Contains(text, forbids) {
		t.Fatal("the page allows scripts")
	}
	return strings.Replace(strings.Replace(text, forbids, allows, 1), "</head>", probe+"</head>", 1)
}

func TestInABrowser(t *testing.T) {
	text := write(t)
	for name, flags := range map[string][]string{
		"light":            {"--window-size=1280,900", "--blink-settings=preferredColorScheme=1"},
		"dark":             {"--window-size=1280,900", "--blink-settings=preferredColorScheme=0"},
		"light on a phone": {"--window-size=500,900", "--blink-settings=preferredColorScheme=1"},
		"dark on a phone":  {"--window-size=390,844", "--blink-settings=preferredColorScheme=0"},
	} {
		t.Run(name, func(t *testing.T) {
			dom, console := open(t, probed(t, text), flags...)
			if console != "" {
				t.Errorf("the console says %s", console)
			}
			got := regexp.MustCompile(`(?s)<pre id="found">(.*?)</pre>`).FindStringSubmatch(dom)
			if got == nil {
				t.Fatal("the page does not tell of itself")
			}
			var is found
			if err := json.Unmarshal([]byte(html.UnescapeString(got[1])), &is); err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", is)
			if is.Figures < 15 || len(is.Empty) > 0 {
				t.Errorf("%d figures, nothing is drawn in %v", is.Figures, is.Empty)
			}
			if is.Needs > is.Width {
				t.Errorf("the page needs %d pixels of %d", is.Needs, is.Width)
			}
			if is.Dark != strings.HasPrefix(name, "dark") {
				t.Errorf("dark: %t", is.Dark)
			}
			// WCAG AA: 4.5 for words, 3 for what is drawn.
			if is.Words < 4.5 || is.Letters < 4.5 || is.Lines < 3 || is.Bars < 3 {
				t.Errorf("contrast of words %.1f, letters %.1f, lines %.1f, bars %.1f", is.Words, is.Letters, is.Lines, is.Bars)
			}
			if is.Small < 8 {
				t.Errorf("letters of %.1f pixels", is.Small)
			}
		})
	}
}

// As it is written, rules included, a page says nothing on its console; what one says is heard.
func TestTheConsoleStaysEmpty(t *testing.T) {
	text := write(t)
	if _, console := open(t, text); console != "" {
		t.Errorf("the console says %s", console)
	}
	planted := strings.Replace(text, "</body>", `<img src="http://127.0.0.1:9/x.png"></body>`, 1)
	if _, console := open(t, planted); console == "" {
		t.Error("a page that asks a network is not heard: this test cannot fail")
	}
}
