//! The schema of the position database, as it came about.

/// Schema changes in order; `user_version` counts those that are applied. Only ever append.
pub(super) const MIGRATIONS: [&str; 9] = [
    "
    CREATE TABLE markets (
        market INTEGER PRIMARY KEY,
        ticker TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE fills (
        trade BLOB PRIMARY KEY CHECK (length(trade) = 16),
        client_order INTEGER NOT NULL,
        market INTEGER NOT NULL,
        side INTEGER NOT NULL CHECK (side IN (0, 1)),
        count_centi INTEGER NOT NULL CHECK (count_centi >= 0),
        price_e4 INTEGER NOT NULL CHECK (price_e4 BETWEEN 0 AND 10000),
        fee_micros INTEGER NOT NULL,
        is_taker INTEGER NOT NULL,
        ingress_mono_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX fills_of_market ON fills (market);
    CREATE TABLE settlements (
        market INTEGER PRIMARY KEY,
        value_e4 INTEGER NOT NULL CHECK (value_e4 BETWEEN 0 AND 10000)
    ) STRICT;
    CREATE VIEW positions AS
        SELECT fills.market AS market,
            CASE WHEN settlements.market IS NULL
                THEN sum(iif(side = 0, count_centi, -count_centi)) ELSE 0 END AS position_centi,
            sum(iif(side = 0, -price_e4, price_e4) * count_centi - fee_micros)
                + coalesce(value_e4, 0) * sum(iif(side = 0, count_centi, -count_centi))
                * (settlements.market IS NOT NULL) AS cash_micros,
            sum(fee_micros) AS fees_micros
        FROM fills LEFT JOIN settlements USING (market) GROUP BY fills.market;
",
    "
    CREATE TABLE opening (
        only INTEGER PRIMARY KEY CHECK (only = 0),
        unix_s INTEGER NOT NULL,
        cash_micros INTEGER NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE settlements ADD COLUMN settled_unix_s INTEGER;
",
    "
    CREATE TABLE launches (run_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
",
    // Of what was booked before nobody knows the launch: there may have been one before the table of launches.
    "
    ALTER TABLE fills ADD COLUMN launch TEXT NOT NULL DEFAULT '';
",
    // What a settlement said before the venue amended it; the last word is in `settlements`.
    "
    CREATE TABLE superseded (
        id INTEGER PRIMARY KEY,
        market INTEGER NOT NULL,
        value_e4 INTEGER NOT NULL CHECK (value_e4 BETWEEN 0 AND 10000),
        settled_unix_s INTEGER
    ) STRICT;
",
    "
    ALTER TABLE fills ADD COLUMN agreed INTEGER NOT NULL DEFAULT 0 CHECK (agreed IN (0, 1));
    ALTER TABLE settlements ADD COLUMN agreed INTEGER NOT NULL DEFAULT 0 CHECK (agreed IN (0, 1));
    ALTER TABLE opening ADD COLUMN agreed_unix_s INTEGER;
",
    "
    ALTER TABLE fills ADD COLUMN booked_unix_s INTEGER;
",
    // The venue pays whole cents. And what it had charged in each market before our books began.
    "
    ALTER TABLE settlements ADD COLUMN remainder_micros INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE opening_fees (ticker TEXT PRIMARY KEY, micros INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    DROP VIEW positions;
    CREATE VIEW positions AS
        SELECT market, iif(settled, 0, held_centi) AS position_centi,
            flow_micros + settled * (value_e4 * held_centi + iif(held_centi = 0, 0, remainder_micros)) AS cash_micros,
            fees_micros
        FROM (
            SELECT fills.market AS market, settlements.market IS NOT NULL AS settled,
                sum(iif(side = 0, count_centi, -count_centi)) AS held_centi,
                sum(iif(side = 0, -price_e4, price_e4) * count_centi - fee_micros) AS flow_micros,
                coalesce(value_e4, 0) AS value_e4, coalesce(remainder_micros, 0) AS remainder_micros,
                sum(fee_micros) AS fees_micros
            FROM fills LEFT JOIN settlements USING (market) GROUP BY fills.market
        );
",
];
/// The version from which on there is an opening.
pub(super) const OPENED: u32 = 2;
/// The version from which on settlements have a time.
pub(super) const TIMED: u32 = 3;
/// The version from which on fills have a launch.
pub(super) const LAUNCHED: u32 = 5;
/// The version from which on amended settlements are kept.
pub(super) const AMENDED: u32 = 6;
/// The version from which on it is known what has agreed with the venue.
pub(super) const AGREED: u32 = 7;
/// The version from which on fills have a time.
pub(super) const FILLS_TIMED: u32 = 8;
/// The version from which on settlements pay whole cents, and fees from before the opening are known.
pub(super) const ROUNDED: u32 = 9;
