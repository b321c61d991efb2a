//! The memory's store in the file of the log.

mod contract;
