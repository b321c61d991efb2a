//! The registry's store in the file of the log.

mod contract;
mod differential;
