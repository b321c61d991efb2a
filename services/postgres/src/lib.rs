//! Stores on Postgres.
