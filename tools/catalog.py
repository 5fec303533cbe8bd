#!/usr/bin/env python3
"""Writes lib/catalog/prices.inc, the built-in price catalogue, from a table of facts.

    tools/catalog.py MODEL_PRICES.tsv [--as-of 2026-08] [--output lib/catalog/prices.inc]

The input is a tab-separated table with a header: provider, model, match, context, valid_from, note, tier_from, input, output, cache_read,
cache_write, input_audio, output_audio, cache_audio_read, per_1k_requests, source. Prices are integers, micro-USD per million tokens. One row for each tier of a
model; the rows of one model stand together.

`match` is an expression over the model's name: =TEXT equals, ^TEXT begins with, $TEXT ends with, *TEXT contains, ~REGEX, | or, & and,
parentheses. It is brought into alternatives of conjunctions here, so that the library needs neither a parser for it nor a regular expression
engine: of regular expressions only anchors, plain characters and digits (\\d, \\d{8}) are taken, and a digit is written `#`.

The output is a C++ raw string. `@NAME` begins a provider; each further line is a model:

    NAME <tab> MATCH <tab> CONTEXT <tab> PRICE [<tab> PRICE ...]

MATCH: alternatives joined by ` | `, conjunctions by ` & `, all in lower case; `.` stands for `=NAME`. CONTEXT: tokens, or empty.
PRICE: [since=YYYY-MM-DD;][utc=HH:MM-HH:MM;][from=TOKENS;]INPUT,OUTPUT,CACHED,CACHE_WRITE,AUDIO_INPUT,AUDIO_OUTPUT,NANO_USD_PER_REQUEST,CACHED_AUDIO with empty
fields for what is not priced apart, and no empty fields at the end; a model that is free has `0`.
"""

import argparse
import csv
import json
import re
import sys

PRICES = ["input", "output", "cache_read", "cache_write", "input_audio", "output_audio", "per_1k_requests", "cache_audio_read"]


def fail(row, what):
    sys.exit(f"catalog.py: {row['provider']} {row['model']}: {what}")


# --- match expressions ---------------------------------------------------------------------------------------------------------------


def tokens(text):
    """Splits at parentheses, and at | and & that stand between blanks; everything else is a term."""
    for piece in re.split(r"(\(|\)|\s[|&]\s)", text):
        piece = piece.strip()
        if piece:
            yield piece


def parse(row):
    """The expression as a list of alternatives, each a list of terms that must all match."""
    items = list(tokens(row["match"]))

    def either():
        found = both()
        while items and items[0] == "|":
            items.pop(0)
            found += both()
        return found

    def both():
        found = one()
        while items and items[0] == "&":
            items.pop(0)
            right = one()
            found = [a + b for a in found for b in right]
        return found

    def one():
        if not items:
            fail(row, "the match ends too early")
        item = items.pop(0)
        if item == "(":
            found = either()
            if not items or items.pop(0) != ")":
                fail(row, "a parenthesis is not closed")
            return found
        if item[0] not in "=^$*~" or len(item) < 2:
            fail(row, f"a term of an unknown kind: {item}")
        return [[regex(row, item[1:]) if item[0] == "~" else plain(row, item)]]

    found = either()
    if items:
        fail(row, "something follows the match")
    return found


def plain(row, term):
    if any(c in term[1:] for c in "#\t") or " | " in term or " & " in term:
        fail(row, f"a term that the format has no room for: {term}")
    return term.lower()


def regex(row, text):
    """A regular expression of anchors, plain characters and digits as a term; anything else is refused."""
    start, end = text.startswith("^"), text.endswith("$") and not text.endswith("\\$")
    text = text[start : len(text) - end]
    out = ""
    for piece in re.findall(r"\\d\{\d+\}|\\d|\\.|.", text):
        if piece.startswith("\\d"):
            out += "#" * int(piece[3:-1] or 1) if "{" in piece else "#"
        elif piece[0] == "\\":
            out += piece[1]
        elif re.fullmatch(r"[A-Za-z0-9/_:@-]", piece):
            out += piece
        else:
            fail(row, f"a regular expression that is not taken: {text}")
    return {(True, True): "=", (True, False): "^", (False, True): "$", (False, False): "*"}[(start, end)] + out.lower()


# --- rows ----------------------------------------------------------------------------------------------------------------------------


def price(row):
    out = ""
    if row["valid_from"]:
        out += f"since={row['valid_from']};"
    if row["note"]:
        note = json.loads(row["note"])
        hours = [re.fullmatch(r"(\d\d:\d\d):00Z", note.pop(key, "")) for key in ("start_time", "end_time")]
        if note or not all(hours):
            fail(row, f"a note that is not understood: {row['note']}")
        out += f"utc={hours[0][1]}-{hours[1][1]};"
    if row["tier_from"] != "0":
        out += f"from={int(row['tier_from'])};"
    # Micro-USD for 1000 requests are nano-USD for one: no figure changes its digits.
    figures = [str(int(row[key])) if row[key] else "" for key in PRICES]
    return out + (",".join(figures).rstrip(",") or "0")


def main():
    arguments = argparse.ArgumentParser(description="Writes the built-in price catalogue.")
    arguments.add_argument("table")
    arguments.add_argument("--as-of", default="2026-08", help="of which month the figures are")
    arguments.add_argument("--output", default="lib/catalog/prices.inc")
    options = arguments.parse_args()

    with open(options.table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    providers = {}
    for row in rows:
        models = providers.setdefault(row["provider"], [])
        if not models or (models[-1][0]["model"], models[-1][0]["match"]) != (row["model"], row["match"]):
            if any(head["model"] == row["model"] for head, _ in models):
                fail(row, "its rows do not stand together")
            models.append((row, []))
        models[-1][1].append(price(row))

    sources = sorted({row["source"] for row in rows})
    out = [
        f"// Prices and context windows of {len(rows)} tiers from {len(providers)} providers, as of {options.as_of}. Written by tools/catalog.py, which",
        "// documents the format; facts from " + ", ".join(sources) + ". Do not edit: an own price belongs under `prices` in the configuration.",
        f'constexpr std::string_view kAsOf = "{options.as_of}";',
        'constexpr std::string_view kPrices = R"prices(',
    ]
    for provider, models in providers.items():
        out.append(f"@{provider}")
        for row, prices in models:
            match = " | ".join(dict.fromkeys(" & ".join(terms) for terms in parse(row)))
            if match == "=" + row["model"]:
                match = "."
            out.append("\t".join([row["model"], match, row["context"], *prices]))
    out.append(')prices";')
    with open(options.output, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    print(f"{options.output}: {len(rows)} rows of {len(providers)} providers")


if __name__ == "__main__":
    main()
