#!/usr/bin/env python3
# oracle.py: what folds must answer, computed with Python's big integers and fractions, which share
# nothing with the code under test. Reads one request a line, writes one answer a line.
import math
import re
import struct
import sys
from fractions import Fraction

NAN = 0x7FF8000000000000


def bits_of(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def double_of(text):
    return struct.unpack("<d", struct.pack("<Q", int(text, 16)))[0]


def nearest(value):
    """The bits of the double nearest to a fraction; int / int rounds correctly in Python."""
    if value == 0:
        return 0
    try:
        return bits_of(value.numerator / value.denominator)
    except OverflowError:
        return bits_of(-math.inf if value < 0 else math.inf)


def nearest_root(value):
    """The bits of the double nearest to the square root: 200 bits of it, and one that says whether more follow."""
    if value == 0:
        return 0
    scale = 200 + max(0, value.denominator.bit_length() - value.numerator.bit_length())
    scaled, rest = divmod(value.numerator << (2 * scale), value.denominator)
    root = math.isqrt(scaled)
    more = rest != 0 or root * root != scaled
    return nearest(Fraction(4 * root + (1 if more else 0), 4 << scale))


def rounded(value, digits):
    """Half towards plus infinity; never -0."""
    units = math.floor(value * 10**digits + Fraction(1, 2))
    text = str(abs(units)).rjust(digits + 1, "0")
    if digits:
        text = text[:-digits] + "." + text[-digits:]
    return ("-" if units < 0 else "") + text


class Special(Exception):
    def __init__(self, bits):
        super().__init__()
        self.bits = bits


def parse_number(text):
    """A fraction and its fraction digits (None in the double lane), or None for no number."""
    match = re.fullmatch(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE][+-]?[0-9]+)?", text)
    if not match:
        return None
    fraction = match.group(3) or match.group(4) or ""
    if "e" not in text.lower() and len(fraction) <= 18:
        units = int((match.group(2) or "") + fraction)
        if units < 10 ** (20 + len(fraction)):
            return Fraction(-units if match.group(1) == "-" else units, 10 ** len(fraction)), len(fraction)
    return float(text), None


def values_of(kind, words):
    """The values as fractions, and the most fraction digits where all are decimals."""
    if kind == "integer":
        return [Fraction(int(word)) for word in words], 0
    if kind == "double":
        numbers = [(double_of(word), None) for word in words]
    else:
        numbers = [parse_number(word) for word in words]
    specials = {str(n) for n, digits in numbers if digits is None and not math.isfinite(n)}
    if specials:
        raise Special({"inf": 0x7FF0000000000000, "-inf": 0xFFF0000000000000}.get(specials.pop(), NAN)
                      if len(specials) == 1 else NAN)
    all_decimal = all(digits is not None for _, digits in numbers)
    return ([Fraction(n) for n, _ in numbers],
            max((digits for _, digits in numbers), default=0) if all_decimal else None)


def moments(values, divisor):
    n = len(values)
    total = sum(values, Fraction(0))
    squares = sum((v * v for v in values), Fraction(0))
    return (squares - total * total / n) / (n - 1 if divisor == "sample" else n)


def answer(line):
    request, *words = line.split()
    if request == "multiply":
        return str(int(words[0]) * int(words[1]))
    if request == "divide":
        a, b = int(words[0]), int(words[1])
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return f"{quotient} {a - quotient * b}"
    if request == "quotient":
        return f"{nearest(Fraction(int(words[0]), int(words[1]))):016x}"
    if request == "root":
        return f"{nearest_root(Fraction(int(words[0]), int(words[1]))):016x}"
    if request == "rounded":
        return rounded(Fraction(int(words[1]), int(words[2])), int(words[0]))
    if request == "number":
        text = bytes.fromhex(words[0]).decode("latin-1") if words else ""
        number = parse_number(text)
        if number is None:
            return "none"
        if number[1] is None:
            return f"double {bits_of(number[0]):016x}"
        return f"decimal {number[0] * 10 ** number[1]} {number[1]}"
    kind, what = request.split(".")
    try:
        values, digits = values_of(kind, words)
    except Special as special:
        return f"{special.bits if what in ('sum', 'mean') else NAN:016x}"
    if what == "sum":
        total = sum(values, Fraction(0))
        result = nearest(total)
        if kind == "double" and values and result not in (0, 0x7FF0000000000000, 0xFFF0000000000000):
            try:  # A second opinion, where it has one.
                assert bits_of(math.fsum(float(v) for v in values)) == result, line
            except OverflowError:
                pass
        return f"{result:016x}"
    if what == "text":
        return rounded(sum(values, Fraction(0)), digits)
    if what == "mean":
        return f"{nearest(sum(values, Fraction(0)) / len(values)):016x}"
    if what.startswith("mean_rounded"):
        return rounded(sum(values, Fraction(0)) / len(values), int(what[len("mean_rounded"):]))
    name, divisor = what.split("_")
    value = moments(values, divisor)
    return f"{(nearest_root if name == 'deviation' else nearest)(value):016x}"


def main():
    with open(sys.argv[1], encoding="ascii") as requests, open(sys.argv[2], "w", encoding="ascii") as answers:
        for line in requests:
            answers.write(answer(line.rstrip("\n")) + "\n")


if __name__ == "__main__":
    main()
