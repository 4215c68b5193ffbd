"""Files that are no UTF-8, or text that does not show what it is."""

from __future__ import annotations

from tests.unit.fleet.hostile.case import BASE, Case, based, content, marked

_HIDDEN = {
    "nul": "\0",
    "escape": "\x1b",
    "backspace": "\b",
    "bell": "\a",
    "carriage-return": "\r",
    "vertical-tab": "\v",
    "delete": "\x7f",
    "next-line": "\x85",
    "control-sequence-introducer": "\x9b",
    "soft-hyphen": "\xad",
    "arabic-letter-mark": "\u061c",
    "hangul-filler": "\u3164",
    "zero-width-space": "\u200b",
    "left-to-right-mark": "\u200e",
    "line-separator": "\u2028",
    "paragraph-separator": "\u2029",
    "right-to-left-override": "\u202e",
    "word-joiner": "\u2060",
    "invisible-times": "\u2062",
    "first-strong-isolate": "\u2068",
    "byte-order-mark-inside": "\ufeff",
    "interlinear-annotation": "\ufff9",
    "tag-letter": "\U000e0041",
    "variation-selector-of-no-emoji": "\U000e0141",
}

CASES: dict[str, Case] = {
    "utf-16": content(BASE.encode("utf-16"), "not-utf-8"),
    "utf-16-big-endian": content(b"\xfe\xff" + BASE.encode("utf-16-be"), "not-utf-8"),
    "utf-16-without-mark": content(BASE.encode("utf-16-le"), "control-character", 1, 2),
    "utf-32": content(BASE.encode("utf-32"), "not-utf-8"),
    "utf-32-big-endian": content(b"\0\0\xfe\xff" + BASE.encode("utf-32-be"), "not-utf-8"),
    "utf-32-without-mark": content(BASE.encode("utf-32-le"), "control-character", 1, 2),
    "utf-7-is-just-text": content(b"+AHY-ersion: 1\n", "missing-key"),
    "latin-1": content(b"version: 1\nfleet: {name: caf\xe9}\n", "not-utf-8", 2, 18),
    "latin-1-after-a-tab-and-an-umlaut": content("# ä\tö".encode() + b"\xe9\n", "not-utf-8", 1, 6),
    "overlong-slash": content(b"version: 1\nfleet: {name: a\xc0\xafb}\n", "not-utf-8", 2, 16),
    "overlong-nul": content(b"version: 1\nfleet: {name: a\xc0\x80b}\n", "not-utf-8", 2, 16),
    "surrogate": content(b"version: 1\nfleet: {name: a\xed\xa0\x80b}\n", "not-utf-8", 2, 16),
    "surrogate-pair-as-two": content(b"version: 1 # \xed\xa0\xbd\xed\xb8\x80\n", "not-utf-8", 1, 14),
    "beyond-unicode": content(b"version: 1 # \xf5\x80\x80\x80\n", "not-utf-8", 1, 14),
    "cut-in-a-character": content(BASE.encode() + b"# \xe2\x82", "not-utf-8", BASE.count("\n") + 1, 3),
    "only-a-byte-order-mark": content(b"\xef\xbb\xbf", "empty-file"),
    "two-byte-order-marks": content("\ufeff\ufeff" + BASE, "control-character", 1, 1),
    "gzip": content(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "not-utf-8", 1, 2),
    "elf": content(b"\x7fELF\x02\x01\x01\x00\x00", "control-character", 1, 1),
    "no-character": content("version: 1 # \ufffe\n", "control-character", 1, 14),
    "no-character-in-a-name": content("version: 1\nfleet: {name: a\uffffb}\n", "control-character", 2, 16),
    "written-surrogate": marked('version: 1\nfleet: {name: "a\\u‸d800"}\n', "not-yaml"),
    "written-beyond-unicode": marked('version: 1\nfleet: {name: "a\\U‸00110000"}\n', "not-yaml"),
    **{
        f"{name}-in-a-comment": marked(f"{BASE}# safe ‸{text} here\n", "control-character")
        for name, text in _HIDDEN.items()
    },
    **{
        f"{name}-in-quotes": based("{name: x}", f'{{name: x, description: "safe ‸{text} here"}}', "control-character")
        for name, text in _HIDDEN.items()
    },
    **{
        f"{name}-written-as-an-escape": based(
            "{name: x}", f'{{name: x, description: ‸"safe \\U{ord(text):08x} here"}}', "control-character"
        )
        for name, text in _HIDDEN.items()
    },
    **{
        f"{name}-in-a-key": based("{name: x}", f'{{name: x, ‸"\\U{ord(text):08x}": x}}', "control-character")
        for name, text in _HIDDEN.items()
    },
}
