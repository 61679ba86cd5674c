package archtest

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Check returns what is wrong with the tree below root, one sentence each, in the order of the files. architecture
// is the text of docs/architecture.md.
func Check(root fs.FS, architecture string) ([]string, error) {
	files, err := load(root)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for _, f := range files {
		wrong = append(wrong, checkFile(f)...)
	}
	wrong = append(wrong, checkComments(files)...)
	wrong = append(wrong, checkMap(root, files, architecture)...)
	return wrong, nil
}

func checkFile(f file) []string {
	var wrong []string
	for _, target := range f.imports {
		if folder, ok := local(target); ok {
			if !f.test && !mayImport(f.folder, folder) {
				wrong = append(wrong, fmt.Sprintf("%s: %s may not import %s", f.path, f.folder, folder))
			}
			continue
		}
		if thirdParty(target) && !mayUse(f, target) {
			wrong = append(wrong, fmt.Sprintf("%s: %s does not belong here", f.path, target))
		}
	}
	return wrong
}

// rule finds the arrows of a folder: its own, else those of the drivers of its port.
func rule(folder string) (allowed []string, ok bool) {
	if allowed, ok = arrows[folder]; ok {
		return allowed, true
	}
	allowed, ok = arrows[path.Dir(folder)+"/*"]
	return allowed, ok
}

func mayImport(from, to string) bool {
	allowed, _ := rule(from)
	return slices.Contains(allowed, to) || slices.Contains(allowed, anything)
}

func mayUse(f file, target string) bool {
	for prefix, rooms := range fences {
		if !within(target, prefix) {
			continue
		}
		for _, room := range rooms {
			if room == testsOnly && (f.test || strings.HasSuffix(f.folder, "test")) {
				return true
			}
			if within(f.folder, room) {
				return true
			}
		}
	}
	return false
}

// checkComments wants exactly one comment per package, and a place for each package in the rules.
func checkComments(files []file) []string {
	comments := map[string][]string{}
	var folders []string
	for _, f := range files {
		if f.test {
			continue
		}
		if _, seen := comments[f.folder]; !seen {
			comments[f.folder] = nil
			folders = append(folders, f.folder)
		}
		if f.comment {
			comments[f.folder] = append(comments[f.folder], path.Base(f.path))
		}
	}
	var wrong []string
	for _, folder := range folders {
		switch found := comments[folder]; {
		case len(found) == 0:
			wrong = append(wrong, folder+": no package comment")
		case len(found) > 1:
			wrong = append(wrong, fmt.Sprintf("%s: %d package comments (%s)", folder, len(found), strings.Join(found, ", ")))
		}
		if _, ok := rule(folder); !ok {
			wrong = append(wrong, folder+": no rule says what it may import")
		}
	}
	return wrong
}

// checkMap holds the map (the lines of code blocks that begin with a path ending in a slash) against the folders.
func checkMap(root fs.FS, files []file, architecture string) []string {
	drawn := map[string]bool{}
	var wrong []string
	code := false
	for line := range strings.Lines(architecture) {
		if strings.HasPrefix(line, "```") {
			code = !code
			continue
		}
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		folder, ok := strings.CutSuffix(first, "/")
		if !code || !ok || folder == "" || !fs.ValidPath(folder) {
			continue
		}
		drawn[folder] = true
		if st, err := fs.Stat(root, folder); err != nil || !st.IsDir() {
			wrong = append(wrong, "docs/architecture.md: "+folder+" is on the map but does not exist")
		}
	}
	missing := map[string]bool{}
	for _, f := range files {
		if !drawn[f.folder] && !missing[f.folder] {
			missing[f.folder] = true
			wrong = append(wrong, "docs/architecture.md: "+f.folder+" is not on the map")
		}
	}
	return wrong
}
