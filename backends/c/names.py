"""Names from a model on their way into C: identifiers and the text of comments.

Nothing a model calls its nodes reaches C in any other way. In a string literal stands the text of a comment, without
its quotes.
"""

from __future__ import annotations

import re

# Words a C or C++ compiler, its headers or the Arduino core would take for something else.
_WORDS = """
    asm auto bool break case catch char class complex const constexpr continue default delete do double else enum errno
    explicit export extern false final float for friend goto if import inline int int8_t int16_t int32_t int64_t long
    main module mutable namespace new nullptr operator override private protected public register restrict return short
    signed sizeof static struct switch template this throw true try typedef typename uint8_t uint16_t uint32_t uint64_t
    union unsigned using virtual void volatile wchar_t while and or not xor linux unix concept
    abs ceil erf exp floor log pow round sqrt tanh INFINITY NAN NULL INPUT OUTPUT HIGH LOW
"""
_RESERVED = frozenset(_WORDS.split())

_LONGEST = 40


def identifier(text: str) -> str:
    """A C identifier that resembles the text: letters, digits and single underscores, never reserved.

    Different texts may give one identifier; `Names` keeps them apart.
    """
    word = re.sub(r"[^A-Za-z0-9]+", "_", text)[:_LONGEST].strip("_")
    if not word or word[0].isdigit():
        word = f"v{word}" if word else "v"
    return f"{word}_" if word in _RESERVED or word.startswith("tinyc") else word


def comment(text: str) -> str:
    """The text as it may stand within a comment: printable ASCII that can end, splice or nest nothing."""
    shown = text if len(text) <= 120 else f"{text[:117]}..."
    return "".join(c if " " <= c <= "~" and c not in "\\*?" else f"<U+{ord(c):04X}>" for c in shown)


class Names:
    """Identifiers of one scope: each name handed out is new.

    Identifiers differ in more than case, so that macros made of them differ too.
    """

    def __init__(self, *taken: str) -> None:
        self._taken = {name.lower() for name in taken}

    def fresh(self, text: str, prefix: str = "") -> str:
        """An identifier for the text that was not handed out before."""
        word = prefix + identifier(text)
        name, number = word, 1
        while name.lower() in self._taken:
            number += 1
            name = f"{word}_{number}"
        self._taken.add(name.lower())
        return name
