//! The system of record: the one room that knows SQL.
