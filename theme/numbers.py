"""Numbers as people write them: 124,439,808, 1.25 × 10⁸, −0.9, and a dash where there is none.

pandas writes 124439808, 1.252e+08, -0.9 and NaN. Digits stay what they are, but for those of a
power of ten beyond the third. A column is written as one: all of it with powers of ten, or none.
"""

import re

SIGNIFICANT = 3  # digits before a power of ten
PLAIN_POWERS = range(-4, 5)  # numbers of these powers of ten need none
MISSING = {"nan", "NaN", "<NA>", "NaT"}
NOTHING = "–"
ORDINAL = {"id", "seed", "year", "released"}  # of these, thousands are not set apart
POWER = re.compile(r"([-+]?)(\d(?:\.\d+)?)e([-+]\d{2,})")
DIGITS = re.compile(r"([-+]?)(\d+)((?:\.\d+)?(?:[KMBT]|\s*%)?)")
GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?:[KMBT]|\s*%)?")
INFINITE = re.compile(r"([-+]?)inf")
NUMBERS = (POWER, DIGITS, GROUPED, INFINITE)
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write_column(texts, name="", row_names=()):
    """Return the texts of a column, as pandas writes them, for people.

    name and row_names are those of the column and of its rows. None is a gap among numbers, and
    a value among words, as in a table of settings.
    """
    powers = [int(found[3]) for text in texts for found in POWER.finditer(text)]
    plain = all(power in PLAIN_POWERS for power in powers)
    missing = MISSING | {"None"} if share_of_numbers(texts) == 1 else MISSING
    row_names = row_names or [""] * len(texts)
    return [
        NOTHING if text in missing else write(text, plain, not ORDINAL & {name, row_name})
        for text, row_name in zip(texts, row_names, strict=True)
    ]


def write(text, plain=False, grouped=True):
    """Return a number, or two with " - " between them, for people; another text as it is.

    plain is whether to write out powers of ten, grouped whether to set thousands apart.
    """
    if not is_number(text):
        return text
    ends = [write_number(end, plain, grouped) for end in text.split(" - ")]
    return (" – " if " " in "".join(ends) else "–").join(ends)


def write_number(text, plain, grouped):
    """Return one number for people."""
    if found := POWER.fullmatch(text):
        return write_power(found, plain)
    if found := INFINITE.fullmatch(text):
        return write_sign(found[1]) + "∞"
    if found := DIGITS.fullmatch(text):
        digits = f"{int(found[2]):,}" if grouped and int(found[2]) else found[2]
        return write_sign(found[1]) + digits + found[3]
    return write_sign(text[0]) + text[1:]


def write_power(found, plain):
    """Return a number that pandas has written with a power of ten, as 1.252e+08."""
    n_digits = min(SIGNIFICANT, len(found[2].replace(".", "")))
    digits, power = f"{float(found[2]):.{n_digits - 1}e}".split("e")
    power = int(power) + int(found[3])
    if plain:
        value = float(f"{digits}e{power}")
        return write_sign(found[1]) + f"{value:,.{max(0, n_digits - 1 - power)}f}"
    ten = "10" + superscript(power)
    return write_sign(found[1]) + (ten if float(digits) == 1 == n_digits else f"{digits} × {ten}")


def superscript(power):
    """Return an exponent in raised digits."""
    return str(power).translate(SUPERSCRIPTS)


def write_sign(sign):
    """Return a sign, or a digit that stands where one might, with a minus as wide as a plus."""
    return sign.replace("-", "−")


def write_powers(text):
    """Return a heading such as "N (1e9)" or "1e21 FLOP" with powers of ten for people."""
    return re.sub(r"\b1e\+?(\d+)\b", lambda found: "10" + superscript(found[1]), text)


def is_number(text):
    """Return whether a text is one number, or two with " - " between them."""
    ends = re.split(" - ", text)
    return all(any(pattern.fullmatch(end) for pattern in NUMBERS) for end in ends)


def share_of_numbers(texts):
    """Return how many of the cells of a column that say something are numbers, from 0 to 1."""
    said = [text for text in texts if text and text not in MISSING | {"None"}]
    return sum(map(is_number, said)) / max(1, len(said))
