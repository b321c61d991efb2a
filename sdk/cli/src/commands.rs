//! The commands, a file each.

pub(crate) mod agents;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod dlq;
pub(crate) mod events;
pub(crate) mod memory;
mod platform;
pub(crate) mod schemas;
pub(crate) mod serve;
pub(crate) mod tree;

use crate::print::Printer;

pub(crate) fn version(printer: Printer) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    if printer.is_json() {
        printer.object(&serde_json::json!({ "name": "soorma", "version": version }))
    } else {
        printer.line(&format!("soorma {version}"))
    }
}
