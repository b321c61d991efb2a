//! JSON Schemas of payloads, draft 2020-12: what is admitted, how payloads are checked, how versions compare, and
//! what a payload looks like. Pure functions over JSON: no I/O, no clock; nothing is ever fetched.
