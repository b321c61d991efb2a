//! The memory's store in the file of the log.

mod contract;
mod damaged;
mod differential;
mod full;
mod kill;
mod migration;
mod steps;
mod vectors;
