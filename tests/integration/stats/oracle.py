"""What `stats` must answer, computed with Python's csv and fractions: an implementation that shares nothing with it."""
import math
import re
from fractions import Fraction

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Number:
    """A text as a number: exact, and with its fraction digits where it is a decimal."""

    def __init__(self, text):
        self.text = text
        mantissa = text.lower()
        digits = len(mantissa.split(".")[1]) if "." in mantissa and "e" not in mantissa else 0
        self.is_decimal = "e" not in mantissa and digits <= 18 and abs(Fraction(text)) < 10**20
        self.digits = digits if self.is_decimal else None
        self.exact = Fraction(text) if self.is_decimal else Fraction(float(text))
        # Ties of value: decimals before doubles, fewer digits first.
        self.key = (self.exact, 0 if self.is_decimal else 1, digits)

    def shown(self):
        return decimal_text(self.exact, self.digits) if self.is_decimal else float(self.exact)


def number_of(text):
    return Number(text) if NUMBER.fullmatch(text) else None


def decimal_text(value, digits):
    """Exact: `digits` hold the value."""
    scaled = value * 10**digits
    assert scaled.denominator == 1
    text = str(abs(scaled.numerator)).rjust(digits + 1, "0")
    text = text[:-digits] + "." + text[-digits:] if digits else text
    return "-" + text if scaled < 0 else text


def rounded_text(value, digits):
    """Halves towards plus infinity."""
    return decimal_text(Fraction(math.floor(value * 10**digits + Fraction(1, 2)), 10**digits), digits)


def nearest(value):
    return value.numerator / value.denominator  # Python rounds the true quotient once


def nearest_root(value):
    """The double nearest to the square root: 60 extra bits, and an odd one for what was cut."""
    if value == 0:
        return 0.0
    shift = 2 * (120 + max(0, value.denominator.bit_length() - value.numerator.bit_length()))
    scaled = (value.numerator << shift) // value.denominator
    root = math.isqrt(scaled)
    exact = root * root == scaled and (value.numerator << shift) % value.denominator == 0
    return nearest(Fraction(2 * root + (0 if exact else 1), 2 << (shift // 2)))


def order_key(text):
    number = number_of(text)
    return (0, number.key, "") if number else (1, (0, 0, 0), text.encode())


def aggregate(function, texts, decimals=None):
    """Over the texts of a group that are not null. None is null; floats are compared as such."""
    if function == "count":
        return len(texts)
    if function == "distinct":
        return len(set(texts))
    if function == "approx_distinct":
        assert len(set(texts)) <= 1024
        return len(set(texts))
    if not texts:
        return None
    if function in ("min", "max"):
        best = (min if function == "min" else max)(texts, key=order_key)
        number = number_of(best)
        if number is None:
            return best
        return rounded_text(number.exact, decimals) if decimals is not None else number.shown()
    if function == "mode":
        counts = {}
        for text in texts:
            counts[text] = counts.get(text, 0) + 1

        def rank(text):
            number = number_of(text)
            return (-counts[text], 0 if number else 1, number.exact if number else 0, text.encode())
        return min(counts, key=rank)
    numbers = [number_of(text) for text in texts]
    values = [number.exact for number in numbers]
    n = len(values)
    total = sum(values)
    if function == "sum":
        if decimals is not None:
            return rounded_text(total, decimals)
        if all(number.is_decimal for number in numbers):
            return decimal_text(total, max(number.digits for number in numbers))
        return nearest(total)
    if function == "mean":
        return rounded_text(total / n, decimals) if decimals is not None else nearest(total / n)
    if function in ("median", "p90"):
        assert n <= 512
        place = (Fraction(1, 2) if function == "median" else Fraction(9, 10)) * (n - 1)
        ordered = [Fraction(repr(nearest(value))) for value in sorted(values)]  # as they are printed
        low = ordered[math.floor(place)]
        value = low + (ordered[math.ceil(place)] - low) * (place - math.floor(place))
        return rounded_text(value, decimals) if decimals is not None else nearest(value)
    divisor = n if function.endswith("_pop") else n - 1
    if divisor == 0:
        return None
    variance = sum((value - total / n) ** 2 for value in values) / divisor
    if function.startswith("var"):
        return rounded_text(variance, decimals) if decimals is not None else nearest(variance)
    if decimals is not None:
        return decimal_text(Fraction((math.isqrt(math.floor(4 * variance * 10**(2 * decimals))) + 1) // 2, 10**decimals),
                            decimals)
    return nearest_root(variance)


def answer(header, rows, by, aggregates, where=lambda row: True, null="", decimals=None):
    """Result rows ordered bytewise by key: keys, then aggregates as (function, column or None for rows)."""
    place = {name: index for index, name in enumerate(header)}
    groups = {}
    for row in rows:
        if where(row):
            groups.setdefault(tuple(row[place[name]] for name in by), []).append(row)
    if not by and not groups:
        groups[()] = []
    # A null key comes last.
    ordered = sorted(groups, key=lambda key: [(part == null, part.encode()) for part in key])
    result = []
    for key in ordered:
        cells = [None if part == null else part for part in key]
        for function, column in aggregates:
            if column is None:
                cells.append(len(groups[key]))
            else:
                texts = [row[place[column]] for row in groups[key] if row[place[column]] != null]
                cells.append(aggregate(function, texts, decimals))
        result.append(cells)
    return result
