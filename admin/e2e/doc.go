// Package e2e holds the tests that drive the console in a browser, on the
// demonstration corpus: the main job of a moderator, accessibility, hostile
// input, and the pictures of the README. It has no code but tests.
//
// The tests need Chromium. Without it they are skipped, which "make test"
// reports, or fail if TREEWARDEN_REQUIRE_BROWSER=1 or CI=true.
package e2e
