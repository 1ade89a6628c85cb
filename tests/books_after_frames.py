"""The order books after each of many WebSocket frames, computed without any of our code.

usage: books_after_frames.py [INDEX] < LINES

The first line is a JSON list of the tickers that are followed; their places are the markets' numbers. Each further line
is a frame as the venue sends it, or the word `disconnected`. For each, four bytes go to stdout: the CRC-32,
little-endian, of a text that says what came of it. With INDEX only that text is written, for the frame of this number.

The text: what is asked of the venue; the prices published; which books are in step; all levels of the frame's book. After
every thousandth frame, all levels of all books.

The rules, from the venue's documentation and that of the stage: frames of a subscription are numbered from 1 over all its
markets. After a gap none of its books can be trusted until its next snapshot. A level never falls below nothing, and nothing
is taken from a level that is not there. What cannot be read counts as lost.
"""

import decimal
import json
import re
import sys
import zlib

SUSPECT, ACTIVE, CLOSED = range(3)
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]*)?\Z", re.ASCII)
LARGEST, SMALLEST, MOST_SHOWN = 2**63 - 1, -(2**63), 2**32 - 1
MOST_CONTRACTS = 10**9


class Unreadable(Exception):
    pass


def integer(text, decimals, seen={}):
    """A decimal string in units of its last decimal. Whatever was seen before is remembered: prices repeat."""
    if (text, decimals) in seen:
        return seen[text, decimals]
    if not isinstance(text, str) or not DECIMAL.match(text):
        raise Unreadable(text)
    scaled = decimal.Decimal(text).scaleb(decimals)
    if scaled != scaled.to_integral_value() or not SMALLEST <= scaled <= LARGEST:
        raise Unreadable(text)
    if len(seen) < 100_000:
        seen[text, decimals] = int(scaled)
    return int(scaled)


def price(text):
    value = integer(text, 4)
    if not 0 <= value <= 10_000:
        raise Unreadable(text)
    return value


def count(text):
    value = integer(text, 2)
    if abs(value) > 100 * MOST_CONTRACTS:
        raise Unreadable(text)
    return value


class Market:
    def __init__(self, number):
        self.number, self.sides = number, {"yes": {}, "no": {}}
        self.in_step, self.open, self.sid, self.published = False, True, None, None

    def replace(self, yes, no):
        self.sides = {"yes": dict(yes), "no": dict(no)}
        for name, levels in (("yes", yes), ("no", no)):
            there = [level for level in levels if level[1] != 0]
            if len({at for at, _ in there}) < len(there) or any(count < 0 for _, count in there):
                return False
            self.sides[name] = dict(there)
        return True

    def change(self, side, at, change):
        levels = self.sides[side]
        now = levels.get(at, 0) + change
        if now < 0 or now > LARGEST:
            return False
        if now:
            levels[at] = now
        else:
            levels.pop(at, None)
        return True

    def top(self):
        bid = max(self.sides["yes"].items(), default=(0, 0))
        offer = max(self.sides["no"].items(), default=None)
        offer = (10_000 - offer[0], offer[1]) if offer else (0, 0)
        return (bid[0], min(bid[1], MOST_SHOWN), offer[0], min(offer[1], MOST_SHOWN))

    def news(self):
        """What is to be published: best prices as long as they can be trusted, else the last ones under suspicion."""
        if self.in_step:
            prices = self.top()
        elif self.published:
            prices = self.published[:4]
        else:
            return ""
        now = prices + (CLOSED if not self.open else ACTIVE if self.in_step else SUSPECT,)
        if now == self.published:
            return ""
        self.published = now
        return "%d:%d@%d/%d@%d,%d " % ((self.number, now[1], now[0], now[3], now[2], now[4]))

    def levels(self):
        if not self.in_step:
            return "#%d?" % self.number
        sides = (" ".join(["%d:%d" % level for level in sorted(self.sides[side].items())]) for side in ("yes", "no"))
        return "#%d y %s n %s" % (self.number, *sides)


class Books:
    def __init__(self, tickers):
        self.markets = [Market(number) for number in range(len(tickers))]
        self.numbers = {ticker: number for number, ticker in enumerate(tickers)}
        self.next = {}

    def distrust(self, which):
        for market in filter(which, self.markets):
            market.in_step, market.sid = False, None
            yield market.news()

    def numbered(self, sid, seq):
        """What a frame's number says: what to ask for, and what is published because of it."""
        if sid not in self.next:
            return "-", ""
        expected, self.next[sid] = self.next[sid], seq + 1
        if expected == seq:
            return "-", ""
        return "all %d" % sid, "".join(self.distrust(lambda market: market.sid in (None, sid)))

    def of_book(self, sid, seq, market, apply):
        if sid not in self.next:
            asked = "one %d %d" % (sid, market.number) if market.in_step else "-"
            market.in_step, market.sid = False, None
            return asked, market.news()
        asked, published = self.numbered(sid, seq)
        if not apply():
            market.in_step = False
            asked = "one %d %d" % (sid, market.number) if asked == "-" else asked
        return asked, published + market.news()

    def snapshot(self, sid, seq, market, message):
        yes, no = (
            [(price(at), count(held)) for at, held in message.get(side + "_dollars_fp") or []]
            for side in ("yes", "no")
        )

        def apply():
            market.in_step, market.sid = True, sid
            return market.replace(yes, no)

        return lambda: self.of_book(sid, seq, market, apply)

    def delta(self, sid, seq, market, message):
        at, change, side = price(message["price_dollars"]), count(message["delta_fp"]), message["side"]
        if side not in ("yes", "no"):
            raise Unreadable(side)
        return lambda: self.of_book(sid, seq, market, lambda: not market.in_step or market.change(side, at, change))

    def frame(self, line):
        """What is asked for, what is published, and the frame's market, if it is about one."""
        if line == "disconnected":
            self.next.clear()
            return "-", "".join(self.distrust(lambda market: True)), None
        try:
            frame = json.loads(line)
            kind, sid, seq, message = frame["type"], frame.get("sid"), frame.get("seq"), frame.get("msg", {})
            if kind == "subscribed":
                sid = message["sid"]
                if message["channel"] == "orderbook_delta":
                    self.next[sid] = 1
                    return "-", "", None
            number = self.numbers.get(message["market_ticker"]) if kind.startswith(("orderbook", "market_l")) else None
            market = None if number is None else self.markets[number]
            if kind == "market_lifecycle_v2":
                steps = {"activated": True, "deactivated": False, "determined": False, "settled": False}
                if market and message["event_type"] in steps:
                    market.open = steps[message["event_type"]]
                    return "-", market.news(), market
                return "-", "", None
            if kind in ("orderbook_snapshot", "orderbook_delta"):
                # Read before it is applied, and also where nobody follows its market: else it is no frame.
                read = self.snapshot if kind == "orderbook_snapshot" else self.delta
                apply = read(sid, seq, market, message)
                if market and sid is not None and seq is not None:
                    return *apply(), market
            if sid is None or seq is None:
                return "-", "", None
            return *self.numbered(sid, seq), None
        except (Unreadable, ValueError, KeyError, TypeError, AttributeError):
            return "-", "", None

    def text(self, index, line):
        asked, published, market = self.frame(line)
        shown = self.markets if index % 1_000 == 0 else [market] if market else []
        levels = "".join([market.levels() for market in shown])
        trusted = "".join(["1" if market.in_step else "0" for market in self.markets])
        return "%s;%s;%s;%s" % (asked, published, trusted, levels)


def main():
    lines = map(str.rstrip, sys.stdin)
    books = Books(json.loads(next(lines)))
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else None
    for index, line in enumerate(lines):
        text = books.text(index, line)
        if wanted is None:
            sys.stdout.buffer.write(zlib.crc32(text.encode()).to_bytes(4, "little"))
        elif index == wanted:
            print(text)


main()
