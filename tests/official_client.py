"""The venue's official client against a venue: whatever it sends is sent as its authors mean it, and whatever comes
back must fit its models. Any step that goes wrong ends the script with a traceback.

usage: official_client.py key FILE             makes an RSA key that its owner alone may read
       official_client.py trade REST ID FILE   trades with it at a venue, {"steps": [...]} on stdout
"""

import decimal
import json
import os
import sys
import time


def make_key(file):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(text)


class Account:
    """One key at one venue, by the client's own classes."""

    def __init__(self, rest, key_id, pem):
        import kalshi_python_sync as kalshi

        configuration = kalshi.Configuration(host=rest)
        configuration.api_key_id = key_id
        configuration.private_key_pem = pem
        client = kalshi.KalshiClient(configuration)
        self.exchange = kalshi.ExchangeApi(client)
        self.market = kalshi.MarketApi(client)
        self.events = kalshi.EventsApi(client)
        self.orders = kalshi.OrdersApi(client)
        self.portfolio = kalshi.PortfolioApi(client)
        self.groups = kalshi.OrderGroupsApi(client)
        self.account = kalshi.AccountApi(client)
        self.milestones = kalshi.MilestoneApi(client)

    def create(self, ticker, name, side="bid", price="0.0100", count="1.00", force="good_till_canceled", **more):
        return self.orders.create_order_v2(**form(ticker, name, side, price, count, force), **more)

    def eventually(self, order_id, what, wanted):
        """Reads an order until it is as wanted: reads of the venue lag behind its writes."""
        import kalshi_python_sync as kalshi

        due = time.monotonic() + 20
        while True:
            try:
                order = self.orders.get_order(order_id).order
                if wanted(order):
                    return order
            except kalshi.exceptions.NotFoundException:
                order = None
            assert time.monotonic() < due, (what, order)
            time.sleep(0.05)


def form(ticker, name, side="bid", price="0.0100", count="1.00", force="good_till_canceled"):
    return {
        "ticker": ticker, "client_order_id": name, "side": side, "price": price, "count": count,
        "time_in_force": force, "self_trade_prevention_type": "taker_at_cross",
    }


def refused(call, status, code=None):
    """The call must be refused, in this way."""
    import kalshi_python_sync as kalshi

    try:
        answer = call()
    except kalshi.exceptions.ApiException as refusal:
        assert refusal.status == status, (status, refusal.status, refusal.body)
        if code is not None:
            assert json.loads(refusal.body)["error"]["code"] == code, (code, refusal.body)
        return refusal
    raise AssertionError(f"{status} {code} expected, came {answer}")


def markets_come_in_pages(account):
    assert account.exchange.get_exchange_status().trading_active is True
    whole = account.market.get_markets(limit=1000)
    assert whole.cursor == "" and len(whole.markets) == 12, whole.cursor
    seen, cursor = [], None
    while cursor != "":
        page = account.market.get_markets(limit=5, cursor=cursor)
        assert len(page.markets) <= 5
        seen += [market.ticker for market in page.markets]
        cursor = page.cursor
    assert seen == [market.ticker for market in whole.markets]
    assert {market.status for market in whole.markets} == {"active"}
    refused(lambda: account.market.get_markets(limit=1001), 400)
    refused(lambda: account.market.get_market("KXNONE"), 404, "not_found")
    events = account.events.get_events(limit=200, with_nested_markets=True).events
    assert sorted(market.ticker for event in events for market in event.markets) == sorted(seen)
    series = account.market.get_series(events[0].series_ticker).series
    assert series.fee_type == "quadratic_with_maker_fees"
    book = account.market.get_market_orderbook(seen[0], depth=1).orderbook_fp
    assert len(book.yes_dollars) == 1 and len(book.no_dollars) == 1, book
    books = account.market.get_market_orderbooks(tickers=seen[:2]).orderbooks
    assert [one.ticker for one in books] == seen[:2], books
    refused(lambda: account.market.get_markets(status="active"), 400)
    assert account.market.get_markets(max_close_ts=int(time.time())).markets == []
    assert any(event.fee_multiplier_override == 0.5 for event in events), events
    assert account.events.get_event_fee_changes().event_fee_changes == []
    assert account.exchange.get_exchange_schedule().schedule.standard_hours[0].sunday
    games = account.milestones.get_milestones(limit=100, category="Sports").milestones
    assert sorted(game.primary_event_tickers[0] for game in games) == sorted(event.event_ticker for event in events)


def an_order_rests_changes_and_is_cancelled(account, ticker):
    before = decimal.Decimal(account.portfolio.get_balance().balance_dollars)
    made = account.create(ticker, "one", count="5.00")
    assert (made.fill_count, made.remaining_count) == ("0.00", "5.00"), made
    order = account.eventually(made.order_id, "resting", lambda order: order.status == "resting")
    assert (order.client_order_id, order.yes_price_dollars, order.book_side) == ("one", "0.0100", "bid"), order
    refused(lambda: account.create(ticker, "one"), 409, "order_already_exists")

    amend = lambda **more: account.orders.amend_order_v2(made.order_id, **{"ticker": ticker, "side": "bid", **more})
    amended = amend(price="0.0200", count="7.00", client_order_id="one", updated_client_order_id="two")
    assert (amended.order_id, amended.remaining_count, amended.client_order_id) == (made.order_id, "7.00", "two"), amended
    refused(lambda: amend(price="0.0250", count="7.00"), 400, "invalid_price")
    ahead = account.orders.get_order_queue_position(made.order_id).queue_position_fp
    rows = account.orders.get_order_queue_positions(market_tickers=ticker).queue_positions
    assert [(row.order_id, row.queue_position_fp) for row in rows] == [(made.order_id, ahead)], rows

    assert account.orders.decrease_order_v2(made.order_id, reduce_by="2.00").remaining_count == "5.00"
    assert account.orders.decrease_order_v2(made.order_id, reduce_to="4.00").remaining_count == "4.00"
    refused(lambda: account.orders.decrease_order_v2(made.order_id, reduce_to="4.00"), 400, "invalid_order_size")
    account.eventually(made.order_id, "decreased", lambda order: order.remaining_count_fp == "4.00")
    assert made.order_id in [order.order_id for order in account.orders.get_orders(status="resting").orders]

    gone = account.orders.cancel_order_v2(made.order_id, market_ticker=ticker)
    assert (gone.order_id, gone.reduced_by) == (made.order_id, "4.00"), gone
    refused(lambda: account.orders.cancel_order_v2(made.order_id, market_ticker=ticker), 404, "not_found")
    account.eventually(made.order_id, "canceled", lambda order: order.status == "canceled")
    refused(lambda: account.create(ticker, "two"), 409, "order_already_exists")
    assert decimal.Decimal(account.portfolio.get_balance().balance_dollars) == before


def a_taker_pays_and_holds(account, ticker):
    before = decimal.Decimal(account.portfolio.get_balance().balance_dollars)
    made = account.create(ticker, "taker", price="0.9900", count="2.00", force="immediate_or_cancel")
    assert (made.fill_count, made.remaining_count) == ("2.00", "0.00"), made
    fills = account.portfolio.get_fills(order_id=made.order_id).fills
    assert sum(decimal.Decimal(fill.count_fp) for fill in fills) == 2 and all(fill.is_taker for fill in fills)
    paid = sum(decimal.Decimal(fill.count_fp) * decimal.Decimal(fill.yes_price_dollars) for fill in fills)
    fees = sum(decimal.Decimal(fill.fee_cost) for fill in fills)
    assert fees > 0
    assert decimal.Decimal(account.portfolio.get_balance().balance_dollars) == before - paid - fees
    (held,) = account.portfolio.get_positions().market_positions
    assert (held.ticker, held.position_fp) == (ticker, "2.00"), held
    assert decimal.Decimal(held.fees_paid_dollars) == fees
    account.eventually(made.order_id, "executed", lambda order: order.status == "executed")
    refused(lambda: account.create(ticker, "dear", price="0.9900", count="90000.00"), 400, "insufficient_balance")
    refused(lambda: account.create(ticker, "off", price="0.5150"), 400, "invalid_price")
    refused(lambda: account.create(ticker, "cross", price="0.9900", post_only=True), 400, "invalid_order")
    whole = account.create(ticker, "whole", price="0.9900", force="fill_or_kill", count="1.00")
    assert whole.fill_count == "1.00"


def we_do_not_trade_with_ourselves(account, ticker, attempt):
    """Sells to a bid of ours that is the best one; false where the market moved meanwhile."""
    import kalshi_python_sync as kalshi

    best = account.market.get_market(ticker).market.yes_bid_dollars
    price = f"{decimal.Decimal(best) + decimal.Decimal('0.01'):.4f}"
    try:
        made = account.create(ticker, f"own{attempt}", price=price, post_only=True)
    except kalshi.exceptions.BadRequestException:
        return False
    crossed = account.create(ticker, f"self{attempt}", side="ask", price=price, force="immediate_or_cancel")
    assert crossed.remaining_count == "0.00", crossed
    try:
        ours_is_left = account.orders.cancel_order_v2(made.order_id, market_ticker=ticker).reduced_by == "1.00"
    except kalshi.exceptions.NotFoundException:
        return False
    return ours_is_left and crossed.fill_count == "0.00"


def what_may_not_trade_does_not(account, ticker):
    refused(lambda: account.create(ticker, "fok", price="0.0100", force="fill_or_kill"), 409,
            "fill_or_kill_insufficient_resting_volume")
    past = int(time.time()) - 60
    refused(lambda: account.create(ticker, "past", expiration_time=past), 400, "invalid_order")
    refused(lambda: account.create(ticker, "ioc", force="immediate_or_cancel", expiration_time=past + 3600), 400,
            "invalid_order")

    assert any(we_do_not_trade_with_ourselves(account, ticker, attempt) for attempt in range(20))

    # To sell more than is held, and no more than reduces, sells what is held.
    (held,) = account.portfolio.get_positions(ticker=ticker).market_positions
    assert decimal.Decimal(held.position_fp) > 0, held
    more = f"{decimal.Decimal(held.position_fp) + 6:.2f}"
    sold = account.create(ticker, "reduce", side="ask", price="0.0100", count=more, force="immediate_or_cancel",
                          reduce_only=True)
    assert sold.fill_count == held.position_fp, (sold, held)
    (held,) = account.portfolio.get_positions(ticker=ticker).market_positions
    assert held.position_fp == "0.00", held
    again = account.create(ticker, "reduce-none", side="ask", price="0.0100", force="immediate_or_cancel",
                           reduce_only=True)
    assert (again.fill_count, again.remaining_count) == ("0.00", "0.00"), again
    refused(lambda: account.create(ticker, "reduce-rests", reduce_only=True), 400, "invalid_order")


def a_shard_has_money_and_markets_of_its_own(account, ticker):
    money = lambda: {row.exchange_index: decimal.Decimal(row.balance)
                     for row in account.portfolio.get_balance().balance_breakdown}
    market = account.market.get_market(ticker).market
    assert market.exchange_index == 3, market
    before = money()
    refused(lambda: account.create(ticker, "astray", exchange_index=0), 404, "market_not_found")
    made = account.create(ticker, "shard", price="0.9900", count="2.00", force="immediate_or_cancel", exchange_index=3)
    assert made.fill_count == "2.00", made
    after = money()
    assert after[0] == before[0] and after[3] < before[3], (before, after)
    assert sum(after.values()) == decimal.Decimal(account.portfolio.get_balance().balance_dollars)
    # Half the fee: 0.07 x 0.5, rounded up to 0.0001 for each execution.
    for fill in account.portfolio.get_fills(order_id=made.order_id).fills:
        price, count = decimal.Decimal(fill.yes_price_dollars), decimal.Decimal(fill.count_fp)
        fee = (decimal.Decimal("0.035") * count * price * (1 - price)).quantize(decimal.Decimal("0.0001"), "ROUND_UP")
        assert decimal.Decimal(fill.fee_cost) == fee, fill
    refused(lambda: account.create(ticker, "poor", price="0.9900", count="6000.00"), 400, "insufficient_balance")

    rests = account.create(ticker, "rests", exchange_index=3)
    refused(lambda: account.orders.cancel_order_v2(rests.order_id), 404, "not_found")
    assert account.orders.cancel_order_v2(rests.order_id, exchange_index=3).reduced_by == "1.00"


def lists_come_in_pages(account, ticker):
    trades = account.market.get_trades(ticker=ticker, limit=1000).trades
    assert trades and all(trade.ticker == ticker for trade in trades), trades
    newest = account.create(ticker, "newest").order_id
    account.eventually(newest, "listed", lambda order: order.status == "resting")
    ours = {fill.trade_id for fill in account.portfolio.get_fills(ticker=ticker).fills}
    assert ours and ours <= {trade.trade_id for trade in trades}
    assert account.market.get_trades(ticker=ticker, min_ts=int(time.time()) + 60).trades == []
    for read, rows, name in [
        (account.portfolio.get_fills, lambda page: page.fills, lambda fill: fill.fill_id),
        (account.orders.get_orders, lambda page: page.orders, lambda order: order.order_id),
    ]:
        whole = [name(row) for row in rows(read(limit=1000))]
        seen, pages, cursor = [], 0, None
        while cursor != "":
            page = read(limit=2, cursor=cursor)
            seen += [name(row) for row in rows(page)]
            cursor, pages = page.cursor, pages + 1
        assert pages > 1 and seen == whole, (pages, seen, whole)


def a_game_that_ends_is_paid_out(account, tickers):
    # Some game ends within minutes: both of its markets are bought, so one of them pays a dollar.
    due = time.monotonic() + 180
    for number, ticker in enumerate(tickers):
        try:
            account.create(ticker, f"hold{number}", price="0.9900", force="immediate_or_cancel")
        except Exception as refusal:
            assert getattr(refusal, "status", None) in (409, 429), refusal
        time.sleep(0.05)
    while True:
        settlements = account.portfolio.get_settlements().settlements
        if settlements:
            break
        assert time.monotonic() < due, "no game has ended"
        time.sleep(0.5)
    one = settlements[0]
    held = decimal.Decimal(one.yes_count_fp) + decimal.Decimal(one.no_count_fp)
    assert held > 0 and one.market_result in ("yes", "no", "scalar"), one
    won = decimal.Decimal(one.yes_count_fp) * one.value + decimal.Decimal(one.no_count_fp) * (100 - one.value)
    assert one.revenue == won, one
    market = account.market.get_market(one.ticker).market
    assert market.status == "finalized" and market.result == one.market_result, market
    refused(lambda: account.create(one.ticker, "late"), 409, "MARKET_INACTIVE")
    assert one.ticker not in {row.ticker for row in account.portfolio.get_positions().market_positions}


def a_batch_is_answered_item_by_item(account, ticker):
    names = ["b0", "b1", "b2"]
    items = [form(ticker, name) for name in names] + [form(ticker, "b0")]
    made = account.orders.batch_create_orders_v2(orders=items).orders
    assert [item.client_order_id for item in made] == names + ["b0"], made
    assert made[3].error.code == "order_already_exists" and made[0].error is None, made
    ids = [item.order_id for item in made[:2]]
    cancels = [{"order_id": order_id, "market_ticker": ticker} for order_id in [*ids, "none"]]
    gone = account.orders.batch_cancel_orders_v2(orders=cancels).orders
    assert [item.reduced_by for item in gone] == ["1.00", "1.00", "0.00"], gone
    assert gone[2].error.code == "not_found", gone
    assert account.orders.cancel_all_orders() is None
    assert account.orders.get_order_queue_positions().queue_positions == []


def a_group_is_braked_until_it_is_reset(account, ticker, shard):
    made = account.groups.create_order_group(contracts_limit=2, exchange_index=shard)
    group = made.order_group_id
    rests = account.create(ticker, "g0", order_group_id=group)
    account.create(ticker, "g1", price="0.9900", count="2.00", force="immediate_or_cancel", order_group_id=group)
    refused(lambda: account.create(ticker, "g2", order_group_id=group), 400, "invalid_order")
    account.eventually(rests.order_id, "braked", lambda order: order.status == "canceled" and order.order_group_id == group)
    account.groups.reset_order_group(group, exchange_index=shard)
    again = account.create(ticker, "g3", order_group_id=group)
    account.groups.update_order_group_limit(group, exchange_index=shard, contracts_limit=9)
    read = account.groups.get_order_group(group)
    assert again.order_id in read.orders and read.contracts_limit_fp == "9.00", read
    assert [entry.id for entry in account.groups.get_order_groups().order_groups] == [group]
    account.groups.trigger_order_group(group, exchange_index=shard)
    account.groups.delete_order_group(group, exchange_index=shard)
    refused(lambda: account.groups.get_order_group(group), 404, "not_found")


def strangers_and_haste_are_refused(account, stranger, tickers):
    ticker = next(name for name in tickers if account.market.get_market(name).market.status == "active")
    refused(stranger.portfolio.get_balance, 401, "authentication_error")
    tier = account.account.get_account_api_limits()
    most = tier.write.bucket_capacity // 10 + 100
    assert account.account.get_account_endpoint_costs().default_cost == 10
    for number in range(most):
        try:
            refused(lambda: account.create(ticker, f"haste{number}", price="0.5150"), 400, "invalid_price")
        except AssertionError as other:
            status, got, body = other.args[0]
            assert (status, got, json.loads(body)) == (400, 429, {"error": "too many requests"}), other
            return
    raise AssertionError(f"{most} writes at once, and none refused")


def trade(rest, key_id, file):
    pem = open(file).read()
    account = Account(rest, key_id, pem)
    stranger = Account(rest, "00000000-0000-0000-0000-000000000009", pem)
    listed = account.market.get_markets(limit=1000).markets
    ticker, shard = listed[0].ticker, listed[0].exchange_index
    baseball = next(market.ticker for market in listed if market.exchange_index == 3)
    tickers = [market.ticker for market in listed]
    steps = [
        (markets_come_in_pages, account),
        (an_order_rests_changes_and_is_cancelled, account, ticker),
        (a_taker_pays_and_holds, account, ticker),
        (what_may_not_trade_does_not, account, ticker),
        (a_shard_has_money_and_markets_of_its_own, account, baseball),
        (lists_come_in_pages, account, ticker),
        (a_batch_is_answered_item_by_item, account, ticker),
        (a_group_is_braked_until_it_is_reset, account, ticker, shard),
        (a_game_that_ends_is_paid_out, account, tickers),
        (strangers_and_haste_are_refused, account, stranger, tickers),
    ]
    for step, *arguments in steps:
        step(*arguments)
    json.dump({"steps": [step.__name__ for step, *_ in steps]}, sys.stdout)


if __name__ == "__main__":
    {"key": make_key, "trade": trade}[sys.argv[1]](*sys.argv[2:])
