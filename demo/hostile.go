package demo

import "strings"

// Names and texts that have broken other consoles. They are in every corpus, so
// that developers see them on each page from the start.

// oddNames are names of honest contributors: a strange name is no offence.
var oddNames = []string{
	"<script>alert('name')</script>",
	`"><img src=x onerror=alert(1)>`,
	"Robert'); DROP TABLE users;--",
	"{{.Password}} ${7*7} %s%n",
	"nimda\u202egnp.exe",          // shown in reverse after the override
	"inv\u200bisi\u200bble\u2060", // zero-width characters
	"",                            // a user whom Open-Assistant could not ban
	"   ",
	"🦄🌈👩‍👩‍👧‍👦🏴‍☠️",
	"Z̴̛̳a̷͎͝l̶̰̚g̵̱̈́o̸͈̽ ̵̰͒f̷̺͑r̶̞̀i̵̗͝e̸̥͝n̵̮̾d̸̟̄",
	"Maximiliana Theodora Konstantina Alexandra von und zu Hohenlindenberg-Schwarzenstein auf Unterammersfelden und " +
		"Oberwiesenthal-Kaltenbrunn geborene Freifrau von der Mühlenhardt",
	"LlanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogochPostmasterGeneralEmeritus",
	"عبد الرحمن بن محمد بن عبد الله بن يوسف الأندلسي القرطبي المعروف بابن الورّاق صاحب المكتبة الكبيرة",
	"אלכסנדר־יהונתן בן־ציון הלוי מירושלים (לשעבר חיפה)",
	"محمدرضا حسینی\u200cنژاد",
	"👍 +1 =SUM(A1:A9)",
}

// oddTexts are texts of honest contributors, as prompts and as replies.
var oddTexts = []string{
	"Why does <script>alert('text')</script> not do anything when I type it here?",
	"<img src=x onerror=\"alert(document.cookie)\"> is how I sign my messages.",
	"What does '; DROP TABLE messages; -- mean? My teacher laughed at it.",
	"[Click here](javascript:alert(1)) or look at ![a picture](https://pictures.example/cat.png).",
	"</div></main></body><h1>This page is mine now</h1><!--",
	"My file is called \u202etxt.exe\u202c and my keyboard types \u200b\u200b\u200bnothing\u200b\u200b.",
	"Is \u2067this\u2069 mixed: שלום hello مرحبا 123 world? And (this) ) one?",
	"A" + strings.Repeat("a", 219),
	"```\nan open code block with ``` inside and no end\n\n# not a heading",
	"> > > > > > > > quoted far too deep\n\n* * *\n\n| broken | table\n|---\n| x",
	"{{.Title}} <%= 7*7 %> ${process.env} #{1+1} — none of this should be 49.",
	"H̷̡̪̯ͨ͊̽̅̾̎e̶̡̟ͮ̏ͧ c̵̥̓ͭ͐ö̶̯́m̴͍̒e̷ͧs, how do I stop it?",
	"&lt;b&gt;already escaped&lt;/b&gt; &amp; <b>not escaped</b> & &nbsp; alone",
	"\ufeffA line that begins with a byte order mark,\r\nthen a Windows line end,\r\tand a tab.",
}
