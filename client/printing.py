"""Make text from elsewhere safe to print: no name or message can steer the terminal."""


def printable(text: str) -> str:
    """Replace whatever is not printable, control codes and line ends among it, by a space."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
