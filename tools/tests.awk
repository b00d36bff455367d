# Reads the output of "go test -v": one line for each package, everything about
# those that failed, and at the end, loudly, which tests did not run and why.
# With require_browser=1 a test that lacked a browser is a failure.

function squeeze(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }

# A test's messages come before its verdict, or after it in a parallel one.
function reason(name,   why) { why = said[name]; sub(/^[a-zA-Z0-9_]+\.go:[0-9]+: /, "", why); return why }

function forget(   k) { for (k in said) delete said[k]; lines = 0; skips = 0; current = "" }

/^=== (RUN|CONT|NAME)/ { current = $3; next }
/^=== PAUSE/ { next }

/^[ \t]*--- SKIP: / {
	name = $0; sub(/^[ \t]*--- SKIP: /, "", name); sub(/ \([0-9.]+s\)$/, "", name)
	skipped[++skips] = name
	current = name
	next
}
/^[ \t]*--- PASS: / { current = ""; next }
/^[ \t]*--- FAIL: / { current = ""; kept[++lines] = $0; next }
/^PASS$/ { next }

/^(ok|FAIL|---|\?)[ \t]+[a-z][^ \t]*(\/|\t|$)/ || /^(ok|FAIL)[ \t]+treewarden/ {
	package = $2
	if ($1 == "FAIL") {
		for (i = 1; i <= lines; i++) print kept[i]
		failed[++failures] = package
	}
	if ($0 !~ /\[no test files\]/) print
	for (i = 1; i <= skips; i++) {
		missing[++missed] = sprintf("  %-32s %s", package, skipped[i])
		why = reason(skipped[i])
		because[missed] = why
		if (why ~ /[Cc]hromium/) browser++
	}
	forget()
	fflush()
	next
}

{
	if (current != "" && said[current] == "" && squeeze($0) != "") said[current] = squeeze($0)
	kept[++lines] = $0
}

END {
	for (i = 1; i <= lines; i++) print kept[i] # of a package that did not even build, or of go itself
	if (missed) {
		rule = "================================================================================"
		print "\n" rule
		print missed (missed == 1 ? " TEST DID NOT RUN:" : " TESTS DID NOT RUN:")
		for (i = 1; i <= missed; i++) {
			print missing[i]
			if (because[i] != "") print "      " because[i]
		}
		if (browser) {
			print ""
			print "The browser tests need Chromium: \"apt-get install chromium\" (Debian, Ubuntu),"
			print "\"dnf install chromium\" (Fedora), \"brew install --cask chromium\" (macOS)."
		}
		print rule
	}
	if (failures) {
		printf "\nFAILED:"
		for (i = 1; i <= failures; i++) printf " %s", failed[i]
		print ""
	}
	if (browser && require_browser == 1) {
		print "\nFAILED: the browser tests are required here (CI or TREEWARDEN_REQUIRE_BROWSER is set)."
		exit 1
	}
}
