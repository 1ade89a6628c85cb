"""The order books that a file of recorded WebSocket frames leads to, computed without any of our code.

usage: books_from_frames.py FRAMES  ->  {"TICKER": {"yes": [[price, count], ...], "no": [...]}} on stdout
"""

import decimal
import json
import sys

books = {}
for line in filter(str.strip, open(sys.argv[1])):
    frame = json.loads(line)
    message = frame.get("msg", {})
    if frame["type"] == "orderbook_snapshot":
        sides = {side: message.get(side + "_dollars_fp", []) for side in ("yes", "no")}
        books[message["market_ticker"]] = {
            side: {price: decimal.Decimal(count) for price, count in levels} for side, levels in sides.items()
        }
    elif frame["type"] == "orderbook_delta":
        side = books[message["market_ticker"]][message["side"]]
        price = message["price_dollars"]
        side[price] = side.get(price, 0) + decimal.Decimal(message["delta_fp"])
        if side[price] == 0:
            del side[price]

as_sent = lambda side: [[price, f"{count:.2f}"] for price, count in sorted(side.items())]
json.dump({ticker: {side: as_sent(book[side]) for side in book} for ticker, book in books.items()}, sys.stdout)
