//! The memory's store in the file of the log.

mod contract;
mod damaged;
mod differential;
mod erased;
mod full;
mod kill;
mod long;
mod many;
mod migration;
mod rare;
mod steps;
mod vectors;
